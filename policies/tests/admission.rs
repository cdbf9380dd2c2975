//! The link ledger: what is lost and booked again, and its laws over any sequence of operations.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a failing test may panic anywhere

use emcc_policies::admission::{Ask, Capacity, Direction, Held, Link, Pool, Rate, Released, RsvpPolicy, Video};
use proptest::prelude::*;

/// Audio outward and inward, video outward and inward.
type Cells = [u32; 4];

const CELLS: [(Pool, Direction); 4] = [
    (Pool::Audio, Direction::Outward),
    (Pool::Audio, Direction::Inward),
    (Pool::Video, Direction::Outward),
    (Pool::Video, Direction::Inward),
];

fn ask([audio_outward, audio_inward, video_outward, video_inward]: Cells) -> Ask {
    let rate = |outward_kbps, inward_kbps| Rate { outward_kbps, inward_kbps };
    Ask { audio: rate(audio_outward, audio_inward), video: rate(video_outward, video_inward) }
}

fn booked(held: &Held, link: &Link) -> Cells {
    let Ask { audio, video } = held.booked(link);
    [audio.outward_kbps, audio.inward_kbps, video.outward_kbps, video.inward_kbps]
}

fn used(link: &Link) -> [u64; 4] {
    CELLS.map(|(pool, direction)| link.used_kbps(pool, direction))
}

fn link(audio_kbps: u32, video_kbps: u32) -> Link {
    Link::new(1, Capacity { audio_kbps: Some(audio_kbps), video_kbps: Some(video_kbps) })
}

fn video_call(audio_kbps: u32, video_kbps: u32) -> Ask {
    Ask { audio: Rate::both(audio_kbps), video: Rate::both(video_kbps) }
}

#[test]
fn after_release_all_a_holding_gives_nothing_back() {
    let mut link = link(1_000, 0);
    let old = link.reserve(RsvpPolicy::Mandatory, Ask::audio(80), false).unwrap().held;
    assert!(old.is_current(&link));
    assert_eq!(link.release_all(), Released { calls: 1, kbps: 160 });
    assert_eq!(link.release_all(), Released::default(), "exactly once");
    assert!(!old.is_current(&link));
    assert_eq!(old.booked(&link), Ask::default());
    let new = link.reserve(RsvpPolicy::Mandatory, Ask::audio(24), false).unwrap().held;
    assert!(!link.release(old));
    assert_eq!(used(&link), [24, 24, 0, 0], "the newcomer's booking stands");
    assert!(link.release(new));
}

#[test]
fn a_lost_holding_is_booked_again_when_there_is_room() {
    let mut link = link(100, 100);
    let mut lost = link.reserve(RsvpPolicy::MandatoryVideoDesired, video_call(80, 100), false).unwrap().held;
    link.release_all();
    assert_eq!(link.adjust(&mut lost, Ask::audio(24)), Ok(()));
    assert_eq!(used(&link), [0; 4], "adjusting does not bring back what was lost");
    let other = link.reserve(RsvpPolicy::Mandatory, video_call(80, 60), false).unwrap().held;
    let full = link.retry(&mut lost, video_call(80, 100)).unwrap_err();
    assert_eq!((full.asked_kbps, full.free_kbps), (80, 20));
    assert!(!lost.is_current(&link));
    assert!(link.release(other));
    let _other = link.reserve(RsvpPolicy::Mandatory, video_call(20, 60), false).unwrap();
    assert_eq!(link.retry(&mut lost, video_call(80, 100)), Ok(Video::Refused), "audio back, video not");
    assert!(lost.is_current(&link));
    assert_eq!((used(&link), link.holders()), ([100, 100, 60, 60], 2));
}

#[test]
fn a_best_effort_call_is_booked_on_a_later_try() {
    let mut link = link(80, 0);
    let first = link.reserve(RsvpPolicy::OptionalVideoDesired, Ask::audio(80), false).unwrap().held;
    let mut waiting = link.reserve(RsvpPolicy::OptionalVideoDesired, Ask::audio(80), false).unwrap();
    assert!(!waiting.audio_reserved);
    assert!(link.retry(&mut waiting.held, Ask::audio(80)).is_err());
    assert!(link.release(first));
    assert_eq!(link.retry(&mut waiting.held, Ask::audio(80)), Ok(Video::NotAsked));
    assert_eq!(link.retry(&mut waiting.held, Ask::audio(80)), Ok(Video::NotAsked), "asking twice books once");
    assert_eq!((used(&link), link.holders()), ([80, 80, 0, 0], 1));
}

#[test]
fn a_holding_of_another_link_gives_nothing_back() {
    let mut ours = link(100, 0);
    let mut theirs = Link::new(2, Capacity { audio_kbps: Some(100), video_kbps: None });
    let held = ours.reserve(RsvpPolicy::Mandatory, Ask::audio(80), false).unwrap().held;
    let _kept = theirs.reserve(RsvpPolicy::Mandatory, Ask::audio(80), false).unwrap();
    assert!(!theirs.release(held));
    assert_eq!(used(&theirs), [80, 80, 0, 0]);
}

/// Trap 18: G.729 asks 40 kbps first and 24 after the answer (V-18).
#[test]
fn the_first_request_is_bigger_than_the_call() {
    let mut narrow = link(24, 0);
    let full = narrow.reserve(RsvpPolicy::Mandatory, Ask::audio(40), false).unwrap_err();
    assert_eq!((full.asked_kbps, full.free_kbps), (40, 24));
    // n calls need (n - 1) normal rates and one worst case.
    let calls = 10;
    let mut planned = link((calls - 1) * 24 + 40, 0);
    for call in 0..calls {
        let grant = planned.reserve(RsvpPolicy::Mandatory, Ask::audio(40), false);
        let mut held = grant.unwrap_or_else(|full| panic!("call {call}: {full}")).held;
        assert_eq!(planned.adjust(&mut held, Ask::audio(24)), Ok(()), "call {call}");
    }
    assert_eq!(planned.used_kbps(Pool::Audio, Direction::Inward), 240);
    assert!(planned.reserve(RsvpPolicy::Mandatory, Ask::audio(40), false).is_err(), "the eleventh");
}

#[derive(Clone, Debug)]
enum Step {
    Reserve(usize, Cells, bool),
    Adjust(usize, Cells),
    Retry(usize, Cells),
    Release(usize),
    ReleaseAll,
    Capacity(Option<u32>, Option<u32>),
}

fn step(emergencies: bool, reloads: bool) -> impl Strategy<Value = Step> {
    let cells = || prop::array::uniform4(0u32..200);
    let kbps = || prop::option::weighted(0.9, 0u32..1_500);
    prop_oneof![
        6 => (0usize..4, cells(), any::<bool>()).prop_map(move |(p, c, e)| Step::Reserve(p, c, e && emergencies)),
        4 => (any::<usize>(), cells()).prop_map(|(n, c)| Step::Adjust(n, c)),
        2 => (any::<usize>(), cells()).prop_map(|(n, c)| Step::Retry(n, c)),
        4 => any::<usize>().prop_map(Step::Release),
        1 => Just(Step::ReleaseAll),
        1 => (kbps(), kbps()).prop_map(move |(audio, video)| {
            if reloads { Step::Capacity(audio, video) } else { Step::ReleaseAll }
        }),
    ]
}

fn take(link: &mut Link, calls: &mut Vec<Held>, step: Step) {
    let pick = |n: usize, calls: &[Held]| if calls.is_empty() { None } else { Some(n % calls.len()) };
    match step {
        Step::Reserve(policy, cells, emergency) => {
            let grant = link.reserve(RsvpPolicy::ALL[policy], ask(cells), emergency);
            assert!(grant.is_ok() || !emergency, "an emergency is never refused");
            calls.extend(grant.ok().map(|grant| grant.held));
        }
        Step::Adjust(n, cells) => {
            if let Some(n) = pick(n, calls) {
                let had = booked(&calls[n], link);
                let less = had.iter().zip(cells).all(|(had, to)| to <= *had);
                let done = link.adjust(&mut calls[n], ask(cells));
                assert!(done.is_ok() || !less, "less is always granted");
                assert!(done.is_ok() || booked(&calls[n], link) == had, "all or nothing");
            }
        }
        Step::Retry(n, cells) => {
            if let Some(n) = pick(n, calls) {
                let _ = link.retry(&mut calls[n], ask(cells));
            }
        }
        Step::Release(n) => {
            if let Some(n) = pick(n, calls) {
                let held = calls.swap_remove(n);
                let (had, before) = (booked(&held, link), used(link));
                assert_eq!(link.release(held), had != [0; 4]);
                let gone = before.iter().zip(used(link)).map(|(before, after)| before - after);
                assert!(gone.eq(had.into_iter().map(u64::from)), "what was held and no more");
            }
        }
        Step::ReleaseAll => {
            let before: u64 = used(link).iter().sum();
            assert_eq!(link.release_all().kbps, before);
            assert!(calls.iter().all(|held| !held.is_current(link)));
        }
        Step::Capacity(audio_kbps, video_kbps) => {
            let before = used(link);
            link.set_capacity(Capacity { audio_kbps, video_kbps });
            assert_eq!(used(link), before, "a reload keeps the books");
        }
    }
}

fn books_agree(link: &Link, calls: &[Held]) {
    let mut sum = [0u64; 4];
    let mut holders = 0;
    for held in calls {
        let kept = booked(held, link);
        holders += u32::from(kept != [0; 4]);
        sum.iter_mut().zip(kept).for_each(|(sum, kbps)| *sum += u64::from(kbps));
    }
    assert_eq!((used(link), link.holders()), (sum, holders));
}

proptest! {
    #[test]
    fn the_books_are_the_sum_of_what_is_held(
        steps in prop::collection::vec(step(true, true), 0..200), audio in 0u32..1_500, video in 0u32..1_500,
    ) {
        let (mut link, mut calls) = (link(audio, video), Vec::new());
        for step in steps {
            take(&mut link, &mut calls, step);
            books_agree(&link, &calls);
        }
        for held in calls {
            link.release(held);
        }
        prop_assert_eq!((used(&link), link.holders()), ([0; 4], 0));
    }

    #[test]
    fn without_emergencies_a_link_never_carries_more_than_it_has(
        steps in prop::collection::vec(step(false, false), 0..200), audio in 0u32..1_500, video in 0u32..1_500,
    ) {
        let (mut link, mut calls) = (link(audio, video), Vec::new());
        for step in steps {
            take(&mut link, &mut calls, step);
            for (pool, direction) in CELLS {
                let limit = match pool {
                    Pool::Audio => link.capacity().audio_kbps,
                    Pool::Video => link.capacity().video_kbps,
                };
                let limit = limit.map_or(u64::MAX, u64::from);
                prop_assert!(link.used_kbps(pool, direction) <= limit);
            }
            prop_assert_eq!(link.emergencies_over_limit(), 0);
        }
    }
}
