//! Where callers are, which goes along with their calls (G-3, R-9).

use std::collections::HashMap;

use super::callers::Who;
use super::paired::Pair;
use super::terms::{Setting, Whose};
use crate::config::plan::{DeviceId, Plan};
use crate::engine::located::Place;

/// Adds every place that is another for callers both configurations have: devices, and phones abroad with our users on them.
pub(super) fn places(pair: &Pair<'_>, found: &mut Vec<Setting>) {
    let (now, next) = (pair.now.plan, pair.next.plan);
    let mut places = Places { found, known: HashMap::new() };
    for (id, device) in (0..).map(DeviceId).zip(now.devices.iter()) {
        let Some(other) = next.device_named(&device.name) else { continue };
        let both = [Place::of_device(now, id), Place::of_device(next, other)];
        places.compare(both, || Who::Device(device.name.clone()));
    }
    for session in now.sessions.iter() {
        let abroad = |plan: &Plan| plan.session_on(&session.device).filter(|id| plan.is_home(*id));
        let (Some(id), Some(other)) = (abroad(now), abroad(next)) else { continue };
        let both = [Place::of_session(now, id), Place::of_session(next, other)];
        places.compare(both, || Who::Abroad(session.device.clone()));
    }
}

/// Those found. Callers whose places change alike are told together.
struct Places<'f> {
    found: &'f mut Vec<Setting>,
    /// Where in `found` a change of place is.
    known: HashMap<[Option<String>; 2], usize>,
}

impl Places<'_> {
    fn compare(&mut self, both: [Option<Place<'_>>; 2], who: impl FnOnce() -> Who) {
        let both = both.map(|place| place.filter(Place::is_known).map(|place| place.location()));
        if both[0] == both[1] {
            return;
        }
        let both = both.map(|place| place.map(ToString::to_string));
        if let Some(setting) = self.known.get(&both).and_then(|at| self.found.get_mut(*at)) {
            if let Some(Whose::Callers { size, .. }) = setting.whose.first_mut() {
                *size += 1;
            }
            return;
        }
        self.known.insert(both.clone(), self.found.len());
        let [now, next] = both;
        self.found.push(Setting {
            name: "geolocation",
            now,
            next,
            whose: vec![Whose::Callers { example: who(), size: 1 }],
        });
    }
}
