//! Nodes that pass on what was made up, and what must become of each claim in it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use emcc_trunk::sip::{Index, Name, scan};

use crate::node::{BR, CC_HQ, GW_BR_1, GW_HQ, HQ, Node, Out, Sent};
use crate::spelling::{Claim, Dice, Kind, Weaver, Woven};
use crate::view::shown;
use crate::wire::{Dialog, Request, alice, audio, bob, from_hq, stand};

/// Who a neighbour is to policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Party {
    /// Believed, not told of places.
    Control,
    /// Not believed and not told, and some headers it may not send.
    Gateway,
    /// Believed and told.
    Trunk,
}

/// What becomes of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    /// Not an octet of it leaves.
    Gone,
    /// It leaves as it came.
    Kept,
    /// Nobody promises either.
    Either,
}

/// A message the node sent, and what must be in it.
pub(crate) struct Emitted {
    pub(crate) sent: Sent,
    pub(crate) claims: Vec<(Claim, Fate)>,
    /// What the node heard before it.
    pub(crate) heard: Vec<u8>,
}

/// Everything that was played.
#[derive(Default)]
pub(crate) struct Played {
    pub(crate) emitted: Vec<Emitted>,
    pub(crate) heard: BTreeMap<&'static str, usize>,
    pub(crate) fates: BTreeMap<(Kind, Fate), usize>,
    /// Whether the call at hand is an emergency call: what is out of form is no reason to refuse it.
    is_urgent: bool,
}

/// A way through a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    FromGateway,
    ToGateway,
    ToTrunk,
    FromTrunk,
    UrgentToGateway,
    UrgentToTrunk,
    UrgentFromTrunk,
}

const WAYS: [Way; 7] = [
    Way::FromGateway,
    Way::ToGateway,
    Way::ToTrunk,
    Way::FromTrunk,
    Way::UrgentToGateway,
    Way::UrgentToTrunk,
    Way::UrgentFromTrunk,
];

impl Way {
    fn node(self) -> Node {
        const RULES: &str = "trust_identity = false\nheaders_removed = [\"History-Info\", \"x-secret\", \"s\"]\n";
        match self {
            Self::FromTrunk | Self::UrgentFromTrunk => {
                Node::br_with(&[("name = \"gw-br-1\"\n", &format!("name = \"gw-br-1\"\n{RULES}"))])
            }
            _ => Node::hq_with(&[("name = \"gw-hq\"\n", &format!("name = \"gw-hq\"\n{RULES}"))]),
        }
    }

    fn parties(self) -> (Party, Party) {
        match self {
            Self::FromGateway => (Party::Gateway, Party::Control),
            Self::ToGateway | Self::UrgentToGateway => (Party::Control, Party::Gateway),
            Self::ToTrunk | Self::UrgentToTrunk => (Party::Control, Party::Trunk),
            Self::FromTrunk | Self::UrgentFromTrunk => (Party::Trunk, Party::Gateway),
        }
    }

    fn ends(self) -> (SocketAddr, SocketAddr) {
        match self {
            Self::FromGateway => (GW_HQ, CC_HQ),
            Self::ToGateway | Self::UrgentToGateway => (CC_HQ, GW_HQ),
            Self::ToTrunk | Self::UrgentToTrunk => (CC_HQ, BR),
            Self::FromTrunk | Self::UrgentFromTrunk => (HQ, GW_BR_1),
        }
    }

    fn is_urgent(self) -> bool {
        matches!(self, Self::UrgentToGateway | Self::UrgentToTrunk | Self::UrgentFromTrunk)
    }

    fn invite(self) -> Request {
        let invite = match self {
            Self::FromGateway => Request::new("INVITE", GW_HQ, HQ, "12025550199", "5002"),
            Self::ToGateway => bob("912025550123"),
            Self::ToTrunk => alice("901614960000"),
            Self::FromTrunk => from_hq("02079460000"),
            Self::UrgentToGateway => bob("911"),
            Self::UrgentToTrunk => alice("9999"),
            Self::UrgentFromTrunk => from_hq("999").header("Priority: emergency"),
        };
        invite.body(&audio("0 18"))
    }
}

/// What must become of a claim that is passed on.
fn fate(claim: &Claim, woven: &Woven, (from, to): (Party, Party), way: Way, is_request: bool) -> Fate {
    use Fate::{Either, Gone, Kept};
    match claim.kind {
        Kind::Free => Kept,
        Kind::Nowhere | Kind::Preferred => Gone,
        Kind::Asserted | Kind::RemoteParty | Kind::AccessNetwork => {
            if from == Party::Gateway || (to == Party::Gateway && !woven.is_public) { Gone } else { Kept }
        }
        Kind::Diversion | Kind::Resource => {
            if from == Party::Gateway && is_request {
                Gone
            } else {
                Kept
            }
        }
        Kind::Device => {
            if from == Party::Gateway || to == Party::Gateway {
                Gone
            } else {
                Either
            }
        }
        Kind::Icon | Kind::Privacy => Kept,
        Kind::Place => {
            if to == Party::Trunk {
                Kept
            } else {
                Gone
            }
        }
        Kind::Urgent => match from {
            // A call that is none with it is no emergency call, and it no mark.
            Party::Trunk if way == Way::FromTrunk && is_request => Either,
            Party::Trunk => Kept,
            Party::Control | Party::Gateway if is_request => Gone,
            Party::Control | Party::Gateway => Either,
        },
        // In place of any other a trunk gets ours.
        Kind::Calm if way == Way::UrgentToTrunk && is_request => Either,
        Kind::Calm => Kept,
        Kind::Listed => {
            if from == Party::Gateway {
                Gone
            } else {
                Kept
            }
        }
    }
}

/// Plays rounds from a seed.
pub(crate) fn play(seed: u64, rounds: usize) -> Played {
    let (mut dice, mut played) = (Dice::new(seed), Played::default());
    for round in 0..rounds {
        let way = WAYS[round % WAYS.len()];
        let mut node = way.node();
        for _ in 0..ROUND {
            match dice.below(4) {
                0 => within(way, &mut node, &mut dice, &mut played),
                1 if !way.is_urgent() => outside(way, &mut node, &mut dice, &mut played),
                _ => call(way, &mut node, &mut dice, &mut played),
            }
        }
    }
    played
}

/// What one node is told before the next one is made: calls on one link have room for no more.
const ROUND: usize = 12;

impl Played {
    /// What came of a message from one end of a way, on its way to the other.
    fn note(&mut self, woven: &Woven, out: &Out, way: Way, is_back: bool, is_request: bool, what: &'static str) {
        *self.heard.entry(what).or_default() += 1;
        let ((caller, callee), (near, far)) = (way.ends(), way.parties());
        let (to, parties) = if is_back { (caller, (far, near)) } else { (callee, (near, far)) };
        for sent in &out.0 {
            // What the node says itself, every CANCEL too, has nothing of what was said to it.
            let is_passed = sent.to == to && sent.what() == woven.what() && what != "CANCEL";
            assert!(!is_passed || !woven.is_slip || self.is_urgent, "passed on: {}", shown(&woven.bytes));
            let fate =
                |claim: &Claim| if is_passed { fate(claim, woven, parties, way, is_request) } else { Fate::Gone };
            let claims: Vec<_> = woven.claims.iter().map(|claim| (claim.clone(), fate(claim))).collect();
            if is_passed {
                for (claim, fate) in &claims {
                    *self.fates.entry((claim.kind, *fate)).or_default() += 1;
                }
            }
            self.emitted.push(Emitted { sent: sent.clone(), claims, heard: woven.bytes.clone() });
        }
        let told = match out.0.iter().any(|sent| sent.to == to && sent.what() == woven.what()) {
            true if woven.is_slip => "mended and passed on",
            true => "passed on",
            false if woven.is_slip => "out of form and not passed on",
            false => "not passed on",
        };
        *self.heard.entry(told).or_default() += 1;
    }
}

/// A new call and its answer.
fn call(way: Way, node: &mut Node, dice: &mut Dice, played: &mut Played) {
    let invite = way.invite();
    let woven = weave(&invite, dice);
    let (caller, callee) = way.ends();
    let is_marked = woven.claims.iter().any(|claim| claim.kind == Kind::Urgent);
    played.is_urgent = way.is_urgent() || way == Way::FromTrunk && is_marked;
    let out = node.hear(caller, woven.bytes.clone());
    played.note(&woven, &out, way, false, true, "INVITE");
    let Some(sent) = out.0.into_iter().find(|sent| sent.to == callee && sent.what() == "INVITE") else { return };
    if dice.once_in(6) {
        let woven = weave(&Request { content_type: String::new(), ..invite.cancel() }, dice);
        let out = node.hear(caller, woven.bytes.clone());
        played.note(&woven, &out, way, false, true, "CANCEL");
    }
    let statuses: &[u16] =
        if way.is_urgent() { &[180, 183, 200] } else { &[100, 180, 183, 200, 302, 407, 486, 488, 500, 603] };
    for _ in 0..2 {
        let status = dice.of(statuses);
        let woven = answer(&sent, status, dice);
        let out = node.hear(callee, woven.bytes.clone());
        played.note(&woven, &out, way, true, false, "response to INVITE");
    }
}

/// A request that sets up no call.
fn outside(way: Way, node: &mut Node, dice: &mut Dice, played: &mut Played) {
    played.is_urgent = false;
    let method = dice.of(&["MESSAGE", "OPTIONS", "SUBSCRIBE", "REFER", "NOTIFY", "PUBLISH", "X-OTHER", "INFO"]);
    let mut request = Request { method: method.to_owned(), body: String::new(), ..way.invite() };
    request.content_type = "text/plain".to_owned();
    passes(way, false, &request, "request outside a dialog", node, dice, played);
}

/// Requests in a call that stands, from either side.
fn within(way: Way, node: &mut Node, dice: &mut Dice, played: &mut Played) {
    let mut call = stand(node, way.invite(), &audio("18"));
    played.is_urgent = way.is_urgent();
    for _ in 0..2 {
        let method = dice.of(&["INFO", "UPDATE", "INVITE", "MESSAGE", "OPTIONS", "REFER", "NOTIFY", "X-OTHER", "BYE"]);
        let is_back = dice.once_in(2);
        let end: &mut Dialog = if is_back { &mut call.callee } else { &mut call.caller };
        let mut request = end.request(method);
        if matches!(method, "UPDATE" | "INVITE") {
            request = request.body(&audio("18"));
        }
        passes(way, is_back, &request, "request in a call", node, dice, played);
        if method == "BYE" {
            break;
        }
    }
}

fn passes(
    way: Way,
    is_back: bool,
    request: &Request,
    what: &'static str,
    node: &mut Node,
    dice: &mut Dice,
    played: &mut Played,
) {
    let (caller, callee) = way.ends();
    let (from, to) = if is_back { (callee, caller) } else { (caller, callee) };
    let woven = weave(request, dice);
    let out = node.hear(from, woven.bytes.clone());
    played.note(&woven, &out, way, is_back, true, what);
    let Some(sent) = out.0.into_iter().find(|sent| sent.to == to && sent.what() == request.method) else { return };
    let woven = answer(&sent, dice.of(&[200, 200, 202, 404, 480]), dice);
    let out = node.hear(to, woven.bytes.clone());
    played.note(&woven, &out, way, !is_back, false, "response to another request");
}

/// A request of the tests, spelled by the dice.
fn weave(request: &Request, dice: &mut Dice) -> Woven {
    let Request { method, uri, at, branch, from, to, call_id, cseq, .. } = request;
    let mut via = match dice.below(6) {
        0 => format!("SIP/2.0/UDP {at} ;branch={branch}"),
        1 => format!("SIP/2.0/UDP {at};rport; branch = {branch}"),
        // No comma in the quotation marks: to Kamailio it ends the Via.
        2 => format!("SIP/2.0/UDP {at};x=\"a;branch=no\";BRANCH={branch}"),
        3 => format!("SIP/2.0/UDP {at};branch={branch};received=203.0.113.7"),
        4 => format!("SIP / 2.0\r\n / UDP {at};branch={branch}"),
        _ => format!("SIP/2.0/UDP {at};branch={branch}"),
    };
    let more = "SIP/2.0/TCP 10.0.0.9;branch=z9hG4bK-0;x=\"<\"";
    let mut needed = Vec::new();
    match dice.below(4) {
        0 => via += &format!("{}{more}", dice.of(&[",", " , ", ",\r\n "])),
        1 => needed.push(("Via", more.to_owned())),
        _ => {}
    }
    needed.insert(0, ("Via", via));
    let display = dice.of(&[
        "",
        "",
        "Bob ",
        "\"A, <B>\" ",
        "\"a \\\"b\\\" ;tag=no\"",
        "\"\u{fc}\"\t",
        "\"a\r\n b\" ",
        "\"\\\\\" ",
        "\"sip:x@h;tag=no\" ",
    ]);
    // Addresses of these tests stand in angle brackets.
    needed.push((
        "From",
        format!(
            "{display}{}",
            from.replace(";tag=", dice.of(&[";tag=", " ; tag = ", ";x=\"a;tag=no\";tag=", ";TAG="]))
        ),
    ));
    needed.push(("To", to.clone()));
    needed.push(("Call-ID", call_id.clone()));
    // No fold between number and method: Kamailio cannot read it.
    needed.push(("CSeq", format!("{cseq}{}{method}", dice.of(&[" ", " ", "  ", "\t"]))));
    needed.push(("Max-Forwards", dice.of(&["70", "070", "5"]).to_owned()));
    if dice.once_in(4) {
        needed.push(("Record-Route", "<sip:10.0.0.9;lr>, \"x,\" <sip:10.0.0.8;lr>".to_owned()));
    }
    let plain: Vec<_> = request.more.iter().map(|line| format!("{line}\r\n").into_bytes()).collect();
    let content = (request.content_type.as_str(), request.body.as_str());
    let content = if content.0.is_empty() { ("text/plain", "") } else { content };
    Weaver::new(dice).message(&format!("{method} {uri} SIP/2.0"), &needed, &plain, content)
}

/// An answer to what the node sent, spelled by the dice.
fn answer(request: &Sent, status: u16, dice: &mut Dice) -> Woven {
    let mut index = Index::default();
    let message = scan(&request.bytes, &mut index).unwrap();
    let mut copied = Vec::new();
    let tag = dice.of(&[";tag=b1", " ; tag = b1", ";x=\"tag=no\";tag=b1"]);
    for field in message.fields() {
        let value = message.text(field.value);
        match field.name {
            Name::To => {
                let tag = if value.windows(4).any(|part| part == b"tag=") || status == 100 { "" } else { tag };
                copied.push([b"t: ", value, tag.as_bytes(), b"\r\n"].concat());
            }
            Name::Via | Name::From | Name::CallId | Name::CSeq | Name::RecordRoute => {
                copied.push(message.text(field.line).to_vec());
            }
            _ => {}
        }
    }
    let is_invite = request.what() == "INVITE";
    let contact = format!("<sip:callee@{}>", request.to);
    let body = if is_invite && status < 300 && status > 100 { audio("18") } else { String::new() };
    let reason = dice.of(&["OK", "", "So: it is", "\u{fc}\u{1f4de}", "P-Asserted-Identity: <sip:x@h>"]);
    Weaver::new(dice).message(
        &format!("SIP/2.0 {status} {reason}"),
        &[("Contact", contact)],
        &copied,
        ("application/sdp", &body),
    )
}
