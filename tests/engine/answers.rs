//! Every answer that reaches its asker fits the offer it sent: hold and resume, the switch to T.38, and random offers
//! with random answers to what left the node (RFC 3264 sections 6 and 8, M-3, M-6, M-20).

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::node::{BR, CC_HQ, Node};
use crate::wire::{Dialog, alice, answer, audio, hang_up, says, stand};

/// Audio in these formats, in that direction.
fn directed(formats: &str, direction: &str) -> String {
    audio(formats) + direction + "\r\n"
}

/// A call of alice over the trunk, where the region leaves G.729 alone, is held and resumed by one of its ends. Her
/// phone stands at the visited end, so what she sends is booked inward (V-20).
fn hold_and_resume(is_by_caller: bool, is_late: bool) {
    let steps = [
        ("0 8 18", "a=sendonly", "a=recvonly", [0, 24, 0, 0]),
        ("18 9 0", "a=sendrecv", "a=sendrecv", [24, 24, 0, 0]),
        ("9 18", "a=inactive", "a=inactive", [0, 0, 0, 0]),
        ("8 18 0 9", "a=sendrecv", "a=sendrecv", [24, 24, 0, 0]),
    ];
    let mut node = Node::hq();
    let mut call = stand(&mut node, alice("901614960000").body(&audio("0 18")), &audio("18"));
    for (formats, offered, answered, mut books) in steps {
        let what = format!("{offered}, by the caller: {is_by_caller}, late offer: {is_late}");
        // The end that offers: with a late offer the one that is asked.
        let asks = if is_by_caller == is_late { &mut call.callee } else { &mut call.caller };
        let (offer, narrow) = (directed(formats, offered), directed("18", answered));
        let at = asks.at;
        let request = asks.request("INVITE");
        if is_late {
            let sent = node.hear(at, &request).the("INVITE");
            assert_eq!(sent.body(), "", "{what}");
            let back = node.hear(sent.to, answer(&sent, 200, "b1", &[], &offer)).the("200");
            assert_eq!(back.description(), directed("18", offered), "{what}");
            let ack = node.hear(at, &asks.request("ACK").body(&narrow)).the("ACK");
            assert_eq!(ack.description(), narrow, "{what}: left alone");
        } else {
            let sent = node.hear(at, &request.body(&offer)).the("INVITE");
            assert_eq!(sent.description(), directed("18", offered), "{what}");
            let back = node.hear(sent.to, answer(&sent, 200, "b1", &[], &narrow)).the("200");
            assert_eq!(back.description(), narrow, "{what}: left alone");
            node.hear(at, &asks.request("ACK")).the("ACK");
        }
        if !is_by_caller {
            books.swap(0, 1);
        }
        node.wait_with_peer(1_100);
        assert_eq!(node.booked(), books, "{what}");
    }
    hang_up(&mut node, &mut call);
    assert_eq!(node.booked(), [0; 4]);
}

#[test]
fn rfc_3264_8_4_m_3_m_20_hold_and_resume_with_other_formats_keep_to_the_region_and_book_their_directions() {
    for is_by_caller in [true, false] {
        for is_late in [true, false] {
            hold_and_resume(is_by_caller, is_late);
        }
    }
}

const HEAD: &str = "v=0\r\no=- 1 2 IN IP4 127.0.9.9\r\ns=-\r\nc=IN IP4 127.0.9.9\r\nt=0 0\r\n";

/// A description of a fax at that port.
fn fax(port: u16) -> String {
    format!(
        "{HEAD}m=image {port} udptl t38\r\na=T38FaxVersion:0\r\na=T38MaxBitRate:14400\r\n\
         a=T38FaxRateManagement:transferredTCF\r\na=T38FaxUdpEC:t38UDPRedundancy\r\n"
    )
}

#[test]
fn rfc_3264_8_3_m_3_a_switch_to_t38_and_back_is_left_alone_byte_for_byte_and_refusals_of_it_keep_the_call() {
    for is_by_caller in [true, false] {
        let mut node = Node::hq();
        let mut call = stand(&mut node, alice("901614960000").body(&audio("0 18")), &audio("18"));
        let asks = if is_by_caller { &mut call.caller } else { &mut call.callee };
        let at = asks.at;
        // Refused: the audio that stood stands, and so do its books.
        let sent = node.hear(at, &asks.request("INVITE").body(&fax(40_004))).the("INVITE");
        assert_eq!(sent.description(), fax(40_004));
        let out = node.hear(sent.to, says(&sent, 488));
        assert_eq!(out.the("488").to, at);
        node.wait_with_peer(1_100);
        assert_eq!((node.booked(), node.engine.calls()), ([24, 24, 0, 0], 1));
        // Taken, with the stream turned down, and taken.
        for port in [0, 40_006] {
            let sent = node.hear(at, &asks.request("INVITE").body(&fax(40_004))).the("INVITE");
            assert_eq!(sent.description(), fax(40_004));
            let back = node.hear(sent.to, answer(&sent, 200, "b1", &[], &fax(port))).the("200");
            assert_eq!((back.to, back.description()), (at, fax(port)));
            node.hear(at, &asks.request("ACK")).the("ACK");
            node.wait_with_peer(1_100);
            assert_eq!((node.booked(), node.engine.calls()), ([0; 4], 1), "no audio, no video: port {port}");
            // Back to audio, of which the region leaves what it may.
            let sent = node.hear(at, &asks.request("INVITE").body(&audio("0 18"))).the("INVITE");
            assert_eq!(sent.formats("audio"), ["18"]);
            let back = node.hear(sent.to, answer(&sent, 200, "b1", &[], &audio("18"))).the("200");
            assert_eq!(back.description(), audio("18"));
            node.hear(at, &asks.request("ACK")).the("ACK");
            node.wait_with_peer(1_100);
            assert_eq!(node.booked(), [24, 24, 0, 0]);
        }
        hang_up(&mut node, &mut call);
        assert_eq!(node.booked(), [0; 4]);
    }
}

/// Formats of the catalogue with their payload types; those the region's 8 kbit/s admits come first.
const AUDIO: [(&str, &str); 7] = [
    ("18", "G729/8000"),
    ("4", "G723/8000"),
    ("0", "PCMU/8000"),
    ("8", "PCMA/8000"),
    ("9", "G722/8000"),
    ("105", "isac/16000"),
    ("96", "opus/48000/2"),
];
const WITHIN: usize = 2;

/// One stream of an offer: its kind, whether it is on, bundle-only, a choice of formats, its direction, its `b=` line.
type Stream = (u8, bool, bool, u8, u8, u8);

fn written(streams: &[Stream]) -> String {
    let mut text = HEAD.to_owned();
    for (place, &(kind, is_on, is_bundled, chosen, direction, bandwidth)) in streams.iter().enumerate() {
        let port = if is_on && !is_bundled { 40_000 + 2 * place } else { 0 };
        let formats: Vec<_> = AUDIO.iter().enumerate().filter(|(bit, _)| chosen >> bit & 1 == 1).collect();
        let formats = if formats.is_empty() { vec![(0, &AUDIO[0])] } else { formats };
        let (line, attributes) = match kind {
            0 | 1 => {
                let numbers: Vec<_> = formats.iter().map(|(_, format)| format.0).collect();
                let maps = formats.iter().map(|(_, (number, name))| format!("a=rtpmap:{number} {name}\r\n"));
                (format!("m=audio {port} RTP/AVP {}", numbers.join(" ")), maps.collect())
            }
            2 => (format!("m=video {port} RTP/AVP 97"), "a=rtpmap:97 H264/90000\r\n".to_owned()),
            3 => (format!("m=image {port} udptl t38"), "a=T38FaxVersion:0\r\n".to_owned()),
            _ => (format!("m=application {port} TCP/BFCP *"), "a=floorctrl:c-s\r\n".to_owned()),
        };
        let bandwidth = ["", "b=AS:64\r\n", "b=TIAS:128000\r\n", "b=AS:0\r\n"][usize::from(bandwidth)];
        let direction = ["", "a=sendrecv\r\n", "a=sendonly\r\n", "a=inactive\r\n"][usize::from(direction)];
        let bundled = if is_bundled { "a=bundle-only\r\n" } else { "" };
        text += &format!("{line}\r\n{bandwidth}{attributes}{direction}{bundled}");
    }
    text
}

/// Its streams: kind, port and formats.
fn streams_of(sdp: &str) -> Vec<(String, u16, Vec<String>)> {
    let lines = sdp.lines().filter_map(|line| line.strip_prefix("m="));
    let parts = lines.map(|line| {
        let mut words = line.split(' ');
        let (kind, port) = (words.next().unwrap_or_default(), words.next().and_then(|port| port.parse().ok()));
        (kind.to_owned(), port.expect("a port"), words.skip(1).map(str::to_owned).collect())
    });
    parts.collect()
}

/// A right answer to an offer as it left: every stream in its place, some turned down, some formats of it.
fn answered(offer: &str, turned_down: u8, first: u8) -> String {
    let mut text = HEAD.to_owned();
    for (place, block) in offer.split("m=").skip(1).enumerate() {
        let line = block.lines().next().unwrap_or_default();
        let mut words: Vec<_> = line.split(' ').collect();
        let is_off = words[1] == "0" && !block.contains("a=bundle-only");
        let port = (50_000 + 2 * place).to_string();
        words[1] = if is_off || turned_down >> place & 1 == 1 { "0" } else { &port };
        let skipped = usize::from(first) % (words.len() - 3);
        words.drain(3..3 + skipped);
        text += &format!("m={}\r\n", words.join(" "));
        let kept = |line: &&str| {
            line.strip_prefix("a=rtpmap:")
                .is_some_and(|rest| words[3..].iter().any(|format| rest.split(' ').next() == Some(*format)))
        };
        for line in block.lines().filter(kept) {
            text += &format!("{line}\r\n");
        }
    }
    text
}

/// What one case came to: the call was refused, or an answer with this many streams on reached the caller.
fn played(streams: &[Stream], turned_down: u8, first: u8) -> Result<Option<usize>, TestCaseError> {
    let mut node = Node::hq();
    let offer = written(streams);
    let invite = alice("901614960000").body(&offer);
    let out = node.hear(CC_HQ, &invite);
    if out.told() == ["100 to cc-hq", "488 to cc-hq"] {
        prop_assert_eq!(node.booked(), [0; 4]);
        return Ok(None);
    }
    let sent = out.the("INVITE");
    let said = answered(&sent.description(), turned_down, first);
    let out = node.hear(BR, answer(&sent, 200, "b1", &[], &said));
    if out.told().iter().any(|told| told == "488 to cc-hq") {
        prop_assert_eq!(node.booked(), [0; 4]);
        return Ok(None);
    }
    let back = out.the("200");
    let (asked, got) = (streams_of(&offer), streams_of(&back.description()));
    prop_assert_eq!(asked.len(), got.len(), "{}\n{}", offer, back.description());
    let mut on = 0;
    for ((place, asked), got) in asked.iter().enumerate().zip(&got) {
        let what = format!(
            "line {place} of\n{offer}\nleft\n{}\nanswered\n{said}\ncame\n{}",
            sent.description(),
            back.description()
        );
        prop_assert_eq!(&asked.0, &got.0, "kind of {}", what);
        let is_offered = asked.1 != 0 || streams[place].2;
        prop_assert!(got.1 == 0 || is_offered, "on though offered off: {}", what);
        prop_assert!(got.2.iter().all(|format| asked.2.contains(format)), "a format not offered: {}", what);
        let is_within = |format: &String| AUDIO[..WITHIN].iter().any(|(number, _)| number == format);
        prop_assert!(got.1 == 0 || got.0 != "audio" || got.2.iter().all(is_within), "over the cap: {}", what);
        on += usize::from(got.1 != 0);
    }
    let mut caller = Dialog::of_caller(&invite, &back);
    node.hear(CC_HQ, &caller.request("ACK"));
    let bye = node.hear(CC_HQ, &caller.request("BYE")).the("BYE");
    node.hear(BR, says(&bye, 200));
    prop_assert_eq!(node.booked(), [0; 4]);
    Ok(Some(on))
}

#[test]
fn rfc_3264_6_m_3_m_6_m_20_every_answer_fits_the_offer_its_asker_sent() {
    let stream = (0_u8..5, prop::bool::weighted(0.8), prop::bool::weighted(0.15), 0_u8..128, 0_u8..4, 0_u8..4);
    let cases = (prop::collection::vec(stream, 1..=4), 0_u8..16, any::<u8>());
    let (refused, quiet, talking) = (std::cell::Cell::new(0), std::cell::Cell::new(0), std::cell::Cell::new(0));
    let config = ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new_with_rng(
        config,
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let done = runner.run(&cases, |(streams, turned_down, first)| {
        let count = match played(&streams, turned_down, first)? {
            None => &refused,
            Some(0) => &quiet,
            Some(_) => &talking,
        };
        count.set(count.get() + 1);
        Ok(())
    });
    done.unwrap_or_else(|failure| panic!("{failure}"));
    // Cases of every kind were met, so that none of this holds for want of them.
    let met = [refused.get(), quiet.get(), talking.get()];
    assert!(met.iter().all(|met| *met >= 10), "refused, answered off, answered on: {met:?}");
}
