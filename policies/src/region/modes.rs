//! The modes of AMR and AMR-WB that an offer leaves its answer: they hold both ways, and an answer has those of its offer or
//! fewer (RFC 4867, section 8.3.1).

use emcc_codecs::catalogue::CodecId;
use smallvec::SmallVec;

/// What the formats of AMR and AMR-WB of an offer said of their modes as they left; as many as it had, which is at most what
/// a description may have of formats.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OfferedModes(SmallVec<[Offered; 4]>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Offered {
    codec: CodecId,
    payload_type: u8,
    /// A bit for each mode.
    set: u16,
}

impl OfferedModes {
    /// Adds those of a format that leaves.
    pub(super) fn note(&mut self, codec: CodecId, payload_type: u8, set: u16) {
        self.0.push(Offered { codec, payload_type, set });
    }

    /// The modes an answer may have of a codec, a bit for each: those offered under its payload type, else those of all
    /// formats of that codec. All where none was offered.
    pub(super) fn of(&self, codec: CodecId, payload_type: u8) -> u16 {
        let of_codec = || self.0.iter().filter(|offered| offered.codec == codec);
        let joined = of_codec().map(|offered| offered.set).reduce(|set, more| set | more);
        let same = of_codec().filter(|offered| offered.payload_type == payload_type);
        same.map(|offered| offered.set).reduce(|set, more| set | more).or(joined).unwrap_or(u16::MAX)
    }
}
