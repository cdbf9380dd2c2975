//! Devices whose emergency call could be refused because there is no last resort (P-23): at some hour its search space gives
//! it no way, and no emergency pattern of any partition does. The call is decided as it would be, by the same function.

use crate::config::document::{Device, Document};
use crate::config::plan::build::Routing;
use crate::config::plan::dial_plan::Dialing;
use crate::config::report::Report;
use emcc_policies::digits::Digits;
use emcc_policies::emergency::{Called, EmergencyNumbers};
use emcc_policies::moment::Civil;
use emcc_policies::pstn_access::PstnAccessCss;
use emcc_policies::route::{Call, Caller, LocalRouteGroups, decide};
use emcc_policies::search_space::{CssId, SearchSpace, of_phone};
use emcc_policies::trail::Trail;
use std::collections::HashMap;

/// What decides of a device's emergency calls: its search space, that of its calls over the trunk while somebody is logged
/// in on it, and what its local route groups stand for.
type Alike<'r> = (SearchSpace, SearchSpace, &'r LocalRouteGroups);

/// `numbers` has one of each emergency there is. Devices that are alike are told of together.
pub(super) fn check(
    document: &Document,
    dialing: &Dialing<'_>,
    numbers: &[Digits],
    moments: &[Civil],
    report: &Report,
) {
    if !document.emergency.last_resort.is_empty() {
        return;
    }
    let routing = Routing::of(document);
    let own = EmergencyNumbers {
        numbers: document.emergency.numbers.iter().map(|at| at.value).collect(),
        access_codes: document.emergency.access_codes.iter().map(|at| at.value).collect(),
    };
    let is_refused = |css: &[CssId], caller: Caller<'_>, number: &Digits| {
        let emergency = own.recognise(&dialing.plan, Called::Number(number), false);
        moments.iter().any(|at| {
            let dialed = Some(*number);
            let call = Call { css, dialed, calling: None, caller, emergency, at: *at, turns: &|_| 0 };
            decide(&dialing.plan, &routing.book, &call, &mut Trail::new()).hops.is_empty()
        })
    };
    let refused = |css: &[CssId], caller: Caller<'_>, how: &'static str| {
        let refused = numbers.iter().filter(|number| is_refused(css, caller, number));
        refused.map(|number| format!("{number}{how}")).collect::<Vec<_>>()
    };
    let is_visited = document.emcc_trunk.is_some() && !document.remote_clusters.is_empty();
    for ((home, visited, groups), (device, count)) in devices(document, dialing, &routing) {
        let mut lost = refused(&home, Caller::Local { pool: None, groups }, "");
        if is_visited {
            lost.extend(refused(&visited, Caller::Visiting { pool: None, groups }, " over the trunk"));
        }
        if lost.is_empty() {
            continue;
        }
        let others = match count - 1 {
            0 => String::new(),
            more => format!(" (and {more} more of its search space and local route groups)"),
        };
        let message =
            format!("an emergency call of \"{}\"{others} could be refused: {}", device.name.value, lost.join(", "));
        report.warning(&device.name.place, message, "Write emergency.last_resort, or give its device pool a gateway.");
    }
}

/// The devices that are alike: the first of them, and how many there are; in the order written.
fn devices<'d, 'r>(
    document: &'d Document,
    dialing: &Dialing<'_>,
    routing: &'r Routing<'_>,
) -> Vec<(Alike<'r>, (&'d Device, usize))> {
    let mut lines = HashMap::new();
    for user in &document.users {
        if let Some(number) = &user.directory_number {
            lines.entry(number.as_str()).or_insert(dialing.css(user.line_css.as_ref()));
        }
    }
    let setting = document.feature.pstn_access_css.as_ref().map(|at| at.value).unwrap_or_default();
    let of_trunk = document.emcc_trunk.as_ref().and_then(|trunk| dialing.css(trunk.css.as_ref()));
    let mut places: HashMap<Alike<'_>, usize> = HashMap::new();
    let mut found: Vec<(Alike<'_>, (&Device, usize))> = Vec::new();
    for device in &document.devices {
        let css = dialing.css(device.css.as_ref());
        let line = device.directory_numbers.first().and_then(|number| lines.get(number.as_str()).copied().flatten());
        let visited = match setting {
            PstnAccessCss::Trunk => of_trunk,
            PstnAccessCss::OriginalDevice => css,
        };
        let groups = routing.local_route_groups(routing.pool(device.device_pool.as_ref()));
        let alike: Alike<'_> = (of_phone(line, css), visited.into_iter().collect(), groups);
        let place = *places.entry(alike.clone()).or_insert_with(|| {
            found.push((alike, (device, 0)));
            found.len() - 1
        });
        if let Some((_, (_, count))) = found.get_mut(place) {
            *count += 1;
        }
    }
    found
}
