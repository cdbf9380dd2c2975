//! Messages out of a stream: where one ends never depends on how the octets arrive.

use bytes::BytesMut;
use emcc_fuzz::Dials;
use emcc_trunk::limits::MESSAGE_BYTES_MAX;
use emcc_trunk::sip::frame::{Frame, Framer};
use tokio_util::codec::Decoder;

#[test]
fn framing() {
    bolero::check!(name = "frame").with_iterations(0).for_each(|input: &[u8]| check(input));
    emcc_fuzz::replay("frame", 20_000, check);
}

/// The input is eight lengths of pieces, taken in turns, and the stream.
fn check(input: &[u8]) {
    let mut dials = Dials::new(input);
    let pieces: Vec<usize> = (0..8).map(|_| usize::from(dials.octet()) + 1).collect();
    let stream = dials.rest();
    let whole = frames(stream, &[stream.len().max(1)]);
    assert_eq!(frames(stream, &pieces), whole, "in pieces of {pieces:?}");
    assert_eq!(frames(stream, &[1]), whole, "octet by octet");
    let octets: usize = whole.iter().map(|frame| frame.0.len()).sum();
    assert!(octets <= stream.len(), "no octet is used twice");
}

/// Each frame's message, empty for pings and refusals, and the status of a refusal.
fn frames(stream: &[u8], pieces: &[usize]) -> Vec<(Vec<u8>, u16)> {
    let (mut framer, mut buffer, mut found, mut left) = (Framer::new(), BytesMut::new(), Vec::new(), stream);
    for piece in pieces.iter().cycle() {
        if left.is_empty() {
            break;
        }
        let (now, later) = left.split_at((*piece).min(left.len()));
        left = later;
        buffer.extend_from_slice(now);
        while let Some(frame) = framer.decode(&mut buffer).expect("a framer never fails, it refuses") {
            found.push(match frame {
                Frame::Message(octets) => {
                    assert!(!octets.is_empty() && octets.len() <= MESSAGE_BYTES_MAX);
                    (octets.to_vec(), 0)
                }
                Frame::Ping => (Vec::new(), 0),
                Frame::Refused { status, .. } => (Vec::new(), status),
            });
        }
    }
    found
}
