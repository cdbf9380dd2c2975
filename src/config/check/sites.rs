//! Whether help comes to where the caller stands: emergency calls that leave by the last resort alone, far away, and callers whose
//! place their number does not tell (P-21, P-22, P-23).

use super::helpless::devices;
use crate::config::document::{Device, Document};
use crate::config::plan::build::Routing;
use crate::config::plan::dial_plan::Dialing;
use crate::config::problem::Devices;
use crate::config::report::Report;
use ahash::AHashMap;
use emcc_policies::digits::Digits;
use emcc_policies::emergency::{Alarm, Called, EmergencyNumbers, GoesOn};
use emcc_policies::moment::Civil;
use emcc_policies::route::{Call, Caller, NoRoute, decide};
use emcc_policies::trail::Trail;

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
    if document.emergency.last_resort.is_empty() {
        // What is lost then is told of as such.
        return;
    }
    for ((spaces, _, groups), (device, alike)) in devices(document, dialing, routing) {
        let leaves_afar = |number: &&Digits| {
            let emergency = own.recognise(&dialing.plan, Called::Number(number), false);
            let caller = Caller::Local { pool: None, groups };
            spaces.iter().flat_map(|css| moments.iter().map(move |at| (css, at))).any(|(css, at)| {
                let call =
                    Call { css, dialed: Some(**number), calling: None, caller, emergency, at: *at, turns: &|_| 0 };
                let decision = decide(&dialing.plan, &routing.book, &call, &mut Trail::new());
                // A number its search space does not have at all is told of with that.
                decision.refused == Some(NoRoute::Exhausted)
                    && decision.alarms.iter().any(|alarm| matches!(alarm, Alarm::WentOn { to: GoesOn::LastResort, .. }))
            })
        };
        let lost: Vec<String> = numbers.iter().filter(leaves_afar).map(ToString::to_string).collect();
        if lost.is_empty() {
            continue;
        }
        let others = match alike.count() - 1 {
            0 => String::new(),
            more => format!(" (and {more} more of its search space and local route groups)"),
        };
        let message = format!(
            "an emergency call of \"{}\"{others} leaves by the last resort alone, wherever the phone stands: {}",
            device.name.value,
            lost.join(", ")
        );
        let fix = "Map the local route groups of its device pool to the gateways beside it (P-21).";
        report.warning_of(&device.name.place, alike, message, fix);
    }
}

/// Numbers of phones in different device pools: a call that says its number and not its device is taken for the first one's.
pub(super) fn shared_lines(document: &Document, routing: &Routing<'_>, report: &Report) {
    let mut first: AHashMap<&str, &Device> = AHashMap::new();
    let mut places: AHashMap<(&str, &str), usize> = AHashMap::new();
    let mut found: Vec<(&str, &Device, &Device, Devices)> = Vec::new();
    // Of a pool that is not there its own name's error says enough.
    let is_placed =
        |device: &&Device| device.device_pool.is_none() || routing.pool(device.device_pool.as_ref()).is_some();
    for device in document.devices.iter().filter(is_placed) {
        for number in &device.directory_numbers {
            let owner = *first.entry(number.as_str()).or_insert(device);
            let pools = (pool(owner), pool(device));
            if pools.0 == pools.1 {
                continue;
            }
            let place = *places.entry(pools).or_insert_with(|| {
                found.push((number.as_str(), owner, device, Devices::default()));
                found.len() - 1
            });
            if let Some((_, _, _, alike)) = found.get_mut(place) {
                alike.add(&device.name.value);
            }
        }
    }
    for (number, owner, device, alike) in found {
        let others = match alike.count() - 1 {
            0 => String::new(),
            more => format!(" ({more} more lines are shared so)"),
        };
        let message = format!(
            "\"{}\" in device pool {} has the number {number} of \"{}\" in {}{others}: a call that says the number alone, an \
             emergency call too, leaves at the site of \"{}\"",
            device.name.value,
            pool(device),
            owner.name.value,
            pool(owner),
            owner.name.value
        );
        let fix = "Have call control send the device mark (device_header), or give each its own number.";
        report.warning_of(&device.name.place, alike, message, fix);
    }
}

fn pool(device: &Device) -> &str {
    device.device_pool.as_ref().map(|pool| pool.value.as_str()).unwrap_or_default()
}
