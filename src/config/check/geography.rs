//! Places: what a roaming phone's device pool is chosen by (domain section 7).

use super::names::{Dangled, Names};
use crate::config::document::{Device, DevicePool, Document, Service};
use crate::config::plan::build::roaming_pools;
use crate::config::problem::Devices;
use crate::config::report::Report;
use crate::config::words::UNSPECIFIED;
use emcc_policies::device_pool::comparable;
use emcc_policies::location::Field;
use std::collections::{HashMap, HashSet};

pub(super) fn check(document: &Document, names: &Names<'_>, dangled: &Dangled<'_>, report: &Report) {
    location_bandwidth(document, report);
    let on = document.profile.emcc.as_ref().is_some_and(|flag| flag.value);
    let remote = document.remote_clusters.iter().find(|cluster| cluster.offers(Service::Emcc, &document.feature));
    let Some(remote) = remote.filter(|_| on) else { return };
    let is_unknown = |tables: &[&str]| dangled.is_slipped(tables);
    if !is_unknown(&["device", "device_pool", "feature"]) {
        visiting_phones(document, names, report);
    }
    if document.template_pool.is_none() && !is_unknown(&["emcc_template"]) {
        let message = "there is no [emcc_template]: a visiting phone that matches no device pool gets none (G-8)";
        report.warning(&remote.id.place, message, "Write [emcc_template] with device_pool.");
    }
    if is_unknown(&["feature", "geolocation_filter", "geolocation", "device_pool"]) {
        return;
    }
    let Some(filter) = document.feature.geolocation_filter.as_ref() else {
        let message =
            "there is no feature.geolocation_filter: every visiting phone gets the template's device pool (G-8)";
        report.warning(&remote.id.place, message, "Write geolocation_filter in [feature].");
        return;
    };
    let Some(fields) = names.filters.get(filter.as_str()).map(|filter| &filter.fields) else { return };
    let mut seen: HashMap<Vec<Vec<u8>>, &str> = HashMap::new();
    for pool in &document.device_pools {
        let filtered: Vec<_> = fields.iter().map(|field| field_of(pool, field.value, names)).collect();
        if filtered.iter().all(Vec::is_empty) {
            continue;
        }
        if let Some(other) = seen.insert(filtered, pool.name.as_str()) {
            let message =
                format!("device pools \"{other}\" and \"{}\" have one filtered geolocation (G-7)", pool.name.value);
            let fix =
                "Give them places that differ in a field of the filter; until then byte order of the names decides.";
            report.warning(&pool.name.place, message, fix);
        }
    }
    if seen.is_empty() && !dangled.is_of("geolocation") {
        let message =
            "no device pool has a place the filter could match: every visiting phone gets the template's (G-7)";
        report.warning(&filter.place, message, "Give a device pool a geolocation with a field of this filter.");
    }
}

/// Location bandwidth stops at a cluster's edge: no EMCC phone is admitted by it (V-1, domain table 4). It is refused
/// wherever such a phone is told to stand: at the phone a guest has, at that phone's device pool, at the pool in which the
/// phone of a user abroad is placed, and at the template's. A pool of phones of this cluster alone may have one.
fn location_bandwidth(document: &Document, report: &Report) {
    let fix = "Remove it; calls of EMCC phones are admitted by the link's RSVP bandwidth, link_audio_kbps.";
    let visited: HashSet<String> =
        document.sessions.iter().map(|session| session.device.value.to_ascii_lowercase()).collect();
    let mut pools: HashMap<&str, String> = HashMap::new();
    if let Some(template) = &document.template_pool {
        let message =
            format!("\"{}\" is the pool of EMCC phones: location bandwidth is not for them (table 4)", template.value);
        pools.insert(template.as_str(), message);
    }
    let located = document.device_pools.iter().filter(|row| row.location.is_some());
    let located: HashMap<&str, &DevicePool> = located.map(|row| (row.name.as_str(), row)).collect();
    let mut lands = |pool: &str, device: &str| {
        if let Some(row) = located.get(pool) {
            pools.entry(row.name.as_str()).or_insert_with(|| {
                format!(
                    "\"{device}\", which has an EMCC session, is in device pool \"{pool}\": location bandwidth is not for \
                     it (table 4)"
                )
            });
        }
    };
    for device in document.devices.iter().filter(|device| visited.contains(&device.name.value.to_ascii_lowercase())) {
        if let Some(location) = &device.location {
            let message =
                format!("\"{}\" has an EMCC session: location bandwidth is not for it (table 4)", device.name.value);
            report.error(&location.place, message, fix);
        }
        device.device_pool.iter().for_each(|pool| lands(pool.as_str(), &device.name.value));
    }
    for (session, pool) in document.sessions.iter().zip(roaming_pools(document)) {
        let pool = pool.and_then(|id| document.device_pools.get(id.0 as usize));
        if let Some(pool) = pool.filter(|_| session.visiting_cluster.is_some()) {
            lands(pool.name.as_str(), &session.device.value);
        }
    }
    for pool in &document.device_pools {
        if let (Some(location), Some(message)) = (&pool.location, pools.get(pool.name.as_str())) {
            report.error(&location.place, message.as_str(), fix);
        }
    }
}

fn field_of(pool: &DevicePool, field: Field, names: &Names<'_>) -> Vec<u8> {
    let place = pool.geolocation.as_ref().and_then(|name| names.geolocations.get(name.as_str()));
    place.and_then(|place| place.location.get(field)).map(comparable).unwrap_or_default()
}

/// A phone that others may log in on needs a place of its own or of its pool (G-5). Those of one pool are told of together.
fn visiting_phones(document: &Document, names: &Names<'_>, report: &Report) {
    let default = document.feature.default_geolocation.as_ref();
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut found: Vec<(&Device, Devices)> = Vec::new();
    for device in &document.devices {
        let pool = device.device_pool.as_ref().and_then(|name| names.device_pools.get(name.as_str()));
        let chosen = device.geolocation.as_ref().or(pool.and_then(|pool| pool.geolocation.as_ref())).or(default);
        // Of a pool that is not there its own name's error says enough.
        let Some(pool) = pool.filter(|_| chosen.is_none_or(|name| name.value == UNSPECIFIED)) else { continue };
        let place = *places.entry(pool.name.as_str()).or_insert_with(|| {
            found.push((device, Devices::default()));
            found.len() - 1
        });
        if let Some((_, alike)) = found.get_mut(place) {
            alike.add(&device.name.value);
        }
    }
    for (device, alike) in found {
        let (others, has) = match alike.count() - 1 {
            0 => (String::new(), "has"),
            more => (format!(" (and {more} more of its device pool)"), "have"),
        };
        let message =
            format!("device \"{}\"{others} {has} no geolocation, its own or its pool's (G-5)", device.name.value);
        let fix = "Write geolocation at the device or at its device pool.";
        report.warning_of(&device.name.place, alike, message, fix);
    }
}
