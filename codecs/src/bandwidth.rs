//! What a stream of RTP costs a link: payload, headers and packets a second (V-17 to V-19).
//!
//! Everything here is whole kilobits per second rounded up, so that a link is never promised more than it has.

use crate::catalogue::Codec;

/// Bandwidth as a link carries it, in kilobits per second, IP, UDP and RTP headers included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kbps(pub u32);

/// Which Internet Protocol carries a stream: its header is 20 bytes (RFC 791) or 40 bytes (RFC 8200).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AddressFamily {
    /// IPv4; also what a description without a readable `c=` line counts as.
    #[default]
    V4,
    /// IPv6: 20 bytes more a packet.
    V6,
}

/// Packet length a first reservation assumes, in milliseconds, where the codec has such short frames (V-18).
pub const WORST_CASE_PTIME_MS: u32 = 10;
/// Packet length of an answer that names none, in milliseconds (RFC 3551, section 4.2).
pub const DEFAULT_PTIME_MS: u32 = 20;
/// Longest packet length counted, in milliseconds; a longer `ptime` costs as little as this one.
pub const PTIME_MS_MAX: u32 = 1_000;

const UDP_BYTES: u64 = 8;
const RTP_BYTES: u64 = 12;
/// Authentication tag of the usual SRTP suites, AES_CM_128_HMAC_SHA1_80 and its kin (RFC 3711, section 5.2). Suites
/// with a 4-byte tag cost less, AEAD suites 6 bytes more; the tag of 10 is the one the trunk's phones negotiate.
const SRTP_TAG_BYTES: u64 = 10;

/// IP-layer rate of one one-way stream of `payload_bps` bits per second in packets of `ptime_ms` (1 to
/// [`PTIME_MS_MAX`], values outside count as the nearest), rounded up (V-17). `srtp` adds the authentication tag of
/// 10 bytes a packet.
#[must_use]
pub fn ip_kbps(payload_bps: u32, ptime_ms: u32, family: AddressFamily, srtp: bool) -> Kbps {
    let ptime_ms = u64::from(ptime_ms.clamp(1, PTIME_MS_MAX));
    let payload_bytes = u64::from(payload_bps).saturating_mul(ptime_ms).div_ceil(8_000);
    let ip_bytes = match family {
        AddressFamily::V4 => 20,
        AddressFamily::V6 => 40,
    };
    let tag_bytes = if srtp { SRTP_TAG_BYTES } else { 0 };
    let packet_bytes: u64 = [payload_bytes, ip_bytes, UDP_BYTES, RTP_BYTES, tag_bytes].iter().sum();
    let packet_bits = packet_bytes.saturating_mul(8);
    // Bits in a millisecond are kilobits in a second.
    Kbps(u32::try_from(packet_bits.div_ceil(ptime_ms)).unwrap_or(u32::MAX))
}

/// Rate to reserve before the packet length is known: packets of 10 ms, or the shortest frame `frame_ms` where the
/// codec has no 10 ms framing (V-18, V-19). `highest_bps` is the highest payload rate in use.
#[must_use]
pub fn worst_case_kbps(highest_bps: u32, frame_ms: u8, family: AddressFamily, srtp: bool) -> Kbps {
    ip_kbps(highest_bps, u32::from(frame_ms).max(WORST_CASE_PTIME_MS), family, srtp)
}

/// Rate to hold once an answer named the packet length (20 ms where it did not), at payload rate `bps` (V-18). A codec
/// with frames longer than 10 ms never sends a packet of less than one frame, nor part of a frame.
#[must_use]
pub fn answered_kbps(bps: u32, frame_ms: u8, ptime_ms: Option<u32>, family: AddressFamily, srtp: bool) -> Kbps {
    let ptime_ms = ptime_ms.filter(|ms| *ms > 0).unwrap_or(DEFAULT_PTIME_MS);
    let frame_ms = u32::from(frame_ms);
    let sent_ms = match ptime_ms.checked_div(frame_ms) {
        Some(frames) if frame_ms > WORST_CASE_PTIME_MS => frames.max(1).saturating_mul(frame_ms),
        _ => ptime_ms,
    };
    ip_kbps(bps, sent_ms, family, srtp)
}

impl Codec {
    /// Rate of a first reservation for this codec at its highest rate: see [`worst_case_kbps`].
    #[must_use]
    pub fn worst_case_kbps(&self, family: AddressFamily, srtp: bool) -> Kbps {
        worst_case_kbps(self.highest_bps, self.shortest_frame_ms, family, srtp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::CodecId;
    use proptest::prelude::*;

    fn codec(cucm_name: &str) -> &'static Codec {
        CodecId::all().map(CodecId::codec).find(|c| c.cucm_name == cucm_name).unwrap()
    }

    #[test]
    fn every_row_of_the_reservation_table_holds_v17_v18() {
        for (name, worst, answered) in [
            ("G.711 U-Law 64k", Some(96), 80),
            ("G.711 A-Law 64k", Some(96), 80),
            ("G.722 64k", Some(96), 80),
            ("G.729 8k", Some(40), 24),
            ("G.729ab 8k", Some(40), 24),
            ("G.728 16k", None, 32),
            ("GSM Full Rate 13k", None, 30), // 29.2, rounded up
            ("L16 256k", Some(288), 272),
        ] {
            let c = codec(name);
            let got = answered_kbps(c.highest_bps, c.shortest_frame_ms, Some(20), AddressFamily::V4, false);
            assert_eq!(got, Kbps(answered), "{name} answered");
            if let Some(worst) = worst {
                assert_eq!(c.worst_case_kbps(AddressFamily::V4, false), Kbps(worst), "{name} worst case");
            }
        }
    }

    #[test]
    fn a_codec_without_ten_ms_frames_reserves_for_its_shortest_v19() {
        for (name, kbps) in [
            ("ILBC 16k", 32),          // 38 bytes every 20 ms: 31.2
            ("G.723.1 7k", 18),        // 24 bytes every 30 ms: 17.07
            ("GSM Full Rate 13k", 30), // 33 bytes every 20 ms: 29.2
            ("AMR (5k-13k)", 29),      // 31 bytes every 20 ms: 28.4
        ] {
            assert_eq!(codec(name).worst_case_kbps(AddressFamily::V4, false), Kbps(kbps), "{name}");
        }
    }

    #[test]
    fn ipv6_adds_twenty_bytes_and_srtp_ten() {
        for (family, srtp, kbps) in [
            (AddressFamily::V4, false, 24),
            (AddressFamily::V6, false, 32),
            (AddressFamily::V4, true, 28),
            (AddressFamily::V6, true, 36),
        ] {
            assert_eq!(ip_kbps(8_000, 20, family, srtp), Kbps(kbps), "{family:?} srtp {srtp}");
        }
    }

    #[test]
    fn an_answer_never_splits_a_frame() {
        for (bps, frame_ms, ptime_ms, same_as_ms) in [
            (6_300, 30, None, 30),
            (6_300, 30, Some(20), 30),
            (6_300, 30, Some(70), 60),
            (13_333, 30, Some(30), 30),
            (64_000, 10, Some(5), 5),
            (64_000, 10, Some(0), 20),
            (64_000, 10, None, 20),
        ] {
            let got = answered_kbps(bps, frame_ms, ptime_ms, AddressFamily::V4, false);
            assert_eq!(got, ip_kbps(bps, same_as_ms, AddressFamily::V4, false), "{bps} {frame_ms} {ptime_ms:?}");
        }
    }

    proptest! {
        #[test]
        fn no_rate_is_below_its_payload_nor_panics(bps: u32, ptime: u32, frame: u8, srtp: bool) {
            let got = ip_kbps(bps, ptime, AddressFamily::V6, srtp);
            prop_assert!(u64::from(got.0) * 1_000 >= u64::from(bps).min(u64::from(u32::MAX)));
            let _ = answered_kbps(bps, frame, Some(ptime), AddressFamily::V4, srtp);
            prop_assert!(worst_case_kbps(bps, frame, AddressFamily::V4, srtp).0 > 0);
        }
    }
}
