//! What a message may cost the heap. Parsing and region policy: nothing. A message through the engine: what the rows
//! keep of it, and a little beside.
#![allow(unsafe_code)] // a counting allocator cannot be written without it

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use emcc_policies::region::{Allowed, Region, Role, Trail};
use emcc_trunk::sip::{Index, Strictness, essentials, scan};
use pair::{Pair, Step, wire};

#[path = "../benches/enterprise/mod.rs"]
mod enterprise;
#[path = "../benches/pair/mod.rs"]
mod pair;

thread_local! {
    /// Allocations of this thread: tests run side by side. Constant and without a destructor, so that touching it
    /// never allocates.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    /// Octets this thread allocated less those it gave back.
    static LIVE: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

fn count() {
    ALLOCATIONS.with(|count| count.set(count.get() + 1));
}

fn hold(octets: usize) {
    LIVE.with(|live| live.set(live.get() + octets.cast_signed()));
}

fn let_go(octets: usize) {
    LIVE.with(|live| live.set(live.get() - octets.cast_signed()));
}

// SAFETY: every call goes on to the system's allocator unchanged; counting touches no memory of the heap.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        hold(layout.size());
        // SAFETY: the caller's promise about `layout` is the one asked for here.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        hold(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        let_go(layout.size());
        hold(size);
        // SAFETY: every block came from the system's allocator, with the layout the caller names.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let_go(layout.size());
        // SAFETY: as in `realloc`.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Allocations, growing ones included, that `work` makes on this thread.
fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

#[test]
fn the_count_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(7)))), 1);
    assert_eq!(allocations(|| assert_ne!(std::hint::black_box([7; 64]), [8; 64])), 0);
}

#[test]
fn scanning_and_reading_the_mandatory_headers_allocate_nothing() {
    let invite = wire::invite();
    let mut index = Index::new();
    let spent = allocations(|| {
        let message = scan(invite.as_bytes(), &mut index).expect("an INVITE");
        let of = essentials(&message, Strictness::default()).expect("its headers");
        assert_eq!(of.cseq.number, 101);
    });
    assert_eq!(spent, 0);
}

#[test]
fn region_policy_on_an_offer_of_eight_codecs_allocates_nothing() {
    let region = Region::default();
    let (mut out, mut trail) = (Vec::with_capacity(2_048), Trail::with_capacity(16));
    for role in [Role::Offer, Role::Answer] {
        out.clear();
        trail.clear();
        let sdp = if role == Role::Offer { wire::OFFER } else { wire::ANSWER };
        let spent = allocations(|| {
            let shaped = region.apply(sdp.as_bytes(), role, Allowed::AudioAndVideo, &mut trail, &mut out);
            assert!(shaped.is_ok());
        });
        assert_eq!(spent, 0, "{role:?}");
    }
}

/// Allocations each message of a call makes in [`emcc_trunk::engine::Engine::handle`] once tables and buffers have their
/// size, as measured; one more is granted. Every row has a box of its own, so that an emptied table gives its memory
/// back. An INVITE's are three rows, two copies of the request, Call-ID's share of one, and the decision with its
/// hops.
const MEASURED: [(Step, u64); 6] =
    [(Step::Invite, 9), (Step::Ringing, 1), (Step::Answer, 1), (Step::Ack, 0), (Step::Bye, 3), (Step::ByeAnswer, 2)];

#[test]
fn a_message_through_the_engine_allocates_what_its_rows_keep() {
    let mut pair = Pair::new();
    // Tables double now and then; the median of many calls is what a message itself costs.
    let mut spent: [Vec<u64>; 6] = Default::default();
    for round in 0..500 {
        for step in Step::ALL {
            pair.write(step);
            let cost = allocations(|| pair.feed(step));
            assert!(pair.settle(step) > 0, "{step:?} caused nothing");
            if round >= 100 {
                spent[step as usize].push(cost);
            }
        }
        pair.pass_time();
    }
    for (step, measured) in MEASURED {
        let costs = &mut spent[step as usize];
        costs.sort_unstable();
        let median = costs[costs.len() / 2];
        assert!(median <= measured + 1, "{step:?}: {median} allocations where {measured} were measured");
    }
}

/// Octets of the heap that a standing call may hold, its places in the tables included, once its INVITE transactions are
/// gone. The allocator's own share, 8 to 24 octets a block and what it cannot give back, comes on top.
const STANDING_CALL_OCTETS_MAX: isize = 2_048;

#[test]
fn a_standing_call_holds_what_its_own_requests_are_written_from_and_no_more() {
    const CALLS: isize = 4_096;
    /// Past 64 T1, and past what settles after that.
    const LATER_MS: u64 = 120_000;
    let mut pair = Pair::on(pair::plan_with(&[("link_audio_kbps = 2000 ", "link_audio_kbps = 2000000 ")]));
    let before = LIVE.get();
    for _ in 0..CALLS {
        for step in [Step::Invite, Step::Ringing, Step::Answer, Step::Ack] {
            pair.write(step);
            pair.handle(step);
        }
        pair.pass_time();
    }
    let at_once = (LIVE.get() - before) / CALLS;
    for _ in 0..LATER_MS {
        pair.pass_time();
    }
    assert_eq!(pair.engine.calls(), CALLS as usize);
    // Keepalives of the trunk, nothing of the calls.
    assert!(pair.engine.transactions() < 8, "{} transactions", pair.engine.transactions());
    let standing = (LIVE.get() - before) / CALLS;
    assert!(standing <= STANDING_CALL_OCTETS_MAX, "{standing} octets a call, {at_once} when it was answered");
}

/// Octets of heap a pattern of a large dial plan may take.
const PATTERN_OCTETS_MAX: f64 = 200.0;

#[test]
fn a_pattern_of_a_large_plan_takes_200_octets_at_most() {
    const PATTERNS: u32 = 200_000;
    let before = LIVE.get();
    let plan = enterprise::plan(PATTERNS);
    let each = (LIVE.get() - before) as f64 / f64::from(PATTERNS);
    println!("{each:.1} octets a pattern, {PATTERNS} patterns");
    assert!(each <= PATTERN_OCTETS_MAX, "{each:.1} octets a pattern");
    drop(plan);
}
