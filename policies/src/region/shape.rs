//! A whole description against the region: every audio stream filtered and ordered, video given what audio leaves, and
//! the bandwidth the call will ask a link for.

use emcc_codecs::bandwidth::{AddressFamily, Kbps};
use emcc_codecs::catalogue::ToldBy;
use emcc_codecs::offer::{Edit, bounded_bps, has_mandatory_qos, has_qos, session_bps, write};
use emcc_codecs::sdp::{Direction, Malformed, Media, MediaKind, Session};
use smallvec::SmallVec;

use super::Region;
use super::judge::{Leaving, Leavings};
use super::modes::OfferedModes;
use super::trail::{Medium, NoVideo, Step, Trail};

/// Which half of an exchange a description is (RFC 3264).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Any of its codecs may be chosen: video is reckoned beside the dearest (M-25).
    Offer,
    /// Its first codec is what will be used: video is reckoned beside that (M-25).
    Answer,
    /// The same, to an offer that has G.729 without Annex B alone: the answer has it so too (M-19).
    AnswerWithoutAnnexB,
}

/// What admission lets the description carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// Everything.
    AudioAndVideo,
    /// No video: every video stream is removed.
    AudioOnly,
}

/// Why a description may not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Every active audio stream lost all its codecs: 488 (M-6).
    NoCodecLeft,
    /// It is none.
    Unreadable(Malformed),
}

/// Rates of one-way flows, named by the author of the description.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Directed {
    /// What the author sends.
    pub from_author: Kbps,
    /// What the author receives.
    pub to_author: Kbps,
}

impl Directed {
    fn add(&mut self, direction: Direction, kbps: Kbps) {
        if direction.sends {
            self.from_author.0 = self.from_author.0.saturating_add(kbps.0);
        }
        if direction.receives {
            self.to_author.0 = self.to_author.0.saturating_add(kbps.0);
        }
    }
}

/// A description as it leaves, and what a ledger needs to know of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shaped {
    /// Whether it differs from what came.
    pub changed: bool,
    /// Codecs of the first audio stream that leaves, in order; no telephone-event, comfort noise or red.
    pub codecs: SmallVec<[Leaving; 12]>,
    /// The codec of that stream with the highest worst-case rate.
    pub dearest: Option<Leaving>,
    /// The first codec of that stream.
    pub first: Option<Leaving>,
    /// `a=ptime` of that stream in ms.
    pub ptime_ms: Option<u32>,
    /// Which way that stream flows, seen by the author.
    pub direction: Direction,
    /// Address family of that stream.
    pub family: AddressFamily,
    /// Whether that stream is SRTP.
    pub srtp: bool,
    /// Audio streams that leave; rates add up over all of them.
    pub audio_streams: u8,
    /// Worst-case rates of all audio, headers included (V-18, V-20).
    pub worst_case: Directed,
    /// Rates of all audio with the first codec at the `a=ptime` given, headers included (V-18, V-20).
    pub answered: Directed,
    /// Payload rate of all video, in kbit/s without headers (V-21): at most the allowance of M-21, less where the
    /// description asks for less. `None` where no video leaves.
    pub video_kbps: Option<u32>,
    /// Which way video flows, seen by the author; streams taken together.
    pub video_direction: Direction,
    /// Whether an active stream carries `qos` precondition lines.
    pub has_qos: bool,
    /// Whether one of them is mandatory.
    pub has_mandatory_qos: bool,
    /// Whether it has G.729, and nowhere with Annex B (M-19).
    pub is_without_annex_b: bool,
    /// The modes that the formats of AMR and AMR-WB of an offer leave to its answer.
    pub modes: OfferedModes,
}

impl Shaped {
    /// SDP encoding names of the audio codecs in the order they leave.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.codecs.iter().map(|codec| codec.name.as_str())
    }

    /// Takes in an audio stream that leaves with the codecs in `leaving`; of the first they are in `codecs`, where it is
    /// `None`.
    fn add_audio(&mut self, media: &Media<'_>, others: Option<&Leavings>) {
        let (family, srtp) = (media.family, media.is_srtp());
        let leaving = others.unwrap_or(&self.codecs);
        let costs = leaving.iter().map(|codec| (codec.worst_case_kbps(family, srtp), codec));
        let Some((first, (worst_case, dearest))) = leaving.first().zip(costs.max_by_key(|(kbps, _)| *kbps)) else {
            return;
        };
        let answered = first.answered_kbps(media.ptime_ms, family, srtp);
        if others.is_none() {
            (self.dearest, self.first) = (Some(*dearest), Some(*first));
            self.ptime_ms = media.ptime_ms;
            self.direction = media.direction;
            self.family = family;
            self.srtp = srtp;
        }
        self.worst_case.add(media.direction, worst_case);
        self.answered.add(media.direction, answered);
        self.audio_streams = self.audio_streams.saturating_add(1);
    }
}

impl Region {
    /// [`apply_to`](Self::apply_to) where no modes were offered, as of an offer.
    ///
    /// # Errors
    /// As there.
    pub fn apply(
        &self,
        sdp: &[u8],
        role: Role,
        allowed: Allowed,
        trail: &mut Trail,
        out: &mut Vec<u8>,
    ) -> Result<Shaped, Refusal> {
        self.apply_to(sdp, role, &OfferedModes::default(), allowed, trail, out)
    }

    /// Judges a description and writes what leaves to the end of `out`; nothing is written on a refusal. Allocates only
    /// where `out` grows, or where a description has more lines or formats than any phone's.
    ///
    /// Streams already at port 0, fax and other media pass as they are; a description without active audio is not
    /// refused. `offered` are the modes of the offer that an answer is to. `trail` gets the reasons.
    ///
    /// # Errors
    /// [`Refusal`] where no codec is left or the bytes are no description.
    pub fn apply_to(
        &self,
        sdp: &[u8],
        role: Role,
        offered: &OfferedModes,
        allowed: Allowed,
        trail: &mut Trail,
        out: &mut Vec<u8>,
    ) -> Result<Shaped, Refusal> {
        let mut session = Session::unread();
        session.read(sdp).map_err(Refusal::Unreadable)?;
        let mut shaped =
            Shaped { has_qos: has_qos(&session), has_mandatory_qos: has_mandatory_qos(&session), ..Shaped::default() };
        self.note_lower_caps(&session, trail);
        let mut edits: SmallVec<[Edit; 3]> = SmallVec::new();
        let (mut offered_streams, mut audio_kbps) = (0usize, 0u32);
        let (mut with_annex_b, mut without_annex_b) = (false, false);
        for media in session.media() {
            if media.kind != MediaKind::Audio || !media.is_active() {
                edits.push(Edit::Leave);
                continue;
            }
            offered_streams += 1;
            // Those of the first stream that has any are written where they stay: moving them costs as much as ordering them.
            let mut others = Leavings::new();
            let is_first = shaped.audio_streams == 0;
            let leaving = if is_first { &mut shaped.codecs } else { &mut others };
            let verdicts = self.judge_stream(media, (role, offered), trail, leaving);
            for (codec, id) in leaving.iter().filter_map(|codec| Some((codec, codec.codec?))) {
                match id.codec().told_by {
                    ToldBy::Annexb(true) => with_annex_b = true,
                    ToldBy::Annexb(false) => without_annex_b = true,
                    ToldBy::ModeSet(_) if role == Role::Offer => shaped.modes.note(id, codec.payload_type, codec.modes),
                    _ => {}
                }
            }
            let counted = match role {
                Role::Offer => leaving.iter().map(|codec| codec.highest_bps).max(),
                Role::Answer | Role::AnswerWithoutAnnexB => leaving.first().map(|codec| codec.highest_bps),
            };
            match counted {
                Some(highest_bps) => {
                    audio_kbps = audio_kbps.saturating_add(highest_bps.div_ceil(1_000));
                    shaped.add_audio(media, (!is_first).then_some(&others));
                    edits.push(Edit::Formats(verdicts));
                }
                None => edits.push(Edit::Remove),
            }
        }
        if offered_streams > 0 && shaped.audio_streams == 0 {
            return Err(Refusal::NoCodecLeft);
        }
        shaped.is_without_annex_b = without_annex_b && !with_annex_b;
        if shaped.audio_streams > 0 {
            trail.push(Step::OrderedBy(self.link_loss));
        }
        trail.extend((usize::from(shaped.audio_streams)..offered_streams).map(|_| Step::AudioRemoved));
        self.shape_video(&session, allowed, audio_kbps, &mut edits, &mut shaped, trail);
        let session_kbps = shaped.video_kbps.map(|_| self.video_kbps);
        shaped.changed = write(&session, &edits, session_kbps, out);
        Ok(shaped)
    }

    /// Says whose cap rules, where those of the two clusters are not the same (M-8): once, however often an offer is looked
    /// at.
    fn note_lower_caps(&self, session: &Session<'_>, trail: &mut Trail) {
        for (medium, caps, kind) in
            [(Medium::Audio, self.audio_caps, MediaKind::Audio), (Medium::Video, self.video_caps, MediaKind::Video)]
        {
            let Some(caps) = caps else { continue };
            let step = Step::LowerCap { medium, caps };
            if session.media().iter().any(|media| media.kind == kind && media.is_active()) && !trail.contains(&step) {
                trail.push(step);
            }
        }
    }

    /// Bounds every active video stream to what audio leaves of the cap, or removes them all (M-21 to M-23). Streams
    /// share one allowance, which the session's own bandwidth line states as well.
    fn shape_video(
        &self,
        session: &Session<'_>,
        allowed: Allowed,
        audio_kbps: u32,
        edits: &mut [Edit],
        shaped: &mut Shaped,
        trail: &mut Trail,
    ) {
        let allowance_kbps = self.video_kbps.saturating_sub(audio_kbps);
        // What the whole session is said to take is the most that a stream of it takes.
        let of_session_kbps = session_bps(session, self.video_kbps).div_ceil(1_000);
        let allowance_kbps = u32::try_from(of_session_kbps).unwrap_or(u32::MAX).min(allowance_kbps);
        let verdict = match allowed {
            Allowed::AudioOnly => Err(NoVideo::AudioOnly),
            Allowed::AudioAndVideo if allowance_kbps == 0 => {
                Err(NoVideo::NoRoom { cap_kbps: self.video_kbps, audio_kbps })
            }
            Allowed::AudioAndVideo => Ok(allowance_kbps),
        };
        let mut asked_bps = None;
        let mut has_video = false;
        let blocks = session.media().iter().zip(edits);
        for (media, edit) in blocks.filter(|(m, _)| m.kind == MediaKind::Video && m.is_active()) {
            has_video = true;
            let Ok(kbps) = verdict else {
                *edit = Edit::Remove;
                continue;
            };
            *edit = Edit::Bandwidth { kbps };
            asked_bps = Some(bounded_bps(session, media, kbps).saturating_add(asked_bps.unwrap_or(0)));
            shaped.video_direction.sends |= media.direction.sends;
            shaped.video_direction.receives |= media.direction.receives;
        }
        let in_kbps = |bps: u64| u32::try_from(bps.div_ceil(1_000)).unwrap_or(u32::MAX).min(allowance_kbps);
        shaped.video_kbps = asked_bps.map(in_kbps);
        if has_video {
            trail.push(match verdict {
                Ok(kbps) => Step::VideoBounded { kbps },
                Err(why) => Step::VideoRemoved(why),
            });
        }
    }
}
