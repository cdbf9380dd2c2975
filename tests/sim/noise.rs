//! Messages nobody sane would send: broken, twisted, forged; from neighbours and from strangers.

use std::net::SocketAddr;
use std::rc::Rc;

use crate::node::Which;
use crate::world::World;

/// What is put in the place of something that was there.
const TWISTS: &[(&str, &str)] = &[
    ("Content-Length: ", "Content-Length: 9"),
    ("CSeq: ", "CSeq: 4294967295"),
    ("Max-Forwards: 7", "Max-Forwards: 0"),
    ("Contact: <sip:", "Contact: <sip:mallory@203.0.113.9:5060>, <sip:"),
    ("Via: SIP/2.0/UDP ", "Via: SIP/2.0/UDP 203.0.113.9:5060;branch=z9hG4bK-stranger, SIP/2.0/UDP "),
    ("Via: SIP/2.0/UDP 127", "Via: SIP/2.0/UDP 203"),
    ("Record-Route: <sip:", "Record-Route: <sip:203.0.113.9;lr>, <sip:"),
    ("Route: <sip:127.0", "Route: <sip:203.0.113.9;lr>, <sip:127.0"),
    ("From: ", "Route: <sip:203.0.113.9:5060;lr>\r\nFrom: "),
    ("From: ", "Proxy-Require: nonsense\r\nFrom: "),
    (";tag=", ";gat="),
    (";branch=z9hG4bK", ";branch=x"),
    ("INVITE sip:", "INVITE tel:"),
    ("INVITE sip:9", "INVITE urn:service:sos.x"),
    ("@127.0.", "@203.0."),
    ("BYE sip:", "BYE sips:"),
    ("SIP/2.0 180", "SIP/2.0 699"),
    ("SIP/2.0 200", "SIP/2.0 603"),
    ("SIP/2.0", "SIP/3.0"),
    ("m=audio", "m=audio 0 RTP/AVP 0\r\nm=audio"),
    ("v=0", "v=7"),
    ("\r\n\r\n", "\r\n"),
    ("\r\n", "\n"),
    ("Call-ID: ", "Call-ID:\r\n "),
];

/// Somebody who is no neighbour of either node.
fn stranger() -> SocketAddr {
    SocketAddr::from(([203, 0, 113, 9], 5060))
}

/// A message nobody should believe, and who seems to send it.
pub(crate) fn forge(world: &mut World, which: Which) -> (SocketAddr, Rc<[u8]>) {
    let from = match world.roll(6) {
        0 => stranger(),
        1 => Which::BOTH.into_iter().find(|other| *other != which).map_or(stranger(), Which::at),
        _ => {
            let near: Vec<_> = world.places.iter().filter(|place| place.node == which).map(|place| place.at).collect();
            near[world.roll(near.len() as u64) as usize]
        }
    };
    let taken = world.roll(world.tap.len() as u64) as usize;
    let mut bytes = world.tap.get(taken).map_or_else(Vec::new, |bytes| bytes.to_vec());
    world.laws.forged(&bytes);
    match world.roll(5) {
        0 => {
            let length = world.roll(1_500);
            bytes = (0..length).map(|_| world.roll(256) as u8).collect();
        }
        1 => bytes.truncate(world.roll(bytes.len() as u64) as usize),
        2 => {
            for _ in 0..=world.roll(8) {
                let place = world.roll(bytes.len() as u64) as usize;
                let octet = world.roll(256) as u8;
                if let Some(target) = bytes.get_mut(place) {
                    *target = octet;
                }
            }
        }
        // As it was, from somebody else or late.
        3 => {}
        _ => {
            for _ in 0..=world.roll(3) {
                let (old, new) = TWISTS[world.roll(TWISTS.len() as u64) as usize];
                bytes = twisted(&bytes, old.as_bytes(), new.as_bytes());
            }
        }
    }
    (from, bytes.into())
}

/// The first `old` replaced by `new`.
fn twisted(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    match bytes.windows(old.len()).position(|window| window == old) {
        None => bytes.to_vec(),
        Some(at) => [&bytes[..at], new, &bytes[at + old.len()..]].concat(),
    }
}
