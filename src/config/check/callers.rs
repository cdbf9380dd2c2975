//! The search spaces a dial plan is looked at in: those calls begin with, and every other.

use crate::config::document::Document;
use crate::config::plan::dial_plan::Dialing;
use emcc_policies::search_space::{SearchSpace, of_emcc_phone, of_phone};
use std::collections::{HashMap, HashSet};

/// Different search spaces that are looked at; a cluster has tens.
const SPACES_MAX: usize = 4_096;

/// Search spaces.
pub(super) struct Spaces {
    /// Those calls begin with, each once.
    pub(super) callers: Vec<SearchSpace>,
    /// Every one alone, those calls begin with, and that of nothing.
    pub(super) all: Vec<SearchSpace>,
}

impl Spaces {
    pub(super) fn of(document: &Document, dialing: &Dialing<'_>) -> Self {
        let callers = begun(document, dialing);
        let single = dialing.plan.search_spaces().map(|css| SearchSpace::from_slice(&[css]));
        let all = single.chain(callers.iter().cloned()).chain([SearchSpace::new()]).collect();
        Self { callers, all }
    }
}

/// The search spaces calls begin with, each once.
fn begun(document: &Document, dialing: &Dialing<'_>) -> Vec<SearchSpace> {
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    let mut add = |space: SearchSpace| {
        if found.len() < SPACES_MAX && !space.is_empty() && seen.insert(space.clone()) {
            found.push(space);
        }
    };
    for trunk in document.emcc_trunk.iter().chain(&document.rsvp_trunk) {
        add(dialing.css(trunk.css.as_ref()).into_iter().collect());
    }
    let mut lines = HashMap::new();
    for user in &document.users {
        if let Some(number) = &user.directory_number {
            lines.entry(number.as_str()).or_insert(dialing.css(user.line_css.as_ref()));
        }
    }
    for device in &document.devices {
        let css = dialing.css(device.css.as_ref());
        let line = device.directory_numbers.first().and_then(|number| lines.get(number.as_str()).copied().flatten());
        add(of_phone(line, css));
    }
    let roaming = document.device_pools.iter().filter(|pool| {
        pool.geolocation.is_some() || document.template_pool.as_ref().is_some_and(|name| name.value == pool.name.value)
    });
    let adjuncts: HashSet<_> = roaming.map(|pool| dialing.css(pool.adjunct_css.as_ref())).collect();
    let mut adjuncts: Vec<_> = adjuncts.into_iter().collect();
    adjuncts.sort_unstable();
    let roaming = document.users.iter().filter(|user| user.emcc_enabled);
    let mut profiles = HashSet::new();
    for user in roaming {
        let profile = (dialing.css(user.line_css.as_ref()), dialing.css(user.emcc_css.as_ref()));
        if profiles.len() < SPACES_MAX && profiles.insert(profile) {
            adjuncts.iter().take(SPACES_MAX).for_each(|adjunct| add(of_emcc_phone(*adjunct, profile.0, profile.1)));
        }
    }
    found
}
