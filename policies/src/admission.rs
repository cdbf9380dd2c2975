//! The ledger of one link towards a remote cluster: who holds how much of it (V-1 to V-21).
//!
//! A link has two pools, audio and video, and each is counted in each direction; a bidirectional stream counts its rate
//! once in each (V-20). The audio pool carries audio with IP, UDP and RTP overhead; the video pool carries video payload
//! without headers. The audio part of a video call is taken from the audio pool, not from the video pool, so that video
//! calls can never talk themselves past what audio may use (V-21 allows either).
//!
//! The ledger has no lock and no clock inside: whoever shares it guards it. What a call holds is a [`Held`], which can
//! be given back once; [`Link::release_all`] makes every outstanding one worthless at once.

use std::fmt;

/// RSVP policy between two locations (V-9). Its factory value is [`RsvpPolicy::None`] (V-8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RsvpPolicy {
    /// Nothing is reserved, every call goes on.
    #[default]
    None,
    /// A call without room goes on as best effort, audio only; video without room is dropped.
    OptionalVideoDesired,
    /// Audio and video both have room or the call is refused.
    Mandatory,
    /// Audio has room or the call is refused; video without room is dropped.
    MandatoryVideoDesired,
}

impl RsvpPolicy {
    /// Every policy, in the order of V-9.
    pub const ALL: [Self; 4] = [Self::None, Self::OptionalVideoDesired, Self::Mandatory, Self::MandatoryVideoDesired];

    /// The policy spelled `name` in the configuration; `None` for anything else.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.name() == name)
    }

    /// The configuration's spelling.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::OptionalVideoDesired => "optional-video-desired",
            Self::Mandatory => "mandatory",
            Self::MandatoryVideoDesired => "mandatory-video-desired",
        }
    }
}

/// What a medium needs in each direction, in kbps. Outward is towards the remote cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    /// Towards the remote cluster.
    pub outward_kbps: u32,
    /// From the remote cluster.
    pub inward_kbps: u32,
}

impl Rate {
    /// The rate of a stream that is sent and received.
    #[must_use]
    pub const fn both(kbps: u32) -> Self {
        Self { outward_kbps: kbps, inward_kbps: kbps }
    }

    const fn is_zero(self) -> bool {
        self.outward_kbps == 0 && self.inward_kbps == 0
    }
}

/// What a call wants of a link. All zero holds nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// Audio with IP, UDP and RTP overhead, from the audio pool.
    pub audio: Rate,
    /// Video payload without headers, from the video pool; zero when the call has no video.
    pub video: Rate,
}

impl Ask {
    /// An audio call of the same rate in both directions.
    #[must_use]
    pub const fn audio(kbps: u32) -> Self {
        Self { audio: Rate::both(kbps), video: Rate::both(0) }
    }

    const fn cells(self) -> [u32; CELLS.len()] {
        [self.audio.outward_kbps, self.audio.inward_kbps, self.video.outward_kbps, self.video.inward_kbps]
    }

    const fn of_cells(cells: [u32; CELLS.len()]) -> Self {
        let [audio_outward, audio_inward, video_outward, video_inward] = cells;
        Self {
            audio: Rate { outward_kbps: audio_outward, inward_kbps: audio_inward },
            video: Rate { outward_kbps: video_outward, inward_kbps: video_inward },
        }
    }
}

/// One of a link's two budgets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pool {
    /// Audio, headers included.
    Audio,
    /// Video, payload only.
    Video,
}

/// Which way media flows on the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Towards the remote cluster.
    Outward,
    /// From the remote cluster.
    Inward,
}

/// The order in which the books are kept and in which a shortage is looked for.
const CELLS: [(Pool, Direction); 4] = [
    (Pool::Audio, Direction::Outward),
    (Pool::Audio, Direction::Inward),
    (Pool::Video, Direction::Outward),
    (Pool::Video, Direction::Inward),
];

/// What a link carries, in kbps per direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capacity {
    /// `None` has no limit, 0 is for emergencies only.
    pub audio_kbps: Option<u32>,
    /// `None` has no limit, 0 is for emergencies only.
    pub video_kbps: Option<u32>,
}

impl Capacity {
    const fn of(self, pool: Pool) -> Option<u32> {
        match pool {
            Pool::Audio => self.audio_kbps,
            Pool::Video => self.video_kbps,
        }
    }
}

/// A pool that has less than was asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkFull {
    /// What was asked of the pool on top of what the call already held there.
    pub asked_kbps: u32,
    /// What the pool had left in that direction.
    pub free_kbps: u32,
    /// The pool that was short.
    pub pool: Pool,
    /// The direction that was short.
    pub direction: Direction,
}

impl fmt::Display for LinkFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pool = match self.pool {
            Pool::Audio => "audio",
            Pool::Video => "video",
        };
        let direction = match self.direction {
            Direction::Outward => "outward",
            Direction::Inward => "inward",
        };
        write!(f, "{pool} pool {direction}: {} kbps asked, {} kbps free", self.asked_kbps, self.free_kbps)
    }
}

impl std::error::Error for LinkFull {}

/// What becomes of a call's video.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Video {
    /// The video goes on: booked, or under a policy that books nothing.
    Admitted,
    /// The call goes on without its video.
    Refused,
    /// The call has no video.
    NotAsked,
}

impl Video {
    const fn going_on(ask: Ask) -> Self {
        if ask.video.is_zero() { Self::NotAsked } else { Self::Admitted }
    }

    const fn dropped(ask: Ask) -> Self {
        if ask.video.is_zero() { Self::NotAsked } else { Self::Refused }
    }
}

/// What one call holds of one link. It cannot be copied, and [`Link::release`] takes it away: what it holds is given
/// back once, or not at all when [`Link::release_all`] came first.
#[must_use = "what a call holds must be given back with Link::release"]
#[derive(Debug, PartialEq, Eq)]
pub struct Held {
    cells: [u32; CELLS.len()],
    link: u32,
    epoch: u32,
    policy: RsvpPolicy,
    emergency: bool,
}

/// A holding lives in every call row.
const _: () = assert!(size_of::<Held>() <= 40);

impl Held {
    /// Whether `link` still counts this holding: false after [`Link::release_all`], and for another link.
    #[must_use]
    pub const fn is_current(&self, link: &Link) -> bool {
        self.link == link.number && self.epoch == link.epoch
    }

    /// What `link` counts for this call now; all zero for best effort and after [`Link::release_all`].
    #[must_use]
    pub const fn booked(&self, link: &Link) -> Ask {
        Ask::of_cells(self.counted(link))
    }

    const fn counted(&self, link: &Link) -> [u32; CELLS.len()] {
        if self.is_current(link) { self.cells } else { [0; CELLS.len()] }
    }
}

/// An admitted call.
#[derive(Debug, PartialEq, Eq)]
pub struct Grant {
    /// What the call holds; nothing for best effort and under [`RsvpPolicy::None`], but to be kept all the same: a
    /// later [`Link::retry`] or [`Link::adjust`] fills it.
    pub held: Held,
    /// What becomes of its video.
    pub video: Video,
    /// False: the audio goes on as best effort (V-12 says how it is marked).
    pub audio_reserved: bool,
    /// How far an emergency went beyond what was free, the largest of the pools and directions; 0 for other calls.
    pub over_limit_kbps: u32,
}

/// What [`Link::release_all`] took back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Released {
    /// Calls that held something.
    pub calls: u32,
    /// Sum over both pools and both directions.
    pub kbps: u64,
}

/// The books of one link. Every operation is O(1) and allocates nothing.
#[derive(Debug)]
pub struct Link {
    number: u32,
    epoch: u32,
    capacity: Capacity,
    used: [u64; CELLS.len()],
    holders: u32,
    emergencies_over_limit: u64,
}

impl Link {
    /// An empty link. `number` tells links apart for the life of the process: a holding of another link, or of one that
    /// was removed and made anew under another number, gives nothing back here.
    #[must_use]
    pub const fn new(number: u32, capacity: Capacity) -> Self {
        Self { number, epoch: 0, capacity, used: [0; CELLS.len()], holders: 0, emergencies_over_limit: 0 }
    }

    /// Books a new call under `policy` (table of section 9.2). An emergency is always admitted whole, above the limit
    /// if need be, and counted; under [`RsvpPolicy::None`] it too books nothing.
    ///
    /// # Errors
    /// The first pool and direction without room, under a mandatory policy.
    pub fn reserve(&mut self, policy: RsvpPolicy, ask: Ask, emergency: bool) -> Result<Grant, LinkFull> {
        let mut held = Held { cells: [0; CELLS.len()], link: self.number, epoch: self.epoch, policy, emergency };
        if policy == RsvpPolicy::None {
            return Ok(Grant { held, video: Video::going_on(ask), audio_reserved: false, over_limit_kbps: 0 });
        }
        match self.fitting(&held, ask) {
            Ok((fitting, video)) => {
                let over_limit_kbps = self.book(&mut held, fitting);
                Ok(Grant { held, video, audio_reserved: true, over_limit_kbps })
            }
            Err(_) if policy == RsvpPolicy::OptionalVideoDesired => {
                Ok(Grant { held, video: Video::dropped(ask), audio_reserved: false, over_limit_kbps: 0 })
            }
            Err(full) => Err(full),
        }
    }

    /// Changes what a call holds: after the answer, on a re-INVITE, when the first worst-case reservation shrinks to
    /// the negotiated frame (V-18). Less is always granted; more, all of it or nothing; an emergency, always. A call
    /// that holds nothing by policy or since [`Link::release_all`] goes on holding nothing.
    ///
    /// # Errors
    /// The first pool and direction without room for the increase; what was held is still held.
    pub fn adjust(&mut self, held: &mut Held, to: Ask) -> Result<(), LinkFull> {
        if held.policy == RsvpPolicy::None || !held.is_current(self) {
            return Ok(());
        }
        if !held.emergency {
            self.shortage(held, to).map_or(Ok(()), Err)?;
        }
        self.book(held, to);
        Ok(())
    }

    /// Books again for a call that lost its reservation to [`Link::release_all`] or never had one (V-10, V-11), under
    /// the policy it came with. Says what becomes of its video; the audio is reserved.
    ///
    /// # Errors
    /// The first pool and direction without room; what was held is unchanged, and whether the call goes on as best
    /// effort is the caller's to decide (V-11).
    pub fn retry(&mut self, held: &mut Held, ask: Ask) -> Result<Video, LinkFull> {
        if held.policy == RsvpPolicy::None {
            return Ok(Video::going_on(ask));
        }
        let (fitting, video) = self.fitting(held, ask)?;
        self.book(held, fitting);
        Ok(video)
    }

    /// Gives back what a call holds, once: false when there was nothing to give back.
    pub fn release(&mut self, mut held: Held) -> bool {
        let gives_back = held.counted(self) != [0; CELLS.len()];
        if gives_back {
            self.book(&mut held, Ask::default());
        }
        gives_back
    }

    /// Takes everything back from everyone, as when the remote cluster has been silent for two intervals (V-4). Every
    /// outstanding [`Held`] is worthless from here on, until [`Link::retry`] fills it again.
    pub fn release_all(&mut self) -> Released {
        let released = Released { calls: self.holders, kbps: self.used.iter().sum() };
        self.used = [0; CELLS.len()];
        self.holders = 0;
        // Wrapping would take four thousand million silences.
        self.epoch = self.epoch.wrapping_add(1);
        released
    }

    /// A new capacity, as on reload. Nobody loses what they hold: a link that shrinks below its use drains.
    pub const fn set_capacity(&mut self, capacity: Capacity) {
        self.capacity = capacity;
    }

    /// What the link carries.
    #[must_use]
    pub const fn capacity(&self) -> Capacity {
        self.capacity
    }

    /// What is booked, in kbps. Above the capacity only by emergencies or after the capacity was lowered.
    #[must_use]
    pub const fn used_kbps(&self, pool: Pool, direction: Direction) -> u64 {
        self.used[cell_of(pool, direction)]
    }

    /// What is left, in kbps; `None` when the pool has no limit.
    #[must_use]
    pub fn free_kbps(&self, pool: Pool, direction: Direction) -> Option<u32> {
        let used = u32::try_from(self.used_kbps(pool, direction)).unwrap_or(u32::MAX);
        self.capacity.of(pool).map(|capacity| capacity.saturating_sub(used))
    }

    /// Calls that hold something. While there is one, keepalives are exchanged (V-4).
    #[must_use]
    pub const fn holders(&self) -> u32 {
        self.holders
    }

    /// Bookings of emergencies that went beyond what was free, since this link was made.
    #[must_use]
    pub const fn emergencies_over_limit(&self) -> u64 {
        self.emergencies_over_limit
    }

    /// The part of `ask` this call may book and what becomes of its video, by the call's policy.
    fn fitting(&self, held: &Held, ask: Ask) -> Result<(Ask, Video), LinkFull> {
        if held.emergency {
            return Ok((ask, Video::going_on(ask)));
        }
        match self.shortage(held, ask) {
            None => Ok((ask, Video::going_on(ask))),
            Some(full) if full.pool == Pool::Audio || held.policy == RsvpPolicy::Mandatory => Err(full),
            Some(_) => Ok((Ask { video: Rate::default(), ..ask }, Video::Refused)),
        }
    }

    /// The first cell, audio before video, without room for what `ask` adds to what is held.
    fn shortage(&self, held: &Held, ask: Ask) -> Option<LinkFull> {
        let had = held.counted(self);
        CELLS.iter().zip(ask.cells().into_iter().zip(had)).find_map(|(&(pool, direction), (wanted, had))| {
            let asked_kbps = wanted.saturating_sub(had);
            let free_kbps = self.free_kbps(pool, direction)?;
            (asked_kbps > free_kbps).then_some(LinkFull { asked_kbps, free_kbps, pool, direction })
        })
    }

    /// Writes `ask` in place of what is held, whatever the limits, and returns how far that goes beyond them.
    fn book(&mut self, held: &mut Held, ask: Ask) -> u32 {
        let (had, wanted) = (held.counted(self), ask.cells());
        let mut over_limit_kbps = 0;
        for (&(pool, direction), (wanted, had)) in CELLS.iter().zip(wanted.into_iter().zip(had)) {
            let free = self.free_kbps(pool, direction).unwrap_or(u32::MAX);
            over_limit_kbps = over_limit_kbps.max(wanted.saturating_sub(had).saturating_sub(free));
            let used = &mut self.used[cell_of(pool, direction)];
            *used = used.saturating_sub(u64::from(had)).saturating_add(u64::from(wanted));
        }
        let (was_holder, is_holder) = (had != [0; CELLS.len()], wanted != [0; CELLS.len()]);
        self.holders = self.holders.saturating_sub(u32::from(was_holder)).saturating_add(u32::from(is_holder));
        self.emergencies_over_limit += u64::from(over_limit_kbps > 0);
        held.cells = wanted;
        held.link = self.number;
        held.epoch = self.epoch;
        over_limit_kbps
    }
}

const fn cell_of(pool: Pool, direction: Direction) -> usize {
    match (pool, direction) {
        (Pool::Audio, Direction::Outward) => 0,
        (Pool::Audio, Direction::Inward) => 1,
        (Pool::Video, Direction::Outward) => 2,
        (Pool::Video, Direction::Inward) => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(audio_kbps: u32, video_kbps: u32) -> Link {
        Link::new(1, Capacity { audio_kbps: Some(audio_kbps), video_kbps: Some(video_kbps) })
    }

    fn video_call(audio_kbps: u32, video_kbps: u32) -> Ask {
        Ask { audio: Rate::both(audio_kbps), video: Rate::both(video_kbps) }
    }

    fn used(link: &Link) -> [u64; 4] {
        CELLS.map(|(pool, direction)| link.used_kbps(pool, direction))
    }

    #[test]
    fn a_policy_is_spelled_as_in_the_configuration_and_defaults_to_none() {
        for (name, want) in [
            ("none", Some(RsvpPolicy::None)),
            ("optional-video-desired", Some(RsvpPolicy::OptionalVideoDesired)),
            ("mandatory", Some(RsvpPolicy::Mandatory)),
            ("mandatory-video-desired", Some(RsvpPolicy::MandatoryVideoDesired)),
            ("Mandatory", None),
            ("optional", None),
            ("", None),
        ] {
            assert_eq!(RsvpPolicy::parse(name), want, "{name}");
        }
        assert!(RsvpPolicy::ALL.into_iter().all(|policy| RsvpPolicy::parse(policy.name()) == Some(policy)));
        assert_eq!(RsvpPolicy::default(), RsvpPolicy::None);
    }

    /// (audio reserved, video, used audio, used video); `None` is a refusal.
    type Outcome = Option<(bool, Video, u64, u64)>;

    #[test]
    fn each_policy_answers_a_shortage_as_section_9_2_has_it() {
        use RsvpPolicy::{Mandatory, MandatoryVideoDesired, None as No, OptionalVideoDesired};
        use Video::{Admitted, NotAsked, Refused};
        let rows: [(RsvpPolicy, u32, u32, u32, Outcome); 20] = [
            // policy, audio capacity, video capacity, video asked; audio asked is 80
            (No, 80, 300, 300, Some((false, Admitted, 0, 0))),
            (No, 0, 0, 300, Some((false, Admitted, 0, 0))),
            (No, 0, 0, 0, Some((false, NotAsked, 0, 0))),
            (OptionalVideoDesired, 80, 300, 300, Some((true, Admitted, 80, 300))),
            (OptionalVideoDesired, 80, 300, 0, Some((true, NotAsked, 80, 0))),
            (OptionalVideoDesired, 80, 299, 300, Some((true, Refused, 80, 0))),
            (OptionalVideoDesired, 79, 300, 300, Some((false, Refused, 0, 0))),
            (OptionalVideoDesired, 79, 300, 0, Some((false, NotAsked, 0, 0))),
            (OptionalVideoDesired, 0, 0, 300, Some((false, Refused, 0, 0))),
            (Mandatory, 80, 300, 300, Some((true, Admitted, 80, 300))),
            (Mandatory, 80, 0, 0, Some((true, NotAsked, 80, 0))),
            (Mandatory, 80, 299, 300, None),
            (Mandatory, 79, 300, 300, None),
            (Mandatory, 79, 300, 0, None),
            (MandatoryVideoDesired, 80, 300, 300, Some((true, Admitted, 80, 300))),
            (MandatoryVideoDesired, 80, 0, 0, Some((true, NotAsked, 80, 0))),
            (MandatoryVideoDesired, 80, 299, 300, Some((true, Refused, 80, 0))),
            (MandatoryVideoDesired, 79, 300, 300, None),
            (MandatoryVideoDesired, 79, 300, 0, None),
            (MandatoryVideoDesired, 0, 0, 300, None),
        ];
        for (policy, audio, video, video_asked, want) in rows {
            let mut link = link(audio, video);
            let got = link.reserve(policy, video_call(80, video_asked), false).ok();
            let got = got.map(|g| {
                let used = used(&link);
                assert_eq!((used[0], used[2]), (used[1], used[3]), "both directions");
                (g.audio_reserved, g.video, used[0], used[2])
            });
            assert_eq!(got, want, "{policy:?} audio {audio} video {video}/{video_asked}");
            if want.is_none() {
                assert_eq!((used(&link), link.holders()), ([0; 4], 0), "a refusal books nothing");
            }
        }
    }

    #[test]
    fn a_refusal_names_the_pool_the_direction_and_what_was_free() {
        let mut link = link(100, 300);
        let first = Ask { audio: Rate { outward_kbps: 10, inward_kbps: 70 }, video: Rate::both(0) };
        let _held = link.reserve(RsvpPolicy::Mandatory, first, false).unwrap();
        let full = link.reserve(RsvpPolicy::Mandatory, Ask::audio(40), false).unwrap_err();
        assert_eq!(full, LinkFull { asked_kbps: 40, free_kbps: 30, pool: Pool::Audio, direction: Direction::Inward });
        assert_eq!(full.to_string(), "audio pool inward: 40 kbps asked, 30 kbps free");
        let full = link.reserve(RsvpPolicy::Mandatory, video_call(24, 301), false).unwrap_err();
        assert_eq!(full.to_string(), "video pool outward: 301 kbps asked, 300 kbps free");
    }

    #[test]
    fn a_pool_without_a_limit_never_fills() {
        let mut link = Link::new(1, Capacity::default());
        for _ in 0..3 {
            let grant = link.reserve(RsvpPolicy::Mandatory, video_call(u32::MAX, u32::MAX), false).unwrap();
            assert_eq!((grant.video, grant.over_limit_kbps), (Video::Admitted, 0));
        }
        assert_eq!(link.free_kbps(Pool::Audio, Direction::Outward), None);
        assert_eq!(link.used_kbps(Pool::Audio, Direction::Outward), 3 * u64::from(u32::MAX));
    }

    #[test]
    fn a_link_of_zero_carries_emergencies_only() {
        let mut link = link(0, 0);
        assert!(link.reserve(RsvpPolicy::Mandatory, Ask::audio(24), false).is_err());
        let grant = link.reserve(RsvpPolicy::Mandatory, Ask::audio(24), true).unwrap();
        assert_eq!((grant.audio_reserved, grant.over_limit_kbps), (true, 24));
        assert_eq!(used(&link), [24, 24, 0, 0]);
    }

    #[test]
    fn an_emergency_is_booked_above_the_limit_and_counted() {
        for policy in RsvpPolicy::ALL.into_iter().skip(1) {
            let mut link = link(100, 100);
            let ordinary = link.reserve(policy, Ask::audio(80), false).unwrap();
            let grant = link.reserve(policy, video_call(80, 150), true).unwrap();
            assert_eq!((grant.video, grant.audio_reserved, grant.over_limit_kbps), (Video::Admitted, true, 60));
            assert_eq!((used(&link), link.emergencies_over_limit()), ([160, 160, 150, 150], 1));
            assert_eq!(link.free_kbps(Pool::Audio, Direction::Outward), Some(0), "others wait until it drains");
            let mut held = grant.held;
            assert_eq!(link.adjust(&mut held, video_call(90, 150)), Ok(()), "an emergency grows whatever is free");
            assert_eq!(link.emergencies_over_limit(), 2);
            assert!(link.release(held));
            assert!(link.release(ordinary.held));
            assert_eq!((used(&link), link.holders()), ([0; 4], 0));
        }
    }

    #[test]
    fn an_emergency_within_the_limit_is_not_counted_above_it() {
        let mut link = link(100, 0);
        let grant = link.reserve(RsvpPolicy::Mandatory, Ask::audio(100), true).unwrap();
        assert_eq!((grant.over_limit_kbps, link.emergencies_over_limit()), (0, 0));
    }

    #[test]
    fn less_is_always_granted_and_more_is_all_or_nothing() {
        let mut link = link(100, 300);
        let mut held = link.reserve(RsvpPolicy::Mandatory, video_call(80, 200), false).unwrap().held;
        let full = link.adjust(&mut held, video_call(90, 301)).unwrap_err();
        assert_eq!((full.pool, full.asked_kbps, full.free_kbps), (Pool::Video, 101, 100));
        assert_eq!(used(&link), [80, 80, 200, 200], "the audio did not grow alone");
        assert_eq!(link.adjust(&mut held, video_call(100, 300)), Ok(()));
        link.set_capacity(Capacity { audio_kbps: Some(10), video_kbps: Some(10) });
        assert_eq!(link.adjust(&mut held, video_call(99, 300)), Ok(()), "less, though still above the new capacity");
        assert_eq!(used(&link), [99, 99, 300, 300]);
        assert_eq!(link.adjust(&mut held, Ask::default()), Ok(()));
        assert_eq!((used(&link), link.holders()), ([0; 4], 0), "a call that holds nothing is no holder");
        assert!(!link.release(held));
    }

    #[test]
    fn nothing_is_ever_booked_under_no_reservation() {
        let mut link = link(100, 100);
        for emergency in [false, true] {
            let mut held = link.reserve(RsvpPolicy::None, Ask::audio(80), emergency).unwrap().held;
            assert_eq!(link.adjust(&mut held, Ask::audio(10)), Ok(()));
            assert_eq!(link.retry(&mut held, video_call(10, 20)), Ok(Video::Admitted));
            assert_eq!((used(&link), link.holders()), ([0; 4], 0));
            assert!(!link.release(held));
        }
    }
}
