//! Devices to whose emergency calls no help comes from where they stand (P-21, P-22, P-23): at some hour nothing takes the call
//! before the last resort, which is far away, or is not there, so that the call is refused. The call is decided as it would be,
//! by the same function.

use super::callers::{lines, of_device, without_device};
use crate::config::document::{Device, Document};
use crate::config::plan::build::Routing;
use crate::config::plan::dial_plan::Dialing;
use crate::config::problem::Devices;
use crate::config::report::Report;
use ahash::AHashMap;
use emcc_policies::digits::Digits;
use emcc_policies::emergency::{Alarm, Called, Emergency, GoesOn};
use emcc_policies::moment::Civil;
use emcc_policies::pstn_access::PstnAccessCss;
use emcc_policies::route::{Call, Caller, LocalRouteGroups, NoRoute, decide};
use emcc_policies::search_space::{CssId, SearchSpace};
use emcc_policies::trail::Trail;

/// The service every emergency service is a part of (RFC 5031).
const SERVICE_URN: &str = "urn:service:sos";

/// What decides of a device's emergency calls: the search spaces of its lines, that of its calls over the trunk while
/// somebody is logged in on it, and what its local route groups stand for.
type Alike<'r> = (Vec<SearchSpace>, SearchSpace, &'r LocalRouteGroups);

/// How an emergency call goes wrong that goes on after its search space: the same walk looks for either.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrong {
    /// There is no last resort, and nothing else takes it.
    Refused,
    /// Nothing but the last resort takes it, wherever the phone stands.
    Afar,
}

/// What decides of emergency calls.
#[derive(Clone, Copy)]
struct Judge<'a, 'd> {
    dialing: &'a Dialing<'d>,
    routing: &'a Routing<'a>,
    moments: &'a [Civil],
    wrong: Wrong,
}

/// `numbers` has one of each emergency there is. Devices that are alike are told of together.
pub(super) fn check(
    document: &Document,
    dialing: &Dialing<'_>,
    routing: &Routing<'_>,
    numbers: &[Digits],
    moments: &[Civil],
    report: &Report,
) {
    let wrong = if document.emergency.last_resort.is_empty() { Wrong::Refused } else { Wrong::Afar };
    let judge = Judge { dialing, routing, moments, wrong };
    if let Some(first) =
        document.devices.first().filter(|_| wrong == Wrong::Refused && routing.book.emergency.numbers.is_empty())
    {
        let message = format!("an emergency call to {SERVICE_URN} is refused: it has no number to go on as (P-23)");
        let fix = "Write emergency.numbers, the first of which it goes on as, or emergency.last_resort.";
        report.warning(&first.name.place, message, fix);
    }
    let trunk = document.emcc_trunk.as_ref().filter(|_| !document.remote_clusters.is_empty());
    let is_visited = trunk.is_some_and(|trunk| dialing.css_if_there(trunk.css.as_ref()).is_some());
    if wrong == Wrong::Refused {
        placeless(document, &judge, numbers, report);
    }
    for ((home, visited, groups), (device, alike)) in devices(document, dialing, routing) {
        let mut lost = judge.lost(&home, Caller::Local { pool: None, groups }, numbers, "");
        if is_visited {
            lost.extend(judge.lost(&[visited], Caller::Visiting { pool: None, groups }, numbers, " over the trunk"));
        }
        if lost.is_empty() {
            continue;
        }
        let others = match alike.count() - 1 {
            0 => String::new(),
            more => format!(" (and {more} more of its search space and local route groups)"),
        };
        let (becomes, fix) = match wrong {
            Wrong::Refused => ("could be refused", "Write emergency.last_resort, or give its device pool a gateway."),
            Wrong::Afar => (
                "leaves by the last resort alone, wherever the phone stands",
                "Map the local route groups of its device pool to the gateways beside it (P-21).",
            ),
        };
        let message = format!("an emergency call of \"{}\"{others} {becomes}: {}", device.name.value, lost.join(", "));
        report.warning_of(&device.name.place, alike, message, fix);
    }
}

/// Warns of users who have no device, and so no place, and whose emergency calls nothing takes.
fn placeless(document: &Document, judge: &Judge<'_, '_>, numbers: &[Digits], report: &Report) {
    let groups = judge.routing.local_route_groups(None);
    let lost = |space| judge.lost(&[space], Caller::Local { pool: None, groups }, numbers, "");
    let fix = "Write emergency.last_resort.";
    for (space, user, more) in without_device(document, judge.dialing) {
        let lost = lost(space);
        if !lost.is_empty() {
            let others = if more == 0 { String::new() } else { format!(" (and {more} more with its line CSS)") };
            let message = format!(
                "an emergency call of user \"{}\"{others}, whose number is on no device, has no way: {}",
                user.id.value,
                lost.join(", ")
            );
            report.warning(&user.id.place, message, fix);
        }
    }
}

impl Judge<'_, '_> {
    /// The emergencies that go wrong in one of these search spaces, each said with `how` they are called.
    fn lost(&self, spaces: &[SearchSpace], caller: Caller<'_>, numbers: &[Digits], how: &str) -> Vec<String> {
        let is_lost = |called: Called<'_>| {
            let emergency = self.routing.book.emergency.recognise(&self.dialing.plan, called, false);
            spaces.iter().any(|css| self.moments.iter().any(|at| self.goes_wrong(css, caller, called, emergency, *at)))
        };
        let of_numbers = numbers.iter().filter(|number| is_lost(Called::Number(number)));
        let mut lost: Vec<_> = of_numbers.map(|number| format!("{number}{how}")).collect();
        // Without a number to go on as it is lost for everybody, which is told once. Where numbers are lost, so is it.
        let has_number = self.wrong == Wrong::Refused && !self.routing.book.emergency.numbers.is_empty();
        if lost.is_empty() && has_number && is_lost(Called::Uri(SERVICE_URN.as_bytes())) {
            lost.push(format!("{SERVICE_URN}{how}"));
        }
        lost
    }

    fn goes_wrong(
        &self,
        css: &[CssId],
        caller: Caller<'_>,
        called: Called<'_>,
        emergency: Option<Emergency>,
        at: Civil,
    ) -> bool {
        let dialed = match called {
            Called::Number(number) => Some(*number),
            Called::Uri(_) => None,
        };
        let call = Call { css, dialed, calling: None, caller, emergency, at, turns: &|_| 0 };
        let decision = decide(&self.dialing.plan, &self.routing.book, &call, &mut Trail::new());
        let is_last_resort = |alarm: &Alarm| matches!(alarm, Alarm::WentOn { to: GoesOn::LastResort, .. });
        match self.wrong {
            Wrong::Refused => decision.hops.is_empty(),
            // A number its search space does not have at all is told of with that.
            Wrong::Afar => decision.refused == Some(NoRoute::Exhausted) && decision.alarms.iter().any(is_last_resort),
        }
    }
}

/// The devices that are alike: the first of them, and all; in the order written.
fn devices<'d, 'r>(
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
