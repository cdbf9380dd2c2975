//! The search spaces a dial plan is looked at in: those calls begin with, and every other.

use crate::config::document::{Device, Document, User};
use crate::config::plan::build::roaming_pools;
use crate::config::plan::dial_plan::Dialing;
use crate::config::report::Place;
use ahash::{AHashMap, AHashSet};
use emcc_policies::pstn_access::PstnAccessCss;
use emcc_policies::route::DevicePoolId;
use emcc_policies::search_space::{CssId, SearchSpace, of_emcc_phone, of_phone};

/// Different search spaces that are looked at; a cluster has tens.
const SPACES_MAX: usize = 4_096;

/// Search spaces.
pub(super) struct Spaces<'d> {
    /// Those calls begin with, each once; that of nothing among them where somebody has no other.
    pub(super) callers: Vec<SearchSpace>,
    /// Every one alone, those calls begin with, and that of nothing.
    pub(super) all: Vec<SearchSpace>,
    /// Whose calls begin with that of nothing.
    pub(super) bare: Option<Bare<'d>>,
}

/// Whose calls begin with no search space at all.
pub(super) struct Bare<'d> {
    /// The first of them.
    pub(super) who: String,
    pub(super) place: &'d Place,
    /// How many more there are.
    pub(super) more: usize,
}

impl<'d> Spaces<'d> {
    pub(super) fn of(document: &'d Document, dialing: &Dialing<'_>) -> Self {
        let Begun { found: callers, bare, .. } = begun(document, dialing);
        let single = dialing.plan.search_spaces().map(|css| SearchSpace::from_slice(&[css]));
        let all = single.chain(callers.iter().cloned()).chain([SearchSpace::new()]).collect();
        Self { callers, all, bare }
    }
}

/// The line CSS of each number that a user has: of two users with one number, the first's. Nothing of one that names a CSS
/// which is not there.
pub(super) type Lines<'d> = AHashMap<&'d str, Option<Option<CssId>>>;

pub(super) fn lines<'d>(document: &'d Document, dialing: &Dialing<'_>) -> Lines<'d> {
    let mut lines = AHashMap::new();
    for user in &document.users {
        if let Some(number) = &user.directory_number {
            lines.entry(number.as_str()).or_insert(dialing.css_if_there(user.line_css.as_ref()));
        }
    }
    lines
}

/// The search spaces of a device's calls, each once: a call of one of its numbers has that line's, one that says no
/// number the first's (D-5). Nothing where one of its CSS is not there: that error says enough.
pub(super) fn of_device(device: &Device, lines: &Lines<'_>, dialing: &Dialing<'_>) -> Option<Vec<SearchSpace>> {
    let css = dialing.css_if_there(device.css.as_ref())?;
    let mut found: Vec<SearchSpace> = Vec::new();
    let mut numbers =
        device.directory_numbers.iter().map(|number| lines.get(number.as_str()).copied().unwrap_or(Some(None)));
    let first = numbers.next().unwrap_or(Some(None));
    for line in std::iter::once(first).chain(numbers) {
        let space = of_phone(line?, css);
        if !found.contains(&space) {
            found.push(space);
        }
    }
    Some(found)
}

/// Where users can call from.
struct Whereabouts<'d> {
    /// The numbers that devices have.
    on_devices: AHashSet<&'d str>,
    /// The roaming pools of who is logged in elsewhere, one a session.
    abroad: AHashMap<&'d str, Vec<Option<DevicePoolId>>>,
}

impl<'d> Whereabouts<'d> {
    fn of(document: &'d Document) -> Self {
        let numbers = document.devices.iter().flat_map(|device| &device.directory_numbers);
        let on_devices = numbers.map(|number| number.as_str()).collect();
        let mut abroad: AHashMap<_, Vec<_>> = AHashMap::new();
        for (session, pool) in document.sessions.iter().zip(roaming_pools(document)) {
            if let Some(user) = session.user.as_ref().filter(|_| session.visiting_cluster.is_some()) {
                abroad.entry(user.as_str()).or_default().push(pool);
            }
        }
        Self { on_devices, abroad }
    }

    /// The roaming pools of a user's sessions.
    fn sessions(&self, user: &User) -> &[Option<DevicePoolId>] {
        self.abroad.get(user.id.as_str()).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether a user has a number, which is on no device, and is logged in nowhere: whose calls have the line's search space.
    fn is_without_device(&self, user: &User) -> bool {
        let number = user.directory_number.as_ref().filter(|_| self.sessions(user).is_empty());
        number.is_some_and(|number| !self.on_devices.contains(number.as_str()))
    }
}

/// The users whose number is on no device and who are logged in nowhere: the search space of their calls, the first who has
/// it, and how many more there are; in the order written.
pub(super) fn without_device<'d>(document: &'d Document, dialing: &Dialing<'_>) -> Vec<(SearchSpace, &'d User, usize)> {
    let whereabouts = Whereabouts::of(document);
    let mut places: AHashMap<SearchSpace, usize> = AHashMap::new();
    let mut found: Vec<(SearchSpace, &User, usize)> = Vec::new();
    for user in document.users.iter().filter(|user| whereabouts.is_without_device(user)) {
        let Some(line) = dialing.css_if_there(user.line_css.as_ref()) else { continue };
        let space = of_phone(line, None);
        match places.get(&space).and_then(|place| found.get_mut(*place)) {
            Some((_, _, more)) => *more += 1,
            None => {
                places.insert(space.clone(), found.len());
                found.push((space, user, 0));
            }
        }
    }
    found
}

/// Search spaces while they are gathered.
struct Begun<'d> {
    found: Vec<SearchSpace>,
    seen: AHashSet<SearchSpace>,
    bare: Option<Bare<'d>>,
}

impl<'d> Begun<'d> {
    fn add(&mut self, space: SearchSpace) {
        if self.found.len() < SPACES_MAX && !self.seen.contains(&space) {
            self.seen.insert(space.clone());
            self.found.push(space);
        }
    }

    /// Adds those of one phone or user.
    fn of(&mut self, spaces: Vec<SearchSpace>, place: &'d Place, who: impl FnOnce() -> String) {
        if spaces.iter().any(|space| space.is_empty()) {
            match &mut self.bare {
                Some(bare) => bare.more += 1,
                None => self.bare = Some(Bare { who: who(), place, more: 0 }),
            }
        }
        spaces.into_iter().for_each(|space| self.add(space));
    }
}

/// The search spaces calls begin with, each once.
fn begun<'d>(document: &'d Document, dialing: &Dialing<'_>) -> Begun<'d> {
    let mut begun = Begun { found: Vec::new(), seen: AHashSet::new(), bare: None };
    let setting = document.feature.pstn_access_css.as_ref().map(|at| at.value).unwrap_or_default();
    for trunk in document.emcc_trunk.iter().chain(&document.rsvp_trunk) {
        // One without a CSS is there for emergency calls, which need none over the trunk.
        dialing.css(trunk.css.as_ref()).into_iter().for_each(|css| begun.add(SearchSpace::from_slice(&[css])));
    }
    let lines = lines(document, dialing);
    for device in &document.devices {
        let css = dialing.css(device.css.as_ref());
        let who = || format!("device \"{}\"", device.name.value);
        begun.of(of_device(device, &lines, dialing).unwrap_or_default(), &device.name.place, who);
        // A guest's call that comes over the trunk has the device's own alone (P-9).
        if let Some(css) = css.filter(|_| setting == PstnAccessCss::OriginalDevice && document.emcc_trunk.is_some()) {
            begun.add(SearchSpace::from_slice(&[css]));
        }
    }
    of_users(document, dialing, &mut begun);
    begun
}

/// Calls of users: of one who is logged in nowhere, and of those who are, or may be, abroad.
fn of_users<'d>(document: &'d Document, dialing: &Dialing<'_>, begun: &mut Begun<'d>) {
    if document.users.is_empty() {
        return;
    }
    let whereabouts = Whereabouts::of(document);
    let roaming = document.device_pools.iter().filter(|pool| {
        pool.geolocation.is_some() || document.template_pool.as_ref().is_some_and(|name| name.value == pool.name.value)
    });
    let adjuncts: AHashSet<_> = roaming.filter_map(|pool| dialing.css_if_there(pool.adjunct_css.as_ref())).collect();
    let mut adjuncts: Vec<_> = adjuncts.into_iter().collect();
    adjuncts.sort_unstable();
    adjuncts.truncate(SPACES_MAX);
    let mut profiles = AHashSet::new();
    for user in &document.users {
        let both = dialing.css_if_there(user.line_css.as_ref()).zip(dialing.css_if_there(user.emcc_css.as_ref()));
        // Of a CSS that is not there the error says enough.
        let Some((line, emcc)) = both else { continue };
        let mut spaces = Vec::new();
        if whereabouts.is_without_device(user) {
            spaces.push(of_phone(line, None));
        }
        // A session that stands goes on whatever the user may begin (L-22).
        for pool in whereabouts.sessions(user) {
            let pool = pool.and_then(|id| document.device_pools.get(id.0 as usize));
            let adjunct = pool.map_or(Some(None), |pool| dialing.css_if_there(pool.adjunct_css.as_ref()));
            spaces.extend(adjunct.map(|adjunct| of_emcc_phone(adjunct, line, emcc)));
        }
        let profile = (line, emcc);
        let is_bare = profile == (None, None);
        let is_new = !profiles.contains(&profile) && profiles.len() < SPACES_MAX;
        if user.emcc_enabled && (is_new || is_bare) {
            profiles.insert(profile);
            spaces.extend(adjuncts.iter().map(|adjunct| of_emcc_phone(*adjunct, line, emcc)));
        }
        begun.of(spaces, &user.id.place, || format!("user \"{}\"", user.id.value));
    }
}
