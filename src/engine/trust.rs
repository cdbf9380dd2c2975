//! Where trust ends: asserted identities (RFC 3325), locations (RFC 6442) and what tells of a device are taken off what
//! leaves towards a neighbour that is not told them, and identities of one that is not believed, with its requests' claims to
//! precedence (RFC 4412) and to have been diverted here (RFC 5806). With them go the headers its sender may not send
//! (`headers_removed`).
//!
//! A neighbour is believed and told unless its `trust_identity` says no; locations leave where its `send_geolocation` says
//! so. `Privacy: none` keeps an identity on its way out, as RFC 3325 section 7 demands; `P-Preferred-Identity` is a wish to
//! who authenticates, which this node does not, and never leaves (section 9.2).

use emcc_policies::digits::Digits;
use emcc_policies::route::PeerKind;
use emcc_policies::trail::{Step, Trail};
use smallvec::SmallVec;

use super::Turn;
use super::decide::NextHop;
use super::media::Body;
use crate::config::plan::{Neighbour, Plan, Trust};
use crate::neighbour::headers::Headers;
use crate::sip::multipart::{self, Left};
use crate::sip::{Editor, Message, Name, Start};

/// What comes off a message on its way from one neighbour to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Crossing {
    /// Asserted identities.
    pub(crate) identity: bool,
    /// Locations.
    pub(crate) location: bool,
    /// Resource-Priority and Diversion of a request.
    pub(crate) claims: bool,
    /// What its sender may not send.
    pub(crate) headers: Headers,
    /// Wishes for an identity.
    pub(crate) wishes: bool,
    /// Marks of phones (P-13), and the headers besides Call-Info that may carry one.
    pub(crate) marks: Option<Headers>,
}

impl Crossing {
    /// Nothing is kept from anybody.
    pub(crate) const FREE: Self =
        Self { identity: false, location: false, claims: false, headers: Headers::NONE, wishes: false, marks: None };

    /// Whether nothing is.
    pub(crate) fn is_free(&self) -> bool {
        *self == Self::FREE
    }

    /// What comes off `message` between those two.
    pub(crate) fn of(message: &Message<'_>, from: Trust, to: Trust) -> Self {
        let is_private = !message.tokens(Name::Privacy).any(|word| word.eq_ignore_ascii_case(b"none"));
        let identity = !from.identity || (!to.identity && is_private);
        let claims = !from.identity && matches!(message.start(), Start::Request { .. });
        Self { identity, location: !to.location, claims, wishes: true, ..Self::FREE }
    }

    /// Takes the headers off.
    pub(crate) fn write(&self, editor: &mut Editor, message: &Message<'_>) {
        for (place, field) in message.fields().iter().enumerate() {
            let goes = match field.name {
                Name::PPreferredIdentity => self.wishes,
                Name::PAssertedIdentity | Name::RemotePartyId | Name::PAccessNetworkInfo => self.identity,
                Name::Geolocation | Name::GeolocationRouting => self.location,
                Name::ResourcePriority | Name::Diversion => self.claims,
                _ => false,
            };
            let text = message.text(field.name_span);
            let is_mark = self.marks.as_ref().is_some_and(|marks| marks.hold(field.name, text));
            if goes || is_mark || self.headers.hold(field.name, text) {
                editor.remove_field(message, place);
            }
        }
        if self.marks.is_some() && !self.headers.hold(Name::CallInfo, b"") {
            editor.remove_values(message, Name::CallInfo, |text| {
                // What we would not read as a mark, a more lenient reader behind us might: quoted, or in a value that is none.
                [&b"emcc-device"[..], b"urn:emcc:device"].iter().any(|mark| holds(text, mark))
            });
        }
    }
}

/// Whether a text holds this word anywhere, in any case.
pub(crate) fn holds(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
}

/// What of the marks of phones comes off between two neighbours: all, unless the one is believed and the other is told. Of a new
/// call its decision says more.
fn marks(plan: &Plan, from: Option<Neighbour>, to: Option<Neighbour>) -> Option<Headers> {
    let has_part = |neighbour| match neighbour {
        Some(Neighbour::Remote { .. }) => true,
        Some(Neighbour::Peer(peer)) => {
            plan.peer(peer).is_some_and(|peer| peer.kind == PeerKind::CallControl && peer.trust_identity)
        }
        Some(Neighbour::Phone) | None => false,
    };
    (!has_part(from) || !has_part(to)).then(|| plan.device_headers.clone())
}

/// Whether a calling number that a transform made may leave to a next hop: asserted as the caller's, as it is, it goes to those
/// alone that belong to the trust domain (RFC 3325 section 7).
pub(crate) fn is_told_who_calls(plan: &Plan, to: NextHop) -> bool {
    let neighbour = match to {
        NextHop::Remote(cluster) => Some(Neighbour::Remote { cluster, is_rsvp_trunk: false }),
        NextHop::Peer(peer) => Some(Neighbour::Peer(peer)),
        NextHop::Named | NextHop::Phone { .. } => None,
    };
    plan.trust(neighbour).identity
}

/// Of a calling number that a transform `made` for a next hop, what leaves to it. Where that is nothing the trail says so, in
/// place of the pattern that made it.
pub(crate) fn told_calling(plan: &Plan, to: NextHop, made: Option<Digits>, trail: &mut Trail) -> Option<Digits> {
    if is_told_who_calls(plan, to) {
        return made;
    }
    let peer = if let NextHop::Peer(peer) = to { Some(peer) } else { None };
    let not_told = Step::CallingNotTold { to: peer };
    for step in trail.iter_mut().filter(|step| matches!(step, Step::CallingTransformed { to, .. } if *to == peer)) {
        *step = not_told;
    }
    if made.is_some() && !trail.contains(&not_told) {
        trail.push(not_told);
    }
    None
}

/// Whether anything in a message could come off it.
pub(crate) fn is_touched(plan: &Plan, message: &Message<'_>) -> bool {
    let is_told = |name| {
        matches!(
            name,
            Name::PPreferredIdentity
                | Name::PAssertedIdentity
                | Name::RemotePartyId
                | Name::PAccessNetworkInfo
                | Name::Geolocation
                | Name::GeolocationRouting
                | Name::ResourcePriority
                | Name::Diversion
                | Name::CallInfo
        )
    };
    !plan.device_headers.is_empty()
        || message.fields().iter().any(|field| is_told(field.name))
        || multipart::may_hold_location(message)
}

/// What comes off a message between two neighbours of `plan`; the look-ups are made only where something could.
pub(crate) fn crossing(plan: &Plan, message: &Message<'_>, from: Option<Neighbour>, to: Option<Neighbour>) -> Crossing {
    let headers = plan.headers_removed(from);
    match is_touched(plan, message) {
        true => Crossing {
            headers,
            marks: marks(plan, from, to),
            ..Crossing::of(message, plan.trust(from), plan.trust(to))
        },
        false => Crossing { headers, ..Crossing::FREE },
    }
}

impl Turn<'_> {
    /// Writes the body a message leaves with: what policy made of it, without a location where none may leave.
    pub(crate) fn write_body(&mut self, message: &Message<'_>, body: &Body, takes_location: bool) {
        let desk = &mut *self.desk;
        if matches!(body, Body::Left | Body::KeysInClear) {
            desk.editor.remove_all(message, Name::ContentType);
            return desk.editor.body(message, b"");
        }
        let is_changed = matches!(body, Body::Changed(_));
        let octets = if is_changed { desk.media.as_slice() } else { message.body() };
        desk.text.clear();
        let left = match message.content_type_text() {
            Some(kind) if takes_location => multipart::without_location(kind, octets, &mut desk.text),
            _ => Left::Same,
        };
        let editor = &mut desk.editor;
        match left {
            Left::Same if is_changed => editor.body(message, &desk.media),
            Left::Same => {}
            Left::Multipart => editor.body(message, &desk.text),
            Left::Nothing | Left::Part(None) => {
                editor.remove_all(message, Name::ContentType);
                editor.body(message, b"");
            }
            Left::Part(Some(kind)) => {
                if let Some((read, field)) = message.content_type_field() {
                    let others = message.all(Name::ContentType).filter(|(place, _)| *place != read);
                    others.for_each(|(place, _)| editor.remove_field(message, place));
                    editor.replace(field.value, &on_one_line(kind));
                }
                editor.body(message, &desk.text);
            }
        }
    }
}

/// A type as a header of the message has it: a part's may be folded, in line ends the message may not have.
fn on_one_line(kind: &[u8]) -> SmallVec<[u8; 128]> {
    let mut line = SmallVec::new();
    for piece in kind.split(|octet| *octet == b'\n').map(<[u8]>::trim_ascii).filter(|piece| !piece.is_empty()) {
        if !line.is_empty() {
            line.push(b' ');
        }
        line.extend_from_slice(piece);
    }
    line
}
