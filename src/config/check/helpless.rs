//! Devices whose emergency call could be refused because there is no last resort (P-23): at some hour its search space gives
//! it no way, and no emergency pattern of any partition does. The call is decided as it would be, by the same function.

use super::callers::{lines, of_device};
use crate::config::document::{Device, Document};
use crate::config::plan::build::Routing;
use crate::config::plan::dial_plan::Dialing;
use crate::config::problem::Devices;
use crate::config::report::Report;
use ahash::AHashMap;
use emcc_policies::digits::Digits;
use emcc_policies::emergency::{Called, EmergencyNumbers};
use emcc_policies::moment::Civil;
use emcc_policies::pstn_access::PstnAccessCss;
use emcc_policies::route::{Call, Caller, LocalRouteGroups, decide};
use emcc_policies::search_space::{CssId, SearchSpace};
use emcc_policies::trail::Trail;

/// The service every emergency service is a part of (RFC 5031).
const SERVICE_URN: &str = "urn:service:sos";

/// What decides of a device's emergency calls: the search spaces of its lines, that of its calls over the trunk while
/// somebody is logged in on it, and what its local route groups stand for.
pub(super) type Alike<'r> = (Vec<SearchSpace>, SearchSpace, &'r LocalRouteGroups);

/// `numbers` has one of each emergency there is. Devices that are alike are told of together.
pub(super) fn check(
    document: &Document,
    dialing: &Dialing<'_>,
    routing: &Routing<'_>,
    own: &EmergencyNumbers,
    numbers: &[Digits],
    moments: &[Civil],
    report: &Report,
) {
    if !document.emergency.last_resort.is_empty() {
        return;
    }
    let is_refused = |css: &[CssId], caller: Caller<'_>, called: Called<'_>| {
        let emergency = own.recognise(&dialing.plan, called, false);
        let dialed = match called {
            Called::Number(number) => Some(*number),
            Called::Uri(_) => None,
        };
        moments.iter().any(|at| {
            let call = Call { css, dialed, calling: None, caller, emergency, at: *at, turns: &|_| 0 };
            decide(&dialing.plan, &routing.book, &call, &mut Trail::new()).hops.is_empty()
        })
    };
    let refused = |spaces: &[SearchSpace], caller: Caller<'_>, how: &'static str| {
        let is_lost = |called: Called<'_>| spaces.iter().any(|css| is_refused(css, caller, called));
        let numbers = numbers.iter().filter(|number| is_lost(Called::Number(number)));
        let mut lost: Vec<_> = numbers.map(|number| format!("{number}{how}")).collect();
        // Without a number to go on as it is lost for everybody, which is told once. Where numbers are lost, so is it.
        if lost.is_empty() && !own.numbers.is_empty() && is_lost(Called::Uri(SERVICE_URN.as_bytes())) {
            lost.push(format!("{SERVICE_URN}{how}"));
        }
        lost
    };
    if let Some(first) = document.devices.first().filter(|_| own.numbers.is_empty()) {
        let message = format!("an emergency call to {SERVICE_URN} is refused: it has no number to go on as (P-23)");
        let fix = "Write emergency.numbers, the first of which it goes on as, or emergency.last_resort.";
        report.warning(&first.name.place, message, fix);
    }
    let trunk = document.emcc_trunk.as_ref().filter(|_| !document.remote_clusters.is_empty());
    let is_visited = trunk.is_some_and(|trunk| dialing.css_if_there(trunk.css.as_ref()).is_some());
    for ((home, visited, groups), (device, alike)) in devices(document, dialing, routing) {
        let mut lost = refused(&home, Caller::Local { pool: None, groups }, "");
        if is_visited {
            lost.extend(refused(&[visited], Caller::Visiting { pool: None, groups }, " over the trunk"));
        }
        if lost.is_empty() {
            continue;
        }
        let others = match alike.count() - 1 {
            0 => String::new(),
            more => format!(" (and {more} more of its search space and local route groups)"),
        };
        let message =
            format!("an emergency call of \"{}\"{others} could be refused: {}", device.name.value, lost.join(", "));
        let fix = "Write emergency.last_resort, or give its device pool a gateway.";
        report.warning_of(&device.name.place, alike, message, fix);
    }
}

/// The devices that are alike: the first of them, and all; in the order written.
pub(super) fn devices<'d, 'r>(
    document: &'d Document,
    dialing: &Dialing<'_>,
    routing: &'r Routing<'_>,
) -> Vec<(Alike<'r>, (&'d Device, Devices))> {
    let lines = lines(document, dialing);
    let setting = document.feature.pstn_access_css.as_ref().map(|at| at.value).unwrap_or_default();
    let of_trunk = document.emcc_trunk.as_ref().and_then(|trunk| dialing.css(trunk.css.as_ref()));
    let mut places: AHashMap<Alike<'_>, usize> = AHashMap::new();
    let mut found: Vec<(Alike<'_>, (&Device, Devices))> = Vec::new();
    for device in &document.devices {
        let pool = routing.pool(device.device_pool.as_ref());
        let spaces = of_device(device, &lines, dialing);
        // Of a pool or a CSS that is not there its own name's error says enough.
        let Some(spaces) = spaces.filter(|_| pool.is_some() || device.device_pool.is_none()) else { continue };
        let visited = match setting {
            PstnAccessCss::Trunk => of_trunk,
            PstnAccessCss::OriginalDevice => dialing.css(device.css.as_ref()),
        };
        let groups = routing.local_route_groups(pool);
        let alike: Alike<'_> = (spaces, visited.into_iter().collect(), groups);
        let place = *places.entry(alike.clone()).or_insert_with(|| {
            found.push((alike, (device, Devices::default())));
            found.len() - 1
        });
        if let Some((_, (_, alike))) = found.get_mut(place) {
            alike.add(&device.name.value);
        }
    }
    found
}
