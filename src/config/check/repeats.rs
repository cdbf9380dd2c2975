//! What stands twice in one list. The second of the two changes nothing, and may have been meant for something else.

use crate::config::document::Document;
use crate::config::problem::Devices;
use crate::config::report::{At, Report};
use ahash::AHashSet;
use emcc_policies::digits::Digits;

const FIX: &str = "Remove the second one.";

pub(super) fn check(document: &Document, report: &Report) {
    let tell = |list: &mut dyn Iterator<Item = At<&str>>, what: &str| {
        for At { value, place } in repeated(list) {
            report.warning(&place, format!("\"{value}\" is already {what}"), FIX);
        }
    };
    let emergency = &document.emergency;
    tell(&mut emergency.last_resort.iter().map(named), "a gateway of the last resort");
    tell(&mut emergency.numbers.iter().map(dialed), "an emergency number");
    tell(&mut emergency.access_codes.iter().map(dialed), "an access code");
    for filter in &document.filters {
        let fields = filter.fields.iter().map(|at| At { value: at.value.name(), place: at.place.clone() });
        tell(&mut { fields }, "a field of this filter");
    }
    for space in &document.spaces {
        tell(&mut space.partitions.iter().map(named), "a partition of this search space");
    }
    for list in &document.route_lists {
        tell(&mut list.members.iter().map(named), "a member of this route list");
    }
    for group in &document.route_groups {
        tell(&mut group.peers.iter().map(named), "a peer of this route group");
    }
    numbers_of_devices(document, report);
}

/// Told of all devices together: such a list comes of a script.
fn numbers_of_devices(document: &Document, report: &Report) {
    let mut first = None;
    let mut alike = Devices::default();
    for device in document.devices.iter().filter(|device| device.directory_numbers.len() > 1) {
        let Some(number) = repeated(device.directory_numbers.iter().map(named)).next() else { continue };
        first.get_or_insert((number, device.name.as_str()));
        alike.add(&device.name.value);
    }
    if let Some((At { value: number, place }, device)) = first {
        let others = match alike.count() - 1 {
            0 => String::new(),
            1 => " (and 1 more device has a number twice)".to_owned(),
            more => format!(" (and {more} more devices have a number twice)"),
        };
        let message = format!("\"{number}\" is already a directory number of \"{device}\"{others}");
        report.warning_of(&place, alike, message, FIX);
    }
}

fn named(at: &At<String>) -> At<&str> {
    At { value: at.as_str(), place: at.place.clone() }
}

fn dialed(at: &At<Digits>) -> At<&str> {
    At { value: at.value.as_str(), place: at.place.clone() }
}

/// Those that stood before in the list.
fn repeated<'d>(list: impl Iterator<Item = At<&'d str>>) -> impl Iterator<Item = At<&'d str>> {
    let mut seen = AHashSet::new();
    list.filter(move |at| !seen.insert(at.value))
}
