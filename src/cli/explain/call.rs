//! `explain call`: where a call would go and why, decided by the function that decides live calls.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use emcc_codecs::catalogue::EncodingName;
use emcc_codecs::sdp::{MediaKind, Session};
use emcc_policies::digits::{Digits, dialable};
use emcc_policies::moment::Civil;
use emcc_policies::region::{self, Allowed};
use emcc_policies::route::PeerKind;
use emcc_policies::search_space::Target as RowTarget;
use emcc_policies::trail::Names;
use serde::Serialize;

use super::{instant, offer, plan, who};
use crate::cli::Answer;
use crate::cli::halt::Halt;
use crate::config::plan::{Plan, Side};
use crate::engine::decide::{Decision, NextHop, Question, Target, decide};
use crate::engine::reject::{Refusal, Reject};
use crate::io::Clock;

#[derive(Args)]
pub(crate) struct Call {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Who calls: a directory number, a user id or a device name
    #[arg(long, value_name = "WHO")]
    from: String,
    /// What is dialed: digits, or a urn:service
    #[arg(long, value_name = "DIGITS", value_parser = target)]
    to: Dialed,
    /// Where the INVITE comes from: local, or the remote cluster whose trunk brings it, marked with device WHO
    #[arg(long, value_name = "SOURCE", default_value = "local")]
    via: String,
    /// A file with the session description offered
    #[arg(long, value_name = "SDPFILE")]
    offer: Option<PathBuf>,
    /// The calling number
    #[arg(long, value_name = "NUMBER", value_parser = digits)]
    calling: Option<Digits>,
    /// When, as 2026-03-29T01:00:00Z or in Unix seconds; now unless given
    #[arg(long, value_name = "UTC", value_parser = instant::parse, allow_hyphen_values = true)]
    at: Option<Civil>,
    /// Print one JSON object on standard output
    #[arg(long)]
    pub(super) json: bool,
}

/// What is dialed.
#[derive(Clone)]
enum Dialed {
    Number(Digits),
    Service(Box<str>),
}

fn target(text: &str) -> Result<Dialed, &'static str> {
    match text.get(..SERVICE.len()) {
        Some(head) if head.eq_ignore_ascii_case(SERVICE) => Ok(Dialed::Service(text.into())),
        _ => digits(text).map(Dialed::Number),
    }
}

const SERVICE: &str = "urn:service:";

fn digits(text: &str) -> Result<Digits, &'static str> {
    let digits = dialable(text.as_bytes()).ok().filter(|digits| !digits.is_empty());
    digits.ok_or("a number has the digits 0-9, *, #, + and A-D, at most 48 of them")
}

/// The keys of the contract, in its order.
#[derive(Serialize)]
pub(crate) struct CallAnswer {
    cluster: String,
    role: &'static str,
    caller: Caller,
    css: Vec<String>,
    #[serde(rename = "match")]
    matched: Option<Match>,
    translations: Vec<String>,
    emergency: bool,
    outcome: &'static str,
    called: Option<String>,
    calling: Option<String>,
    next_hops: Vec<Hop>,
    status: Option<u16>,
    codecs: Option<Vec<String>>,
    because: Vec<String>,
}

#[derive(Serialize)]
struct Caller {
    device: Option<String>,
    user: Option<String>,
    home_cluster: Option<String>,
    visiting_cluster: Option<String>,
    device_pool: Option<String>,
}

#[derive(Serialize)]
struct Match {
    pattern: String,
    partition: Option<String>,
    kind: &'static str,
}

#[derive(Serialize)]
struct Hop {
    name: String,
    address: String,
    called: Option<String>,
}

impl Call {
    pub(super) fn answer(&self) -> Result<CallAnswer, Halt> {
        let plan = plan(&self.config)?;
        let caller = who::find(&plan, &self.from, &self.via)?;
        let offered = self.offer.as_deref().map(offer).transpose()?;
        let mut decision = decide(
            &plan,
            &Question {
                source: caller.source,
                device: caller.device.as_deref().map(str::as_bytes),
                on_selected_trunk: true,
                numbers: [caller.number, None],
                calling: self.calling,
                target: match &self.to {
                    Dialed::Number(digits) => Target::Digits(*digits),
                    Dialed::Service(uri) => Target::Service(uri.as_bytes()),
                },
                named: None,
                is_routed: false,
                is_marked_emergency: false,
                is_believed: true,
                turn: 0,
                at: self.at.unwrap_or_else(|| Clock::start().now().civil),
            },
        );
        let codecs = match (offered, &self.offer) {
            (Some(offered), Some(path)) => Some(
                leaving(&plan, &mut decision, &offered)
                    .map_err(|malformed| Halt::NoDescription(path.clone(), malformed))?,
            ),
            _ => None,
        };
        let marked = caller.device.filter(|_| decision.device.is_none() && decision.session.is_none());
        Ok(CallAnswer::of(&plan, &decision, Extra { marked, calling: self.calling, codecs }))
    }
}

/// What the answer has beside the decision.
struct Extra {
    /// A device the INVITE is marked with, where this cluster has none of that name.
    marked: Option<String>,
    calling: Option<Digits>,
    codecs: Option<Vec<String>>,
}

/// The codecs of an offer that leave with the call, which is refused where none is left (M-6), unless it is an
/// emergency, which takes its offer along as it came (P-23).
fn leaving(plan: &Plan, decision: &mut Decision, offered: &[u8]) -> Result<Vec<String>, emcc_codecs::sdp::Malformed> {
    let session = Session::parse(offered)?;
    if decision.refusal.is_some() {
        return Ok(Vec::new());
    }
    let Some(remote) = decision.link.and_then(|link| plan.remote_cluster(link)) else { return Ok(named(&session)) };
    let mut trail = region::Trail::new();
    let shaped = remote.region.apply(offered, region::Role::Offer, Allowed::AudioAndVideo, &mut trail, &mut Vec::new());
    decision.region_trail = trail;
    match shaped {
        Ok(shaped) => Ok(shaped.names().map(str::to_owned).collect()),
        Err(region::Refusal::Unreadable(malformed)) => Err(malformed),
        Err(region::Refusal::NoCodecLeft) if decision.emergency => Ok(named(&session)),
        Err(region::Refusal::NoCodecLeft) => {
            decision.next_hops.clear();
            decision.refusal = Some(Refusal::NoCodecLeft);
            Ok(Vec::new())
        }
    }
}

/// The audio codecs of the first audio stream as they stand in it.
fn named(session: &Session<'_>) -> Vec<String> {
    let audio = session.media().iter().find(|media| media.kind == MediaKind::Audio && media.is_active());
    let encodings = audio.into_iter().flat_map(|media| &media.formats).filter_map(|format| format.encoding);
    let is_speech =
        |name: &[u8]| !["telephone-event", "CN", "red"].iter().any(|n| n.as_bytes().eq_ignore_ascii_case(name));
    encodings
        .map(|e| e.name)
        .filter(|name| is_speech(name))
        .map(|name| EncodingName::of(name).as_str().into())
        .collect()
}

impl CallAnswer {
    fn of(plan: &Plan, decision: &Decision, extra: Extra) -> Self {
        let first = decision.next_hops.first();
        let status = decision.refusal.map(|refusal| Reject::Refusal(refusal).answer().status);
        let mut because = decision.reasons(plan);
        if let Some(refusal) = decision.refusal {
            let answer = Reject::Refusal(refusal).answer();
            because.push(format!("rejected: {} {}", answer.status, answer.phrase));
        }
        Self {
            cluster: plan.cluster.id.to_string(),
            role: decision.role.word(),
            caller: caller(plan, decision, extra.marked),
            css: decision.css.iter().map(|css| plan.css(*css).to_owned()).collect(),
            matched: matched(plan, decision),
            translations: decision.translations.iter().map(|id| plan.pattern(*id).to_owned()).collect(),
            emergency: decision.emergency,
            outcome: match first.map(|hop| hop.to) {
                None => "reject",
                Some(NextHop::Remote(_)) => "emcc-trunk",
                Some(NextHop::Peer(id)) if plan.routes.kind(id) == Some(PeerKind::Gateway) => "gateway",
                Some(NextHop::Peer(_) | NextHop::Named) => "call-control",
            },
            called: first.and_then(|hop| hop.called).map(text),
            calling: first.and_then(|hop| hop.calling.or(extra.calling)).map(text),
            next_hops: decision
                .next_hops
                .iter()
                .map(|hop| Hop {
                    name: match hop.to {
                        NextHop::Remote(id) => plan.remote_cluster(id).map(|remote| remote.id.to_string()),
                        NextHop::Peer(id) => plan.peer(id).map(|peer| peer.name.to_string()),
                        NextHop::Named => None,
                    }
                    .unwrap_or_default(),
                    address: hop.address.to_string(),
                    called: hop.called.map(text),
                })
                .collect(),
            status,
            codecs: extra.codecs,
            because,
        }
    }
}

fn text(digits: Digits) -> String {
    digits.to_string()
}

/// The caller; user and clusters only of an EMCC session.
fn caller(plan: &Plan, decision: &Decision, marked: Option<String>) -> Caller {
    let own = || plan.cluster.id.to_string();
    let remote = |id| plan.remote_cluster(id).map(|remote| remote.id.to_string());
    let session = decision.session.and_then(|id| plan.session(id));
    let (home_cluster, visiting_cluster) = match session.map(|session| &session.side) {
        Some(Side::Home { visiting, .. }) => (Some(own()), remote(*visiting)),
        Some(Side::Visiting { home }) => (remote(*home), Some(own())),
        None => (None, None),
    };
    let device = decision.device.and_then(|id| plan.device(id)).map(|device| device.name.to_string());
    Caller {
        device: device.or_else(|| session.map(|session| session.device.to_string())).or(marked),
        user: session.map(|session| session.user.to_string()),
        home_cluster,
        visiting_cluster,
        device_pool: decision.device_pool.and_then(|id| plan.device_pool(id)).map(|pool| pool.name.to_string()),
    }
}

fn matched(plan: &Plan, decision: &Decision) -> Option<Match> {
    let row = plan.dial_plan.row(decision.matched?)?;
    Some(Match {
        pattern: row.pattern.text().to_owned(),
        partition: row.partition.map(|id| plan.partition(id).to_owned()),
        kind: match row.target {
            RowTarget::RouteList(_) => "route",
            RowTarget::Block => "block",
            RowTarget::DirectoryNumber { .. } => "directory-number",
            RowTarget::Translate { .. } => "translation",
        },
    })
}

impl Answer for CallAnswer {
    fn tell(&self, out: &mut dyn Write) -> io::Result<()> {
        let Caller { device, user, home_cluster, visiting_cluster, device_pool } = &self.caller;
        write!(out, "cluster {}, {} call", self.cluster, self.role)?;
        if let Some(device) = device {
            write!(out, " of {device}")?;
        }
        if let (Some(user), Some(home), Some(visiting)) = (user, home_cluster, visiting_cluster) {
            write!(out, ", {user} of {home} visiting {visiting}")?;
        }
        writeln!(out, "{}", device_pool.as_ref().map(|pool| format!(", device pool {pool}")).unwrap_or_default())?;
        writeln!(out, "search space: {}", or_none(&self.css))?;
        if !self.translations.is_empty() {
            writeln!(out, "translated by: {}", self.translations.join(", "))?;
        }
        match &self.matched {
            Some(Match { pattern, partition: Some(partition), kind }) => {
                writeln!(out, "match: {pattern} in {partition} ({kind})")?;
            }
            Some(Match { pattern, partition: None, kind }) => writeln!(out, "match: {pattern} ({kind})")?,
            None => writeln!(out, "match: none")?,
        }
        if self.emergency {
            writeln!(out, "emergency: yes")?;
        }
        match self.status {
            Some(status) => writeln!(out, "outcome: {}, status {status}", self.outcome)?,
            None => writeln!(out, "outcome: {}", self.outcome)?,
        }
        for (place, Hop { name, address, called }) in (1..).zip(&self.next_hops) {
            writeln!(out, "  {place}. {name} at {address}, called {}", called.as_deref().unwrap_or("as it came"))?;
        }
        if let Some(calling) = &self.calling {
            writeln!(out, "calling: {calling}")?;
        }
        if let Some(codecs) = &self.codecs {
            writeln!(out, "codecs: {}", or_none(codecs))?;
        }
        super::reasons(&self.because, out)
    }
}

fn or_none(names: &[String]) -> String {
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dialed_is_a_number_or_a_service() {
        for (text, number) in
            [("911", Some("911")), ("+1 (919)", None), ("+1-919", Some("+1919")), ("*9#", Some("*9#"))]
        {
            let got = match target(text) {
                Ok(Dialed::Number(digits)) => Some(digits.to_string()),
                _ => None,
            };
            assert_eq!(got.as_deref(), number, "{text}");
        }
        assert!(matches!(target("URN:service:sos"), Ok(Dialed::Service(_))));
        assert!(target("").is_err() && target("alice").is_err());
    }

    #[test]
    fn codecs_of_an_unshaped_offer_keep_their_order_and_leave_tones_out() {
        let offered = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
            m=audio 4000 RTP/AVP 9 0 13 101\r\na=rtpmap:101 telephone-event/8000\r\n";
        assert_eq!(named(&Session::parse(offered).unwrap()), ["G722", "PCMU"]);
    }
}
