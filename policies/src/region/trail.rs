//! The reasons of a region decision, as facts that a log line, the admin page and a test can all read.

use std::fmt;

use emcc_codecs::catalogue::{EncodingName, LinkLoss};
use smallvec::SmallVec;

use super::Caps;

/// Reasons in the order they were met.
pub type Trail = SmallVec<[Step; 12]>;

/// Why a format was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Its check rate is above the audio cap (M-4).
    OverCap {
        /// Check rate in kbit/s.
        rate_kbps: u32,
        /// Cap in kbit/s.
        cap_kbps: u32,
    },
    /// Neither catalogue nor configuration knows it (M-24).
    NotInCatalogue,
    /// Its highest rate is above the cap and variable rates are excluded (M-16).
    VariableRateExcluded {
        /// Highest rate in kbit/s.
        highest_kbps: u32,
        /// Cap in kbit/s.
        cap_kbps: u32,
    },
    /// Its fmtp line cannot be made to hold it to the cap (M-16).
    Unbindable {
        /// Cap in kbit/s.
        cap_kbps: u32,
    },
    /// An answer has none of the modes its offer had, or nobody can tell which (RFC 4867, section 8.3.1).
    ModesNotOffered,
    /// A switch of the configuration takes it out (M-9, M-10).
    SwitchedOff,
    /// It is redundancy for formats that were all dropped (M-24).
    NoPrimaryLeft,
}

/// Why video does not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoVideo {
    /// Admission allowed audio only.
    AudioOnly,
    /// The audio takes the whole video call cap, or the cap is 0 (M-22).
    NoRoom {
        /// Video call cap in kbit/s.
        cap_kbps: u32,
        /// What audio takes of it in kbit/s.
        audio_kbps: u32,
    },
}

/// What a cap is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// Audio alone.
    Audio,
    /// A video call, its audio included.
    Video,
}

/// One reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The two clusters have caps that are not the same, and the lower one rules (M-8).
    LowerCap {
        /// What they are of.
        medium: Medium,
        /// Both.
        caps: Caps,
    },
    /// A format does not leave.
    Dropped {
        /// What the description calls it; its token where that is all there is.
        name: EncodingName,
        /// Its payload type.
        payload_type: Option<u8>,
        /// Why.
        why: Why,
    },
    /// A format is not within the region and leaves all the same, behind those that are: the call is an emergency (P-23).
    KeptBeyond {
        /// What the description calls it; its token where that is all there is.
        name: EncodingName,
        /// Its payload type.
        payload_type: Option<u8>,
        /// Why it would be dropped.
        why: Why,
    },
    /// A variable-rate format leaves, held to a rate: by the cap, or by the modes its offer had (M-16).
    Bounded {
        /// What the description calls it.
        name: EncodingName,
        /// Highest rate afterwards, in bit/s.
        bps: u32,
    },
    /// A format leaves without the rate it said, which is none.
    RateLeftOut {
        /// What the description calls it.
        name: EncodingName,
        /// Highest rate it is reckoned with, in bit/s.
        bps: u32,
    },
    /// G.729 is used without Annex B, because the offer had it so (M-19).
    NoAnnexB {
        /// Its payload type.
        payload_type: Option<u8>,
    },
    /// The formats stand in the order of this list (M-7).
    OrderedBy(LinkLoss),
    /// An audio stream had no codec left and was removed; others go on.
    AudioRemoved,
    /// Video leaves with this allowance (M-21, M-25).
    VideoBounded {
        /// Allowance in kbit/s.
        kbps: u32,
    },
    /// Video does not leave.
    VideoRemoved(NoVideo),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OverCap { rate_kbps, cap_kbps } => write!(f, "{rate_kbps} kbps is over the cap of {cap_kbps} kbps"),
            Self::NotInCatalogue => f.write_str("not in the codec table and no check rate configured"),
            Self::VariableRateExcluded { highest_kbps, cap_kbps } => {
                write!(f, "variable rate up to {highest_kbps} kbps, cap {cap_kbps} kbps")
            }
            Self::Unbindable { cap_kbps } => write!(f, "its parameters cannot hold it to {cap_kbps} kbps"),
            Self::ModesNotOffered => f.write_str("its modes are not those of the offer"),
            Self::SwitchedOff => f.write_str("switched off by advertise_g722_codec or opus_codec"),
            Self::NoPrimaryLeft => f.write_str("none of the formats it repeats is left"),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LowerCap { medium, caps: Caps { ours_kbps, theirs_kbps } } => {
                let medium = match medium {
                    Medium::Audio => "audio",
                    Medium::Video => "video",
                };
                if theirs_kbps < ours_kbps {
                    write!(f, "the other cluster's {medium} cap of {theirs_kbps} kbps rules: ours is {ours_kbps} kbps")
                } else {
                    write!(f, "our {medium} cap of {ours_kbps} kbps rules: the other cluster's is {theirs_kbps} kbps")
                }
            }
            Self::Dropped { name, payload_type: Some(number), why } => write!(f, "{name} ({number}) dropped: {why}"),
            Self::Dropped { name, payload_type: None, why } => write!(f, "{name} dropped: {why}"),
            Self::KeptBeyond { name, payload_type: Some(number), why } => {
                write!(f, "{name} ({number}) put last and kept for the emergency: {why}")
            }
            Self::KeptBeyond { name, payload_type: None, why } => {
                write!(f, "{name} put last and kept for the emergency: {why}")
            }
            Self::Bounded { name, bps } => write!(f, "{name} bounded to {bps} bit/s"),
            Self::RateLeftOut { name, bps } => {
                write!(f, "{name} without the rate it said, which is none: reckoned with {bps} bit/s")
            }
            Self::NoAnnexB { payload_type } => {
                write!(f, "G729 ({}) answered with annexb=no, as it was offered", payload_type.unwrap_or_default())
            }
            Self::OrderedBy(list) => write!(f, "ordered by the {list} list"),
            Self::AudioRemoved => f.write_str("an audio stream has no codec left: removed"),
            Self::VideoBounded { kbps } => write!(f, "video bounded to {kbps} kbps"),
            Self::VideoRemoved(NoVideo::AudioOnly) => f.write_str("video removed: admission allows audio only"),
            Self::VideoRemoved(NoVideo::NoRoom { cap_kbps, audio_kbps }) => {
                write!(f, "video removed: cap {cap_kbps} kbps, audio takes {audio_kbps} kbps")
            }
        }
    }
}
