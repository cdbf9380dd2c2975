//! One call at one cluster, as `explain call` shows it: the decision, the rules behind it, and what came after them.

use std::io::{self, Write};

use emcc_codecs::catalogue::EncodingName;
use emcc_codecs::keys;
use emcc_codecs::sdp::{Malformed, MediaKind, Session};
use emcc_policies::digits::Digits;
use emcc_policies::moment::Civil;
use emcc_policies::region::{self, Allowed, Region, Shaped};
use emcc_policies::route::PeerKind;
use emcc_policies::search_space::{PatternId, Target as RowTarget};
use emcc_policies::trail::{Names, Step};
use serde::Serialize;

use super::alternatives::{self, Alternative};
use super::who;
use crate::cli::Answer;
use crate::cli::named::NamedNeighbours;
use crate::config::Places;
use crate::config::plan::{Plan, Side};
use crate::engine::decide::{Decision, NextHop, Question, Target};
use crate::engine::reject::{Refusal, Reject};
use crate::engine::turns::Turns;
use crate::engine::unsent::{self, Sender};
use crate::neighbour::Transport;

/// What is dialed.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Dialed {
    /// A number as it was written.
    Number(Box<str>),
    Service(Box<str>),
}

/// A cluster that can be asked.
pub(super) struct Cluster {
    pub(super) plan: Plan,
    /// Where its rows were written.
    pub(super) places: Places,
    /// What the addresses of neighbours given by name stand for.
    pub(super) named: NamedNeighbours,
}

/// A call as it reaches a cluster.
pub(super) struct Asked {
    pub(super) caller: who::Caller,
    /// The transport it comes over, where that is known.
    pub(super) over: Option<Transport>,
    pub(super) to: Dialed,
    pub(super) calling: Option<Digits>,
    /// The session description offered.
    pub(super) offer: Option<Vec<u8>>,
    /// Marked by the home cluster (P-23).
    pub(super) is_marked_emergency: bool,
    /// Whether it is told what else matched, which takes a look at every row.
    pub(super) with_alternatives: bool,
    pub(super) at: Civil,
}

/// What became of a call at a cluster.
pub(super) struct Walked {
    pub(super) answer: CallAnswer,
    /// The call as it reaches the cluster whose trunk is the first hop.
    pub(super) onwards: Option<Onwards>,
}

/// A call that leaves over a trunk.
pub(super) struct Onwards {
    /// ID of the cluster.
    pub(super) cluster: Box<str>,
    pub(super) over: Transport,
    pub(super) device: Option<String>,
    pub(super) to: Dialed,
    pub(super) calling: Option<Digits>,
    pub(super) offer: Option<Vec<u8>>,
    pub(super) is_emergency: bool,
}

/// The keys of the contract, in its order.
#[derive(Serialize)]
pub(crate) struct CallAnswer {
    pub(super) cluster: String,
    pub(super) role: &'static str,
    pub(super) caller: Caller,
    /// The gateway it comes from, for people.
    #[serde(skip)]
    gateway: Option<String>,
    pub(super) css: Vec<String>,
    #[serde(rename = "match")]
    pub(super) matched: Option<Match>,
    pub(super) translations: Vec<String>,
    pub(super) emergency: bool,
    pub(super) outcome: &'static str,
    pub(super) called: Option<String>,
    pub(super) calling: Option<String>,
    pub(super) next_hops: Vec<Hop>,
    pub(super) status: Option<u16>,
    pub(super) codecs: Option<Vec<String>>,
    pub(super) because: Vec<String>,
    /// The rules passed, the last one that won last.
    pub(super) rules: Vec<Rule>,
    /// What lost or was left out; none where nobody looked.
    pub(super) alternatives: Option<Vec<Alternative>>,
    /// The same call at the cluster its first hop leads to, where that one's configuration is there.
    pub(super) remote: Option<Box<CallAnswer>>,
}

#[derive(Serialize)]
pub(super) struct Rule {
    pub(super) pattern: String,
    pub(super) partition: Option<String>,
    pub(super) file: String,
    pub(super) line: u32,
}

#[derive(Serialize)]
pub(super) struct Caller {
    pub(super) device: Option<String>,
    pub(super) user: Option<String>,
    pub(super) home_cluster: Option<String>,
    pub(super) visiting_cluster: Option<String>,
    pub(super) device_pool: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Match {
    pub(super) pattern: String,
    pub(super) partition: Option<String>,
    pub(super) kind: &'static str,
}

#[derive(Serialize)]
pub(super) struct Hop {
    pub(super) name: String,
    pub(super) address: String,
    pub(super) called: Option<String>,
}

impl Cluster {
    /// Asks what live calls are asked, and tells it.
    ///
    /// # Errors
    /// The offer is no session description.
    pub(super) fn walk(&self, asked: Asked) -> Result<Walked, Malformed> {
        let plan = &self.plan;
        let Asked { caller, over, to, calling, offer, is_marked_emergency, with_alternatives, at } = asked;
        // Of whoever is behind a gateway the number is all there is, and the one the call comes with.
        let calling = calling.or_else(|| caller.gateway.and(caller.number));
        let target = match &to {
            Dialed::Number(written) => {
                let called = plan.emergency.read(&plan.dial_plan, written.as_bytes());
                called.map_or(Target::Other, Target::Digits)
            }
            Dialed::Service(uri) => Target::Service(uri.as_bytes()),
        };
        let question = Question {
            source: caller.source,
            device: caller.device.as_deref().map(str::as_bytes),
            session: caller.session,
            registered_there: None,
            phone: None,
            on_selected_trunk: true,
            numbers: [caller.number, None],
            aside: None,
            calling,
            target,
            named: Default::default(),
            is_routed: false,
            is_marked_emergency,
            is_believed: true,
            turns: Turns::at(0),
            at,
        };
        let sender = caller.sender(plan, over);
        let mut decision = unsent::decided(plan, &question, sender);
        let left = leaving(plan, &mut decision, sender, offer.as_deref())?;
        let (codecs, leaves) = left.unzip();
        let marked = caller.device.filter(|_| decision.device.is_none() && decision.session.is_none());
        let first = decision.next_hops.first().copied();
        let onwards = first.and_then(|hop| match hop.to {
            NextHop::Remote(id) => {
                let to = hop.called.map_or_else(|| to.clone(), |number| Dialed::Number(number.as_str().into()));
                let device = decision.device_name(plan).map(str::to_owned);
                let (calling, is_emergency) = (hop.calling.or(calling), decision.emergency);
                let cluster = plan.remote_cluster(id)?.id.clone();
                let over = hop.address.transport;
                Some(Onwards { cluster, over, device, to, calling, offer: leaves.flatten(), is_emergency })
            }
            _ => None,
        });
        let mut answer = CallAnswer::of(self, &decision, Extra { marked, calling, codecs });
        answer.gateway = caller.gateway.and_then(|id| plan.peer(id)).map(|peer| peer.name.to_string());
        let passed = decision.translations.iter().copied().chain(decision.matched);
        answer.rules = passed.map(|id| rule(plan, &self.places, id)).collect();
        if with_alternatives {
            answer.alternatives = Some(alternatives::of(self, &decision, &target, at));
        }
        Ok(Walked { answer, onwards })
    }
}

pub(super) fn rule(plan: &Plan, places: &Places, id: PatternId) -> Rule {
    let (file, line) = places.of_row(id).unwrap_or_default();
    let partition = plan.dial_plan.row(id).and_then(|row| row.partition);
    Rule {
        pattern: plan.pattern(id).to_owned(),
        partition: partition.map(|id| plan.partition(id).to_owned()),
        file: file.to_owned(),
        line,
    }
}

/// What the answer has beside the decision.
struct Extra {
    /// A device the INVITE is marked with, where this cluster has none of that name.
    marked: Option<String>,
    calling: Option<Digits>,
    codecs: Option<Vec<String>>,
}

/// What region, link and SRTP keys make of a call, in the order of live ones: where it is refused it says so, and what leaves
/// of its offer, which an emergency takes along as it came where no codec is left (P-23).
///
/// # Errors
/// The offer is no session description.
fn leaving(
    plan: &Plan,
    decision: &mut Decision,
    sender: Sender,
    offered: Option<&[u8]>,
) -> Result<Option<Left>, Malformed> {
    let session = offered.map(Session::parse).transpose()?;
    let nothing = || offered.map(|_| (Vec::new(), None));
    if decision.refusal.is_some() {
        return Ok(nothing());
    }
    let refuse = |decision: &mut Decision, why| {
        decision.next_hops.clear();
        decision.refusal = Some(why);
        Ok(nothing())
    };
    let region = decision.link.and_then(|link| plan.remote_cluster(link)).map(|remote| &remote.region);
    let mut left = session.as_ref().zip(offered).map(|(session, offered)| (named(session), Some(offered.to_vec())));
    let mut shaped = None;
    if let (Some(region), Some(offered)) = (region, offered) {
        match shape(region, decision, offered, Allowed::AudioAndVideo) {
            Ok((what, leaves)) => (shaped, left) = (Some(what), Some(leaves)),
            Err(region::Refusal::Unreadable(malformed)) => return Err(malformed),
            Err(region::Refusal::NoCodecLeft) if decision.emergency => decision.trail.push(Step::CodecsKept),
            Err(region::Refusal::NoCodecLeft) => return refuse(decision, Refusal::NoCodecLeft),
        }
    }
    match unsent::admitted(plan, decision, sender, shaped.as_ref()) {
        Err(why) => return refuse(decision, why),
        Ok(Allowed::AudioAndVideo) => {}
        Ok(allowed) => {
            let again = region.zip(offered).map(|(region, offered)| shape(region, decision, offered, allowed));
            left = again.and_then(Result::ok).map(|(_, leaves)| leaves).or(left);
        }
    }
    let Some(offered) = offered else { return Ok(None) };
    match unsent::keyed(plan, decision, sender, offered) {
        Err(why) => refuse(decision, why),
        Ok(true) => Ok(left.map(|(codecs, leaves)| without_keys(leaves.as_deref()).unwrap_or((codecs, leaves)))),
        Ok(false) => Ok(left),
    }
}

/// Names of the codecs that leave, and the description they leave in.
type Left = (Vec<String>, Option<Vec<u8>>);

/// What a region leaves of an offer; its steps are the decision's.
fn shape(
    region: &Region,
    decision: &mut Decision,
    offered: &[u8],
    allowed: Allowed,
) -> Result<(Shaped, Left), region::Refusal> {
    let (mut trail, mut leaves) = (region::Trail::from_slice(&decision.region_trail), Vec::new());
    let shaped = region.apply(offered, region::Role::Offer, allowed, &mut trail, &mut leaves);
    decision.region_trail = trail.as_slice().into();
    let shaped = shaped?;
    let codecs = shaped.names().map(str::to_owned).collect();
    Ok((shaped, (codecs, Some(leaves))))
}

/// The same without its SRTP keys.
fn without_keys(leaves: Option<&[u8]>) -> Option<Left> {
    let mut bare = Vec::new();
    keys::write_without(&Session::parse(leaves?).ok()?, &mut bare);
    let codecs = named(&Session::parse(&bare).ok()?);
    Some((codecs, Some(bare)))
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
    fn of(Cluster { plan, named, .. }: &Cluster, decision: &Decision, extra: Extra) -> Self {
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
            gateway: None,
            css: decision.css.iter().map(|css| plan.css(*css).to_owned()).collect(),
            matched: matched(plan, decision),
            translations: decision.translations.iter().map(|id| plan.pattern(*id).to_owned()).collect(),
            emergency: decision.emergency,
            outcome: match first.map(|hop| hop.to) {
                None => "reject",
                Some(NextHop::Remote(_)) => "emcc-trunk",
                Some(NextHop::Peer(id)) if plan.routes.kind(id) == Some(PeerKind::Gateway) => "gateway",
                Some(NextHop::Peer(_) | NextHop::Named) => "call-control",
                Some(NextHop::Phone { .. }) => "phone",
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
                        NextHop::Named | NextHop::Phone { .. } => None,
                    }
                    .unwrap_or_default(),
                    address: named.shown(hop.address),
                    called: hop.called.map(text),
                })
                .collect(),
            status,
            codecs: extra.codecs,
            because,
            rules: Vec::new(),
            alternatives: None,
            remote: None,
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
        if let Some(gateway) = &self.gateway {
            write!(out, " from gateway {gateway}")?;
        }
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
        for Rule { pattern, file, line, .. } in &self.rules {
            writeln!(out, "  {pattern} is written at {file}:{line}")?;
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
        super::reasons(&self.because, out)?;
        alternatives::tell(self.alternatives.as_deref().unwrap_or_default(), out)?;
        match &self.remote {
            Some(remote) => {
                writeln!(out, "\nthen, at the cluster it goes to:")?;
                remote.tell(out)
            }
            None => Ok(()),
        }
    }
}

fn or_none(names: &[String]) -> String {
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codecs_of_an_unshaped_offer_keep_their_order_and_leave_tones_out() {
        let offered = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
            m=audio 4000 RTP/AVP 9 0 13 101\r\na=rtpmap:101 telephone-event/8000\r\n";
        assert_eq!(named(&Session::parse(offered).unwrap()), ["G722", "PCMU"]);
    }
}
