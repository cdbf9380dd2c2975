//! `explain codecs`: what the region leaves of an offer (M-3 to M-7, M-16, M-21).

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use emcc_codecs::catalogue::LinkLoss;
use emcc_codecs::sdp::Malformed;
use emcc_policies::region::{Allowed, Refusal, Region, Role, Step, Trail};
use serde::Serialize;

use super::{offer, plan};
use crate::cli::Answer;
use crate::cli::halt::Halt;

#[derive(Args)]
pub(crate) struct Codecs {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// A file with the session description offered
    #[arg(long, value_name = "SDPFILE")]
    offer: PathBuf,
    /// Link loss type for this question, in place of the configured one
    #[arg(long, value_name = "TYPE", value_parser = link_losses())]
    link_loss: Option<LinkLoss>,
    /// Audio cap for this question, in place of the configured one
    #[arg(long, value_name = "KBPS", value_parser = clap::value_parser!(u32).range(6..=510))]
    max_audio_kbps: Option<u32>,
    /// Print one JSON object on standard output
    #[arg(long)]
    pub(super) json: bool,
}

/// The two types as the configuration spells them.
fn link_losses() -> impl TypedValueParser<Value = LinkLoss> {
    PossibleValuesParser::new(["low-loss", "lossy"]).map(|name| match name.as_str() {
        "lossy" => LinkLoss::Lossy,
        _ => LinkLoss::LowLoss,
    })
}

/// The keys of the contract, in its order.
#[derive(Debug, Serialize)]
pub(crate) struct CodecsAnswer {
    codecs: Vec<String>,
    sdp: Option<String>,
    video_kbps: Option<u32>,
    because: Vec<String>,
}

impl Codecs {
    pub(super) fn answer(&self) -> Result<CodecsAnswer, Halt> {
        let plan = plan(&self.config)?;
        let offered = offer(&self.offer)?;
        let mut region = plan.feature.region.clone();
        region.link_loss = self.link_loss.unwrap_or(region.link_loss);
        region.audio_kbps = self.max_audio_kbps.unwrap_or(region.audio_kbps);
        answer(&region, &offered).map_err(|malformed| Halt::NoDescription(self.offer.clone(), malformed))
    }
}

/// What `region` leaves of an offer.
fn answer(region: &Region, offered: &[u8]) -> Result<CodecsAnswer, Malformed> {
    let (mut trail, mut out) = (Trail::new(), Vec::new());
    let shaped = match region.apply(offered, Role::Offer, Allowed::AudioAndVideo, &mut trail, &mut out) {
        Ok(shaped) => Some(shaped),
        Err(Refusal::NoCodecLeft) => None,
        Err(Refusal::Unreadable(malformed)) => return Err(malformed),
    };
    let cap = format!("audio cap {} kbps, {} list", region.audio_kbps, region.link_loss);
    let mut because: Vec<String> = std::iter::once(cap).chain(trail.iter().map(Step::to_string)).collect();
    if shaped.is_none() {
        because.push("no codec is left: 488 (M-6)".into());
    }
    Ok(CodecsAnswer {
        codecs: shaped.iter().flat_map(|shaped| shaped.names()).map(str::to_owned).collect(),
        sdp: shaped.is_some().then(|| String::from_utf8_lossy(&out).into_owned()),
        video_kbps: shaped.and_then(|shaped| shaped.video_kbps),
        because,
    })
}

impl Answer for CodecsAnswer {
    fn tell(&self, out: &mut dyn Write) -> io::Result<()> {
        let named = if self.codecs.is_empty() { "none".into() } else { self.codecs.join(", ") };
        writeln!(out, "codecs: {named}")?;
        if let Some(kbps) = self.video_kbps {
            writeln!(out, "video: {kbps} kbps")?;
        }
        if let Some(sdp) = &self.sdp {
            writeln!(out, "the description that would leave:")?;
            sdp.lines().try_for_each(|line| writeln!(out, "  {line}"))?;
        }
        super::reasons(&self.because, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(media: &str) -> Vec<u8> {
        format!("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n{media}").into_bytes()
    }

    #[test]
    fn nothing_left_is_an_answer_and_not_an_error() {
        let answer = answer(&Region::default(), &offered("m=audio 4000 RTP/AVP 0\r\n")).unwrap();
        assert_eq!((answer.codecs.len(), answer.sdp, answer.video_kbps), (0, None, None));
        assert_eq!(answer.because.last().map(String::as_str), Some("no codec is left: 488 (M-6)"));
    }

    #[test]
    fn an_offer_without_audio_leaves_as_it_came() {
        let offered = offered("m=image 0 udptl t38\r\n");
        let answer = answer(&Region::default(), &offered).unwrap();
        assert_eq!((answer.codecs.len(), answer.sdp), (0, String::from_utf8(offered).ok()));
    }

    /// M-21: the cap of a video call includes its audio.
    #[test]
    fn video_gets_what_the_audio_leaves_of_the_cap() {
        let region = Region { audio_kbps: 64, ..Region::default() };
        let offered = offered("m=audio 4000 RTP/AVP 0\r\nm=video 4002 RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\n");
        let answer = answer(&region, &offered).unwrap();
        assert_eq!((answer.codecs, answer.video_kbps), (vec!["PCMU".to_owned()], Some(320)));
    }

    #[test]
    fn what_is_no_description_is_an_error() {
        assert_eq!(answer(&Region::default(), b"hello").unwrap_err(), Malformed::NoVersion);
    }
}
