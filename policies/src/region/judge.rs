//! One format against the region: the switches and the cap first, then its place in the list (M-3 to M-5, M-9, M-10,
//! M-16, M-24).

use emcc_codecs::bandwidth::{AddressFamily, Kbps, answered_kbps, worst_case_kbps};
use emcc_codecs::catalogue::{CodecId, EncodingName, Named, ToldBy, decimal, highest_mode_bps, variant};
use emcc_codecs::offer::{
    Bound, Placed, RANK_BEYOND, RANK_FOLLOWS, RANK_OWN, Verdict, Verdicts, bound_within, without_annex_b,
    without_stray_rate,
};
use emcc_codecs::sdp::{Format, Media};
use smallvec::SmallVec;

use super::modes::OfferedModes;
use super::shape::Role;
use super::trail::{Step, Trail, Why};
use super::{Region, SwitchedOff, VariableRate};

/// An audio codec that leaves, and what its bandwidth is reckoned from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaving {
    /// SDP encoding name: the catalogue's spelling, or the description's for a format of the configuration.
    pub name: EncodingName,
    /// Its row, unless it is a format of the configuration.
    pub codec: Option<CodecId>,
    /// RTP payload type.
    pub payload_type: u8,
    /// Highest payload rate in bit/s as it leaves.
    pub highest_bps: u32,
    /// Shortest frame in ms, 10 where it may be shorter.
    pub frame_ms: u8,
    /// The modes of AMR and AMR-WB that it leaves with, a bit for each; all ones where that cannot be read, which rules
    /// nothing out, and of any other codec.
    pub modes: u16,
}

impl Leaving {
    /// Highest payload rate in kbit/s, rounded up: what M-21 takes from the video call cap.
    #[must_use]
    pub fn payload_kbps(&self) -> u32 {
        self.highest_bps.div_ceil(1_000)
    }

    /// Rate of a first reservation, one way (V-18, V-19).
    #[must_use]
    pub fn worst_case_kbps(&self, family: AddressFamily, srtp: bool) -> Kbps {
        worst_case_kbps(self.highest_bps, self.frame_ms, family, srtp)
    }

    /// Rate once the packet length is known (20 ms where an answer names none), one way (V-18).
    #[must_use]
    pub fn answered_kbps(&self, ptime_ms: Option<u32>, family: AddressFamily, srtp: bool) -> Kbps {
        answered_kbps(self.highest_bps, self.frame_ms, ptime_ms, family, srtp)
    }
}

/// Codecs that leave, in their order.
pub(super) type Leavings = SmallVec<[Leaving; 12]>;

/// What the rules make of a format that leaves, apart from its name: small enough to be handed about in registers.
#[derive(Clone, Copy)]
struct Judged {
    codec: Option<CodecId>,
    payload_type: u8,
    highest_bps: u32,
    frame_ms: u8,
    modes: u16,
}

impl Judged {
    fn payload_kbps(self) -> u32 {
        self.highest_bps.div_ceil(1_000)
    }

    /// The same with the name of its `format`.
    fn named(self, format: &Format<'_>) -> Leaving {
        let Self { codec, payload_type, highest_bps, frame_ms, modes } = self;
        let own = || format.encoding.map_or(EncodingName::of(format.token), |own| EncodingName::of(own.name));
        Leaving { name: codec.map_or_else(own, CodecId::name), codec, payload_type, highest_bps, frame_ms, modes }
    }
}

impl Region {
    /// Decides one audio codec: whether it may leave, how, and what it may cost then.
    ///
    /// # Errors
    /// [`Why`] it may not.
    pub fn judge(&self, format: &Format<'_>) -> Result<(Verdict, Leaving), Why> {
        let (verdict, judged) = self.judge_within(format, self.audio_kbps, &OfferedModes::default())?;
        Ok((verdict, judged.named(format)))
    }

    fn judge_within(
        &self,
        format: &Format<'_>,
        cap_kbps: u32,
        offered: &OfferedModes,
    ) -> Result<(Verdict, Judged), Why> {
        let (Some(encoding), Some(payload_type)) = (format.encoding, format.payload_type) else {
            return Err(Why::NotInCatalogue);
        };
        let configured_kbps = self.configured_kbps(encoding.name);
        let row = if let Named::Codec(first) = format.named { variant(first, &encoding, format.fmtp) } else { None };
        let Some(variant) = row else {
            // A known codec in a shape the table lacks, L16/44100 for one, has a rate of its own that a check rate
            // given by name does not tell.
            let check_kbps = configured_kbps.filter(|_| !is_catalogued(format.named)).ok_or(Why::NotInCatalogue)?;
            within_cap(check_kbps, cap_kbps)?;
            let highest_bps = check_kbps.saturating_mul(1_000);
            let frame_ms = OWN_FRAME_MS;
            let judged = Judged { codec: None, payload_type, highest_bps, frame_ms, modes: u16::MAX };
            return Ok((Verdict::Keep { rank: RANK_OWN }, judged));
        };
        let codec = variant.id.codec();
        self.switched_on(variant.id)?;
        within_cap(configured_kbps.unwrap_or(codec.check_kbps), cap_kbps)?;
        let rank = codec.rank(self.link_loss);
        let has_modes = matches!(codec.told_by, ToldBy::ModeSet(_));
        let offered = if has_modes { offered.of(variant.id, payload_type) } else { u16::MAX };
        let stated = variant.modes.filter(|_| format.fmtp_lines <= 1);
        let narrowed = narrowed(stated, codec.told_by, offered)?;
        let narrowed_to = narrowed.and_then(|(bound, _)| bound.modes());
        let judged = Judged {
            codec: Some(variant.id),
            payload_type,
            highest_bps: narrowed.map_or(variant.highest_bps, |(_, highest_bps)| highest_bps),
            frame_ms: variant.frame_ms,
            modes: narrowed_to.or(stated).unwrap_or(u16::MAX),
        };
        let cap_bps = cap_kbps.saturating_mul(1_000);
        if !codec.is_variable_rate() || judged.highest_bps <= cap_bps {
            let bound = narrowed.map(|(bound, _)| bound).or_else(|| without_stray_rate(variant));
            let verdict = bound.map_or(Verdict::Keep { rank }, |bound| Verdict::Bound { rank, bound });
            return Ok((verdict, judged));
        }
        match self.variable_rate {
            VariableRate::Exclude => Err(Why::VariableRateExcluded { highest_kbps: judged.payload_kbps(), cap_kbps }),
            VariableRate::Bound => {
                let (bound, highest_bps) =
                    bound_within(format, variant, cap_bps, offered).ok_or(Why::Unbindable { cap_kbps })?;
                let modes = bound.modes().unwrap_or(judged.modes);
                Ok((Verdict::Bound { rank, bound }, Judged { highest_bps, modes, ..judged }))
            }
        }
    }

    /// What a call may cost whose offer is still to come: the worst-case rate of the dearest codec the cap admits, one
    /// way, and what M-21 leaves for video beside the dearest payload.
    #[must_use]
    pub fn dearest_within_cap(&self, family: AddressFamily, srtp: bool) -> (Kbps, u32) {
        let catalogued = CodecId::all().filter_map(|id| {
            let codec = id.codec();
            self.switched_on(id).ok()?;
            let check_kbps = self.configured_kbps(codec.encoding?.as_bytes()).unwrap_or(codec.check_kbps);
            let bps = if check_kbps > self.audio_kbps { None } else { self.highest_bps_within_cap(id) };
            Some((bps?, codec.shortest_frame_ms))
        });
        let own = self
            .check_rates
            .iter()
            .filter(|rate| rate.check_kbps <= self.audio_kbps && !is_catalogued(Named::of(rate.encoding.as_bytes())))
            .map(|rate| (rate.check_kbps.saturating_mul(1_000), OWN_FRAME_MS));
        let (mut dearest, mut payload_bps) = (Kbps(0), 0);
        for (bps, frame_ms) in catalogued.chain(own) {
            dearest = dearest.max(worst_case_kbps(bps, frame_ms, family, srtp));
            payload_bps = payload_bps.max(bps);
        }
        (dearest, self.video_kbps.saturating_sub(payload_bps.div_ceil(1_000)))
    }

    /// Judges every format of an audio stream, tells the trail what happened, and adds the codecs that leave to `leaving`.
    pub(super) fn judge_stream(
        &self,
        media: &Media<'_>,
        (role, offered): (Role, &OfferedModes),
        trail: &mut Trail,
        leaving: &mut Leavings,
    ) -> Verdicts {
        let mut verdicts = Verdicts::new();
        // Of each format that leaves its place in the list, and of each place what was judged.
        let mut order: SmallVec<[Placed; 12]> = SmallVec::new();
        let mut codecs: SmallVec<[(u8, Judged); 12]> = SmallVec::new();
        let mut has_red = false;
        for (place, format) in (0..).zip(&media.formats) {
            let is_red = format.named == Named::Redundancy;
            has_red |= is_red;
            let verdict = if is_red || format.named == Named::Follower && format.payload_type.is_some() {
                Verdict::Keep { rank: RANK_FOLLOWS }
            } else {
                match self.judge_within(format, self.audio_kbps, offered) {
                    Ok((verdict, codec)) => {
                        let rank = match verdict {
                            Verdict::Keep { rank } => rank,
                            Verdict::Bound { rank, bound } => {
                                let Leaving { name, highest_bps: bps, .. } = codec.named(format);
                                trail.push(match bound {
                                    Bound::NoAverageBitrate | Bound::NoBitrate => Step::RateLeftOut { name, bps },
                                    _ => Step::Bounded { name, bps },
                                });
                                rank
                            }
                            Verdict::Drop => RANK_FOLLOWS,
                        };
                        order.push(Placed::new(rank, u8::try_from(codecs.len()).unwrap_or(u8::MAX)));
                        codecs.push((place, codec));
                        verdict
                    }
                    Err(why) if self.keeps_beyond => {
                        trail.push(Step::KeptBeyond { name: name_of(format), payload_type: format.payload_type, why });
                        // What it costs is known where the catalogue or the configuration knows it.
                        if let Ok((_, codec)) = self.judge_within(format, NO_CAP_KBPS, &OfferedModes::default()) {
                            order.push(Placed::new(RANK_BEYOND, u8::try_from(codecs.len()).unwrap_or(u8::MAX)));
                            codecs.push((place, codec));
                        }
                        Verdict::Keep { rank: RANK_BEYOND }
                    }
                    Err(why) => {
                        trail.push(dropped(format, why));
                        Verdict::Drop
                    }
                }
            };
            verdicts.push(match verdict {
                Verdict::Keep { rank } if role == Role::AnswerWithoutAnnexB => match without_annex_b(format) {
                    Some(bound) => {
                        trail.push(Step::NoAnnexB { payload_type: format.payload_type });
                        Verdict::Bound { rank, bound }
                    }
                    None => verdict,
                },
                _ => verdict,
            });
        }
        if has_red {
            drop_idle_redundancy(media, &mut verdicts, trail);
        }
        order.sort_unstable();
        for (place, codec) in order.iter().filter_map(|placed| codecs.get(placed.place())) {
            if let Some(format) = media.formats.get(usize::from(*place)) {
                leaving.push(codec.named(format));
            }
        }
        verdicts
    }

    /// Whether neither switch takes the codec out (M-9, M-10).
    fn switched_on(&self, id: CodecId) -> Result<(), Why> {
        let is = |name: &str| id.codec().encoding.is_some_and(|own| own.eq_ignore_ascii_case(name));
        match self.switched_off {
            SwitchedOff { g722: false, opus: false } => Ok(()),
            SwitchedOff { g722: true, .. } if is("G722") => Err(Why::SwitchedOff),
            SwitchedOff { .. } if is("opus") => Err(Why::SwitchedOff),
            SwitchedOff { .. } => Ok(()),
        }
    }

    fn configured_kbps(&self, name: &[u8]) -> Option<u32> {
        self.check_rates.iter().find(|r| r.encoding.as_bytes().eq_ignore_ascii_case(name)).map(|r| r.check_kbps)
    }

    /// Highest rate in bit/s a catalogue codec may leave with, its check rate already being within the cap.
    fn highest_bps_within_cap(&self, id: CodecId) -> Option<u32> {
        let codec = id.codec();
        let cap_bps = self.audio_kbps.saturating_mul(1_000);
        if !codec.is_variable_rate() || codec.highest_bps <= cap_bps {
            return Some(codec.highest_bps);
        }
        match codec.told_by {
            // A description may itself hold a variable-rate codec below the cap, so even where they are excluded
            // such a call may come up to it.
            ToldBy::AverageBitrate => Some(cap_bps),
            ToldBy::ModeSet(rates) => {
                let set = (0u16..).zip(rates).filter(|(_, bps)| **bps <= cap_bps).fold(0, |set, (m, _)| set | 1 << m);
                highest_mode_bps(set, rates)
            }
            _ => None,
        }
    }
}

/// A cap no codec is beyond, and that still fits 32 bits in bit/s.
const NO_CAP_KBPS: u32 = u32::MAX / 1_000;

fn within_cap(rate_kbps: u32, cap_kbps: u32) -> Result<(), Why> {
    if rate_kbps > cap_kbps { Err(Why::OverCap { rate_kbps, cap_kbps }) } else { Ok(()) }
}

/// What holds an answer's format of these `stated` modes to those `offered`, and its highest rate in bit/s then; nothing where it has no others.
fn narrowed(stated: Option<u16>, told_by: ToldBy, offered: u16) -> Result<Option<(Bound, u32)>, Why> {
    let ToldBy::ModeSet(rates) = told_by else { return Ok(None) };
    if (0..).zip(rates).all(|(mode, _): (u32, _)| offered >> mode & 1 == 1) {
        return Ok(None);
    }
    let stated = stated.ok_or(Why::ModesNotOffered)?;
    let set = stated & offered;
    let highest_bps = highest_mode_bps(set, rates).ok_or(Why::ModesNotOffered)?;
    Ok((set != stated).then_some((Bound::Modes { set }, highest_bps)))
}

/// Frame of a format of the configuration: nothing says it cannot be sent every 10 ms.
const OWN_FRAME_MS: u8 = 10;

fn dropped(format: &Format<'_>, why: Why) -> Step {
    Step::Dropped { name: name_of(format), payload_type: format.payload_type, why }
}

fn name_of(format: &Format<'_>) -> EncodingName {
    let spelled = format.encoding.map_or(format.token, |encoding| encoding.name);
    match format.named {
        // As the catalogue spells it, which has it ready to be kept.
        Named::Codec(id) if id.codec().encoding.is_some_and(|own| own.as_bytes() == spelled) => id.name(),
        _ => EncodingName::of(spelled),
    }
}

/// Drops redundancy that has nothing left to repeat.
fn drop_idle_redundancy(media: &Media<'_>, verdicts: &mut Verdicts, trail: &mut Trail) {
    for at in 0..verdicts.len() {
        let Some(format) = media.formats.get(at).filter(|f| f.named == Named::Redundancy) else { continue };
        if !has_primary_left(format, media, verdicts)
            && let Some(verdict) = verdicts.get_mut(at)
        {
            *verdict = Verdict::Drop;
            trail.push(dropped(format, Why::NoPrimaryLeft));
        }
    }
}

/// Whether the catalogue has the name: tells a known codec in an unknown shape from an unknown codec.
fn is_catalogued(named: Named) -> bool {
    matches!(named, Named::Codec(_))
}

/// Whether redundancy still has something to repeat: its fmtp lists payload types with slashes between (RFC 2198).
fn has_primary_left(red: &Format<'_>, media: &Media<'_>, verdicts: &[Verdict]) -> bool {
    red.fmtp.split(|b| *b == b'/').filter_map(|token| decimal(token.trim_ascii())).any(|primary| {
        let mut judged = media.formats.iter().zip(verdicts);
        judged.any(|(f, v)| {
            f.payload_type.map(u32::from) == Some(primary) && f.named != Named::Redundancy && *v != Verdict::Drop
        })
    })
}
