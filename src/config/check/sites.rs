//! Callers whose place their number does not tell (P-21, P-23).

use crate::config::document::{Device, Document};
use crate::config::plan::build::Routing;
use crate::config::problem::Devices;
use crate::config::report::Report;
use ahash::AHashMap;

/// Numbers of phones in different device pools: a call that says its number and not its device is taken for the first one's.
pub(super) fn check(document: &Document, routing: &Routing<'_>, report: &Report) {
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
