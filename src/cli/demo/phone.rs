//! A phone's media: RTP over a socket of its own, sent and counted.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use emcc_codecs::rtp::{self, Datagram, Header, Received};
use emcc_policies::moment::Moment;

use crate::agent::Agreed;

/// Packets a phone sends in one call: 300 ms of speech.
pub(super) const PACKETS: u16 = 15;
/// Milliseconds of speech in a packet.
const PTIME_MS: u64 = 20;
/// Longest packet a phone hears.
const PACKET_BYTES_MAX: usize = 2_048;
/// Packets taken from the socket in one turn.
const PACKETS_A_TURN: usize = 64;

/// One end of a stream.
pub(super) struct Phone {
    socket: UdpSocket,
    address: SocketAddr,
    sending: Option<Sending>,
    received: Received,
}

struct Sending {
    to: Agreed,
    sent: u16,
    next_at: Moment,
}

impl Phone {
    /// A phone on any free port of `ip`.
    pub(super) fn bind(ip: IpAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind((ip, 0))?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address, sending: None, received: Received::default() })
    }

    /// Where it hears.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Begins to speak as agreed; what is heard counts from now on where nothing was agreed before.
    pub(super) fn speak(&mut self, to: Agreed, now: Moment) {
        let sent = self.sending.as_ref().map_or(0, |sending| sending.sent);
        self.sending = Some(Sending { to, sent, next_at: now });
    }

    /// Sends what is due and counts what came.
    pub(super) fn turn(&mut self, now: Moment) {
        let mut buffer = [0; PACKET_BYTES_MAX];
        for _ in 0..PACKETS_A_TURN {
            let Ok((length, _)) = self.socket.recv_from(&mut buffer) else { break };
            if let Datagram::Rtp(header, payload) = rtp::read(buffer.get(..length).unwrap_or_default()) {
                self.received.count(&header, payload);
            }
        }
        let Some(sending) = self.sending.as_mut().filter(|s| s.sent < PACKETS && s.next_at <= now) else { return };
        let (bytes, ticks) = frame(&sending.to.codec);
        let header = Header {
            payload_type: sending.to.payload_type,
            marker: sending.sent == 0,
            sequence: sending.sent,
            timestamp: u32::from(sending.sent) * ticks,
            ssrc: u32::from(self.address.port()),
        };
        let speech = [0x55; 160];
        if let Ok(length) = rtp::write(&header, speech.get(..bytes).unwrap_or_default(), &mut buffer) {
            // Lost packets show in what the other side counts.
            let _ = self.socket.send_to(buffer.get(..length).unwrap_or_default(), sending.to.remote);
        }
        sending.sent += 1;
        sending.next_at = sending.next_at.plus_ms(PTIME_MS);
    }

    /// Whether it has said all it has to say.
    pub(super) fn is_done(&self) -> bool {
        self.sending.as_ref().is_some_and(|sending| sending.sent >= PACKETS)
    }

    /// Packets heard of the payload type that was agreed.
    pub(super) fn heard(&self) -> u64 {
        self.sending.as_ref().map_or(0, |sending| self.received.of_payload_type(sending.to.payload_type))
    }

    /// Forgets the last call.
    pub(super) fn reset(&mut self) {
        let mut buffer = [0; PACKET_BYTES_MAX];
        while self.socket.recv_from(&mut buffer).is_ok() {}
        self.sending = None;
        self.received = Received::default();
    }
}

/// Payload bytes and clock ticks of 20 ms.
fn frame(codec: &str) -> (usize, u32) {
    match codec {
        "PCMU" | "PCMA" | "G722" => (160, 160),
        "G729" => (20, 160),
        "isac" => (80, 320),
        _ => (38, 160),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_phones_hear_what_they_agreed_on() {
        let ip = IpAddr::from([127, 0, 0, 1]);
        let (mut a, mut b) = (Phone::bind(ip).unwrap(), Phone::bind(ip).unwrap());
        for (codec, payload_type) in [("G729", 18), ("isac", 104)] {
            let agreed = |remote| Agreed { codec: codec.into(), payload_type, remote };
            a.speak(agreed(b.address()), Moment(0));
            b.speak(agreed(a.address()), Moment(0));
            for ms in 0..400 {
                a.turn(Moment(ms));
                b.turn(Moment(ms));
            }
            assert!(a.is_done() && b.is_done());
            assert_eq!((a.heard(), b.heard()), (u64::from(PACKETS), u64::from(PACKETS)), "{codec}");
            a.reset();
            b.reset();
            assert_eq!(a.heard(), 0);
        }
    }

    #[test]
    fn a_packet_of_another_format_does_not_count() {
        let ip = IpAddr::from([127, 0, 0, 1]);
        let (mut a, mut b) = (Phone::bind(ip).unwrap(), Phone::bind(ip).unwrap());
        a.speak(Agreed { codec: "G729".into(), payload_type: 18, remote: b.address() }, Moment(0));
        b.speak(Agreed { codec: "PCMU".into(), payload_type: 0, remote: a.address() }, Moment(0));
        a.turn(Moment(0));
        b.turn(Moment(1));
        assert_eq!(b.heard(), 0);
    }
}
