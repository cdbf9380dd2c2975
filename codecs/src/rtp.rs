//! RTP as phones of a demonstration send and count it (RFC 3550). Headers are read and written by rtp-rs; what stands
//! here tells RTP from RTCP on one port (RFC 5761) and counts what arrived.

use rtp_rs::{RtpPacketBuilder, RtpReader, Seq};
use smallvec::SmallVec;

/// Bytes of an RTP header without extension and contributing sources (RFC 3550, section 5.1).
pub const HEADER_BYTES: usize = 12;

/// The header fields a phone sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Payload type, 0 to 127.
    pub payload_type: u8,
    /// Marker: the first packet after a silence, for audio.
    pub marker: bool,
    /// Sequence number, one more a packet.
    pub sequence: u16,
    /// Media clock of the first sample.
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
}

/// Why a packet could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unwritten {
    /// The buffer is shorter than the packet.
    BufferTooShort {
        /// Bytes the packet needs.
        needed: usize,
    },
    /// The payload type is above 127.
    PayloadType,
}

/// What a datagram on a media port is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Datagram<'a> {
    /// A media packet: its header and its payload without padding.
    Rtp(Header, &'a [u8]),
    /// A control packet, not looked into.
    Rtcp,
    /// Neither: STUN, DTLS, or noise.
    Other,
}

/// Writes a packet to the front of `buffer` and returns its length in bytes.
///
/// # Errors
/// [`Unwritten`] where the packet does not fit or its payload type is out of range.
pub fn write(header: &Header, payload: &[u8], buffer: &mut [u8]) -> Result<usize, Unwritten> {
    if header.payload_type > 127 {
        return Err(Unwritten::PayloadType);
    }
    RtpPacketBuilder::new()
        .payload_type(header.payload_type)
        .marked(header.marker)
        .sequence(Seq::from(header.sequence))
        .timestamp(header.timestamp)
        .ssrc(header.ssrc)
        .payload(payload)
        .build_into(buffer)
        .map_err(|_| Unwritten::BufferTooShort { needed: HEADER_BYTES.saturating_add(payload.len()) })
}

/// Tells what a datagram is. RTCP is told first, by a second byte of 192 to 223 (RFC 5761, section 4): read as RTP it
/// would be a marked packet of a payload type nobody uses there.
#[must_use]
pub fn read(datagram: &[u8]) -> Datagram<'_> {
    let (Some(first), Some(second)) = (datagram.first(), datagram.get(1)) else { return Datagram::Other };
    if first >> 6 != 2 {
        return Datagram::Other;
    }
    if (192..=223).contains(second) {
        return Datagram::Rtcp;
    }
    let Ok(packet) = RtpReader::new(datagram) else { return Datagram::Other };
    let header = Header {
        payload_type: packet.payload_type(),
        marker: packet.mark(),
        sequence: packet.sequence_number().into(),
        timestamp: packet.timestamp(),
        ssrc: packet.ssrc(),
    };
    Datagram::Rtp(header, packet.payload())
}

/// Largest jump forward that still counts as loss (RFC 3550, appendix A.1).
const DROPOUT_MAX: u16 = 3_000;
/// Largest step back that still counts as reordering (RFC 3550, appendix A.1).
const MISORDER_MAX: u16 = 100;
/// Payload types counted apart; a phone sends one or two, packets of further types count in the sums alone.
const PAYLOAD_TYPES_MAX: usize = 8;

/// What arrived on one port, by extended sequence numbers (RFC 3550, appendices A.1 and A.3). A new source, or a jump
/// too large to be loss, begins a new run; runs add up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    by_payload_type: SmallVec<[(u8, u64); 4]>,
    packets: u64,
    payload_bytes: u64,
    expected_before: u64,
    run: Option<Run>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    ssrc: u32,
    first: u64,
    highest: u64,
}

impl Run {
    fn of(header: &Header) -> Self {
        // One turn of the sequence numbers up, so that a packet reordered across 0 still has a place below.
        let first = u64::from(header.sequence) + 65_536;
        Self { ssrc: header.ssrc, first, highest: first }
    }

    fn expected(self) -> u64 {
        self.highest.saturating_sub(self.first).saturating_add(1)
    }
}

impl Received {
    /// Counts a packet.
    pub fn count(&mut self, header: &Header, payload: &[u8]) {
        self.packets = self.packets.saturating_add(1);
        self.payload_bytes = self.payload_bytes.saturating_add(payload.len() as u64);
        let held = self.by_payload_type.iter().position(|(payload_type, _)| *payload_type == header.payload_type);
        if let Some((_, packets)) = held.and_then(|at| self.by_payload_type.get_mut(at)) {
            *packets = packets.saturating_add(1);
        } else if self.by_payload_type.len() < PAYLOAD_TYPES_MAX {
            self.by_payload_type.push((header.payload_type, 1));
        }
        let Some(run) = self.run.as_mut().filter(|run| run.ssrc == header.ssrc) else {
            self.begin(header);
            return;
        };
        let ahead = header.sequence.wrapping_sub((run.highest & 0xffff) as u16);
        if ahead < DROPOUT_MAX {
            run.highest = run.highest.saturating_add(u64::from(ahead));
        } else if ahead.wrapping_neg() > MISORDER_MAX {
            self.begin(header);
        } else {
            // Reordered: it may even stand before the first packet that arrived.
            let place = run.highest.saturating_sub(u64::from(ahead.wrapping_neg()));
            run.first = run.first.min(place);
        }
    }

    /// Packets that arrived.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// Bytes of their payloads.
    #[must_use]
    pub fn payload_bytes(&self) -> u64 {
        self.payload_bytes
    }

    /// Packets that arrived with a payload type.
    #[must_use]
    pub fn of_payload_type(&self, payload_type: u8) -> u64 {
        self.by_payload_type.iter().find(|(held, _)| *held == payload_type).map_or(0, |(_, packets)| *packets)
    }

    /// Packets that the sequence numbers say were sent.
    #[must_use]
    pub fn expected(&self) -> u64 {
        self.expected_before.saturating_add(self.run.map_or(0, Run::expected))
    }

    /// Packets that did not arrive; 0 where copies outnumber the losses.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.packets)
    }

    fn begin(&mut self, header: &Header) {
        self.expected_before = self.expected();
        self.run = Some(Run::of(header));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header(sequence: u16) -> Header {
        Header { payload_type: 18, marker: false, sequence, timestamp: 160, ssrc: 7 }
    }

    fn received(sequences: &[u16]) -> Received {
        let mut counters = Received::default();
        sequences.iter().for_each(|s| counters.count(&header(*s), &[0; 20]));
        counters
    }

    #[test]
    fn what_was_written_is_read_back() {
        let mut buffer = [0u8; 64];
        let sent = Header { marker: true, ..header(65_535) };
        let length = write(&sent, b"twenty bytes of G729", &mut buffer).unwrap();
        assert_eq!(length, HEADER_BYTES + 20);
        assert_eq!(read(&buffer[..length]), Datagram::Rtp(sent, b"twenty bytes of G729"));
    }

    #[test]
    fn a_packet_that_cannot_be_written_says_why() {
        let mut buffer = [0u8; 20];
        assert_eq!(write(&header(1), &[0; 9], &mut buffer), Err(Unwritten::BufferTooShort { needed: 21 }));
        assert_eq!(write(&Header { payload_type: 128, ..header(1) }, &[], &mut buffer), Err(Unwritten::PayloadType));
    }

    #[test]
    fn rtcp_is_told_before_rtp() {
        for (second, is_rtcp) in [(191u8, false), (192, true), (200, true), (223, true), (224, false), (18, false)] {
            let mut datagram = [0u8; 28];
            datagram[0] = 0x80;
            datagram[1] = second;
            assert_eq!(read(&datagram) == Datagram::Rtcp, is_rtcp, "second byte {second}");
        }
        assert_eq!(read(b"\x00\x01stun and others"), Datagram::Other);
        assert_eq!(read(&[0x80, 18, 0]), Datagram::Other);
    }

    #[test]
    fn losses_are_counted_by_extended_sequence_numbers() {
        for (sequences, expected, lost) in [
            (&[][..], 0, 0),
            (&[5], 1, 0),
            (&[1, 2, 3], 3, 0),
            (&[1, 4], 4, 2),
            (&[65_534, 65_535, 0, 1], 4, 0), // over the edge
            (&[65_534, 1], 4, 2),
            (&[2, 1, 3], 3, 0),      // reordered, the first one late
            (&[0, 65_535, 1], 3, 0), // the same across the edge
            (&[1, 3, 2], 3, 0),
            (&[1, 1, 2], 2, 0),              // a copy hides no packet that was never sent
            (&[1, 2, 40_000, 40_001], 4, 0), // a sender that began anew
        ] {
            let counters = received(sequences);
            assert_eq!((counters.expected(), counters.lost()), (expected, lost), "{sequences:?}");
        }
    }

    #[test]
    fn a_new_source_adds_to_the_old_and_types_are_counted_apart() {
        let mut counters = received(&[1, 2, 4]);
        counters.count(&Header { ssrc: 8, payload_type: 101, ..header(900) }, &[0; 4]);
        assert_eq!((counters.expected(), counters.lost(), counters.packets()), (5, 1, 4));
        assert_eq!(
            (counters.of_payload_type(18), counters.of_payload_type(101), counters.of_payload_type(0)),
            (3, 1, 0)
        );
        assert_eq!(counters.payload_bytes(), 64);
    }

    proptest! {
        #[test]
        fn no_datagram_panics(bytes: Vec<u8>) {
            let _ = read(&bytes);
        }

        #[test]
        fn no_order_of_packets_panics_or_expects_less_than_one(sequences in proptest::collection::vec(any::<u16>(), 1..200)) {
            prop_assert!(received(&sequences).expected() >= 1);
        }
    }
}
