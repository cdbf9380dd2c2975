//! A neighbour whose process hangs behind a kernel that goes on taking what is sent to it, and one that closes what it reads.

use std::time::Duration;

use socket2::SockRef;

use crate::ground::{Ground, call_id, status};
use crate::line::{Far, PATIENCE, Stream, TCP_V4, Wire, now};

#[test]
fn a_connection_to_a_neighbour_that_answers_nothing_is_given_up_and_the_next_call_opens_a_fresh_one() {
    let mut ground = Ground::new("hung", TCP_V4);
    let headers = format!("{}Contact: <sip:cc@{};transport=tcp>\r\n", ground.routes(), ground.near_at);
    let invite = ground.request("INVITE", "sip:x@example.com", &headers);
    ground.near.send(&invite);
    let mut hung = accepted(&ground);
    assert_eq!(status(&ground.near.next().unwrap()), 100);
    assert_eq!(status(&ground.near.next().unwrap()), 500, "nothing came in no_response_s");
    // What it hung with is still unread, and its kernel has acknowledged every octet.
    let again = ground.request("INVITE", "sip:x@example.com", &headers);
    ground.near.send(&again);
    let mut fresh = accepted(&ground);
    assert_eq!(call_id(&fresh.next().unwrap()), call_id(&again));
    // The old one was closed from here: it ends behind the first INVITE.
    assert_eq!(hung.next().map(|heard| call_id(&heard)), Some(call_id(&invite)));
    assert_eq!(hung.next(), None);
    assert_eq!(ground.node.metric("emcc_stream_events_total", &["unanswered"]), 1);
}

#[test]
fn rfc_3261_17_1_4_an_invite_whose_connection_ends_is_sent_by_a_fresh_one_and_not_waited_for_when_that_ends_too() {
    // A gateway may be silent for 4 s.
    const AT_ONCE: Duration = Duration::from_secs(2);
    let mut ground = Ground::new("closing", TCP_V4);
    let headers = format!("{}Contact: <sip:cc@{};transport=tcp>\r\n", ground.routes(), ground.near_at);
    let invite = ground.request("INVITE", "sip:x@example.com", &headers);
    ground.near.send(&invite);
    assert_eq!(status(&ground.near.next().unwrap()), 100);
    let first = accepted(&ground).next();
    let mut second = accepted(&ground);
    assert_eq!(second.next(), first, "a copy, known by its branch");
    let closed = now();
    drop(second);
    assert_eq!(status(&ground.near.next().unwrap()), 500);
    assert!(now() - closed < AT_ONCE);
}

/// The next connection the node opens to the gateway.
fn accepted(ground: &Ground) -> Stream {
    let Far::Listening(listener, _) = &ground.far else { panic!("a stream") };
    SockRef::from(listener).set_read_timeout(Some(PATIENCE)).unwrap();
    let (stream, _) = listener.accept().expect("the node connects");
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    Stream::of(Box::new(stream))
}
