//! The EMCC region: which codecs a call may use, in which order, and how much of it may be video.
//!
//! One region holds for every call with an EMCC phone, whatever regions its parties are in (M-1). The cap filters, the
//! list of the link loss type orders (M-3 to M-5, M-7), and video gets what audio leaves of its cap (M-21).
//! [`judge`](Region::judge) decides one format, [`apply`](Region::apply) a whole description.

mod judge;
mod modes;
mod shape;
mod trail;

pub use judge::Leaving;
pub use modes::OfferedModes;
pub use shape::{Allowed, Directed, Refusal, Role, Shaped};
pub use trail::{Medium, NoVideo, Step, Trail, Why};

use emcc_codecs::catalogue::LinkLoss;

/// What becomes of codecs whose encoder moves between rates: Opus, AMR and AMR-WB (M-16).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VariableRate {
    /// Admitted only where their highest rate is within the cap.
    #[default]
    Exclude,
    /// Admitted where their lowest rate is within the cap, and their encoder held to the cap in the description.
    Bound,
}

impl VariableRate {
    /// The word of the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exclude => "exclude",
            Self::Bound => "bound",
        }
    }
}

/// A check rate the configuration gives: for a codec of the catalogue in place of its own, or for a format the
/// catalogue does not have, which then counts as an audio codec of that rate, ranked last (M-24).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckRate {
    /// SDP encoding name, compared without case.
    pub encoding: Box<str>,
    /// Rate compared with the audio cap, in kbit/s of payload.
    pub check_kbps: u32,
}

/// The two switches of call control that take a codec out of every call, whatever the cap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SwitchedOff {
    /// G.722 is not advertised: it does not leave (M-10), and Opus needs it (M-9).
    pub g722: bool,
    /// Opus is not enabled (M-9).
    pub opus: bool,
}

/// The region parameters of EMCC calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// Highest audio check rate, in kbit/s of payload, 6 to 510.
    pub audio_kbps: u32,
    /// Highest rate of a video call, its audio included, in kbit/s, 0 to 8128; 0 means no video.
    pub video_kbps: u32,
    /// Which preference list orders the codecs.
    pub link_loss: LinkLoss,
    /// How variable-rate codecs meet the cap.
    pub variable_rate: VariableRate,
    /// Codecs that are not to leave.
    pub switched_off: SwitchedOff,
    /// Check rates from the configuration; the first of a name counts.
    pub check_rates: Box<[CheckRate]>,
    /// What is not within the region stays, behind all that is: an emergency call is not to fail because the only codec
    /// its two ends share costs too much (P-23).
    pub keeps_beyond: bool,
    /// The audio caps of which `audio_kbps` is the lower one (M-8); none where they are one.
    pub audio_caps: Option<Caps>,
    /// The video caps of which `video_kbps` is the lower one (M-8); none where they are one.
    pub video_caps: Option<Caps>,
}

/// Caps of the two clusters of a call that are not the same, in kbit/s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// This cluster's.
    pub ours_kbps: u32,
    /// The other cluster's.
    pub theirs_kbps: u32,
}

impl Caps {
    fn of(ours_kbps: u32, theirs_kbps: u32) -> Option<Self> {
        (ours_kbps != theirs_kbps).then_some(Self { ours_kbps, theirs_kbps })
    }
}

impl Default for Region {
    /// The feature's own defaults: 8 kbit/s audio, 384 kbit/s video, low loss.
    fn default() -> Self {
        Self {
            audio_kbps: 8,
            video_kbps: 384,
            link_loss: LinkLoss::LowLoss,
            variable_rate: VariableRate::Exclude,
            switched_off: SwitchedOff::default(),
            check_rates: Box::default(),
            keeps_beyond: false,
            audio_caps: None,
            video_caps: None,
        }
    }
}

/// The region parameters we know a remote cluster to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerRegion {
    /// Its audio cap in kbit/s.
    pub audio_kbps: u32,
    /// Its video cap in kbit/s, audio included.
    pub video_kbps: u32,
    /// Its link loss type.
    pub link_loss: LinkLoss,
}

impl Region {
    /// The same region for an emergency call: it orders, and takes no audio codec out (P-23). Copies the check rates: for
    /// configuration time.
    #[must_use]
    pub fn of_emergency(&self) -> Self {
        Self { keeps_beyond: true, ..self.clone() }
    }

    /// The region of calls with a remote cluster, and whether its parameters differ from ours: the lower of each cap,
    /// our own list (M-8). A cluster we know nothing of counts as equal. Copies the check rates: for configuration
    /// time, not for every call.
    #[must_use]
    pub fn meet(&self, theirs: Option<PeerRegion>) -> (Self, bool) {
        let Some(theirs) = theirs else { return (self.clone(), false) };
        let ours = PeerRegion { audio_kbps: self.audio_kbps, video_kbps: self.video_kbps, link_loss: self.link_loss };
        let met = Self {
            audio_kbps: self.audio_kbps.min(theirs.audio_kbps),
            video_kbps: self.video_kbps.min(theirs.video_kbps),
            audio_caps: Caps::of(self.audio_kbps, theirs.audio_kbps),
            video_caps: Caps::of(self.video_kbps, theirs.video_kbps),
            ..self.clone()
        };
        (met, ours != theirs)
    }
}
