//! TLS at the rim: who is let in, who is not, and how soon the engine hears of it.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a failing test may panic anywhere
#![allow(clippy::disallowed_methods)] // how long it took is what is claimed

#[path = "pki/ends.rs"]
mod ends;
#[path = "pki/mod.rs"]
mod pki;
#[path = "tls/rim.rs"]
mod rim;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::time::Instant;

use ends::client;
use pki::{Authority, Pair};
use rim::{Heard, NEIGHBOUR, Rim, answer, dial, echoes, message, reads};

#[test]
fn a_neighbour_whose_certificate_names_it_speaks_sip_and_is_kept_alive() {
    let rim = Rim::new("right", 2);
    for names in [&[NEIGHBOUR][..], &["other.example.com", "BR.example.com"]] {
        let mut stream = rim.dial(Some(&rim.authority.sign(names)));
        assert!(echoes(&mut stream, 1));
        stream.write_all(b"\r\n\r\n").unwrap();
        reads(&mut stream, "\r\n");
        // Cut anywhere, it is the same stream.
        for octet in message(2).as_bytes() {
            stream.write_all(&[*octet]).unwrap();
        }
        reads(&mut stream, &message(2));
    }
    assert_eq!((rim.counted("accepted"), rim.counted("handshake_failed"), rim.counted("wrong_name")), (2, 0, 0));
}

#[test]
fn many_long_messages_pass_both_ways() {
    let rim = Rim::new("long", 1);
    let mut stream = rim.dial(Some(&rim.authority.sign(&[NEIGHBOUR])));
    let body = "x".repeat(60_000);
    let text = message(3).replace("Content-Length: 2\r\n\r\nhi", &format!("Content-Length: 60000\r\n\r\n{body}"));
    for _ in 0..50 {
        stream.write_all(text.as_bytes()).unwrap();
        reads(&mut stream, &text);
    }
}

/// The connection is closed without a message.
fn is_closed(stream: &mut impl Read) -> bool {
    matches!(stream.read(&mut [0; 64]), Ok(0) | Err(_))
}

#[test]
fn rfc_5922_a_certificate_that_does_not_name_the_neighbour_is_closed_and_counted() {
    let rim = Rim::new("wrong_name", 1);
    for (at, names) in (1..).zip([&["evil.example.com"][..], &["*.example.com"], &["127.0.0.1"]]) {
        let mut stream = rim.dial(Some(&rim.authority.sign(names)));
        assert!(!echoes(&mut stream, 1), "{names:?}");
        rim.counts("wrong_name", at);
        assert_eq!(rim.counted("handshake_failed"), 0, "{names:?}");
    }
}

#[test]
fn a_certificate_that_is_missing_ended_or_of_a_stranger_is_refused_in_the_handshake() {
    let rim = Rim::new("refused", 1);
    let stranger = Authority::new("somebody else").sign(&[NEIGHBOUR]);
    let ended = rim.authority.sign_ended(&[NEIGHBOUR]);
    let server_only = rim.authority.sign_with(&[NEIGHBOUR], |params| {
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    });
    for (at, pair) in (1..).zip([None, Some(&stranger), Some(&ended), Some(&server_only)]) {
        let mut stream = rim.dial(pair);
        assert!(!echoes(&mut stream, 1), "{at}");
        rim.counts("handshake_failed", at);
        assert_eq!(rim.counted("wrong_name"), 0);
    }
}

#[test]
fn plain_text_on_the_tls_port_is_closed_at_once() {
    let rim = Rim::new("plain", 1);
    let mut stream = rim.connect();
    stream.write_all(message(1).as_bytes()).unwrap();
    let mut alert = Vec::new();
    let _ = stream.read_to_end(&mut alert);
    assert!(!alert.windows(3).any(|octets| octets == b"SIP"), "no message came back");
    rim.counts("handshake_failed", 1);
}

#[test]
fn a_handshake_that_stands_still_ends_after_five_seconds() {
    let rim = Rim::new("slow", 1);
    let begun = Instant::now();
    let mut stream = rim.connect();
    assert!(is_closed(&mut stream));
    let waited_ms = begun.elapsed().as_millis();
    assert!((4_900..9_000).contains(&waited_ms), "{waited_ms} ms");
    rim.counts("handshake_failed", 1);
}

/// What the engine hears of a message to a neighbour that shows `pair`, certified by `authority`: where it arrives, the
/// neighbour then hangs up without an answer.
fn sent_to(rim: &Rim, authority: &Authority, pair: &Pair) -> Result<Heard, Heard> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    rim.send_to(listener.local_addr().unwrap());
    let mut stream = answer(&listener, authority, pair);
    let mut buffer = vec![0; message(7).len()];
    match stream.read_exact(&mut buffer) {
        Ok(()) => {
            assert_eq!(buffer, message(7).as_bytes());
            drop(stream);
            Ok(rim.heard())
        }
        Err(_) => {
            drop(stream);
            Err(rim.heard())
        }
    }
}

#[test]
fn a_message_goes_out_only_to_who_shows_the_neighbours_name() {
    let rim = Rim::new("outgoing", 1);
    let stranger = Authority::new("somebody else");
    assert_eq!(sent_to(&rim, &rim.authority, &rim.authority.sign(&[NEIGHBOUR])), Ok(Heard::Ended(7)));
    assert_eq!(rim.counted("connected"), 1);
    for (at, pair) in (1..).zip([
        rim.authority.sign(&["evil.example.com"]),
        rim.authority.sign(&["*.example.com"]),
        rim.authority.sign_ended(&[NEIGHBOUR]),
        stranger.sign(&[NEIGHBOUR]),
    ]) {
        assert_eq!(
            sent_to(&rim, &rim.authority, &pair),
            Err(Heard::Failed(7)),
            "{at}: the engine hears that it failed"
        );
        assert_eq!((rim.counted("handshake_failed"), rim.counted("connect_failed")), (at, at));
    }
    assert_eq!(rim.counted("connected"), 1);
}

#[test]
fn the_engine_hears_at_once_of_a_neighbour_that_is_silent_or_gone() {
    let rim = Rim::new("gone", 1);
    let begun = Instant::now();
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    rim.send_to(gone);
    assert_eq!(rim.heard(), Heard::Failed(7));
    assert!(begun.elapsed().as_millis() < 2_000, "nobody listens: no wait");
    // Somebody accepts and says nothing, or speaks plain SIP.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    rim.send_to(silent.local_addr().unwrap());
    assert_eq!(rim.heard(), Heard::Failed(7));
    assert!(begun.elapsed().as_millis() < 8_000, "connecting and handshake have four seconds together");
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    rim.send_to(plain.local_addr().unwrap());
    let mut stream = plain.accept().unwrap().0;
    stream.write_all(b"SIP/2.0 200 OK\r\n\r\n").unwrap();
    assert_eq!(rim.heard(), Heard::Failed(7));
}

#[test]
fn a_swap_is_for_the_handshakes_after_it_and_a_failed_one_changes_nothing() {
    let rim = Rim::new("swap", 1);
    let pair = rim.authority.sign(&[NEIGHBOUR]);
    let mut old = rim.dial(Some(&pair));
    assert!(echoes(&mut old, 1));
    let other = Authority::new("the next root");
    let next = Pair { ..rim.authority.sign(&[rim::NODE]) };
    let files = rim::files(&rim.folder, &next, &other);
    std::fs::write(&files.key, &rim.authority.sign(&["x"]).key).unwrap();
    let fault = emcc_trunk::certificates::Material::load(&files).expect_err("the halves do not fit");
    assert!(fault.to_string().contains("does not belong"), "{fault}");
    assert!(echoes(&mut rim.dial(Some(&pair)), 2), "as before");
    std::fs::write(&files.key, &next.key).unwrap();
    rim.certificates.swap(emcc_trunk::certificates::Material::load(&files).unwrap());
    assert!(!echoes(&mut rim.dial(Some(&pair)), 3), "its root is no longer trusted");
    let mut new = dial(rim.connect(), client(&rim.authority, Some(&other.sign(&[NEIGHBOUR]))));
    assert!(echoes(&mut new, 4));
    assert!(echoes(&mut old, 5), "a connection that stands is kept");
    assert!(Path::new(&files.key).exists());
}
