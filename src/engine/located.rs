//! The caller's place on its way out (R-9, G-12, G-15, G-16): written beside the description of a new call's INVITE, in the
//! form of RFC 6442, where it is known, none came with the call, and who gets it is told locations.
//!
//! On any doubt the INVITE leaves without it (G-17). A call's every INVITE says the same: what is written hangs on the call
//! and on when it was decided, not on the hop.

use emcc_policies::location::Geolocation;
use emcc_policies::location::pidf::{self, PIDF_BYTES_MAX, Writing};

use super::Turn;
use super::decide::Decision;
use super::effects::CallKey;
use super::forward::Outgoing;
use super::ids::hex;
use super::media::Body;
use crate::config::plan::{DeviceId, Plan, SessionId, Side};
use crate::limits::{DATAGRAM_PAYLOAD_MAX, HEAD_BYTES_MAX, MESSAGE_BYTES_MAX};
use crate::neighbour::{Flow, Transport};
use crate::sip::{Message, Name, multipart};

/// Where a caller is.
pub(crate) struct Place<'p> {
    location: &'p Geolocation,
    device: &'p str,
}

impl Decision {
    /// Where the call comes from: what the visited cluster said of its phone, or what is configured for a device of this
    /// cluster (G-3, G-4). Never the trunk's own place: a wrong one would be worse than none.
    pub(crate) fn place<'p>(&self, plan: &'p Plan) -> Option<Place<'p>> {
        let at_home = self.session.and_then(|id| Place::of_session(plan, id));
        let place = at_home.or_else(|| Place::of_device(plan, self.device?));
        place.filter(Place::is_known)
    }
}

impl<'p> Place<'p> {
    /// That of a phone abroad with one of our users on it.
    pub(crate) fn of_session(plan: &'p Plan, id: SessionId) -> Option<Self> {
        let session = plan.session(id)?;
        match &session.side {
            Side::Home { geolocation, .. } => Some(Self { location: geolocation.as_deref()?, device: &session.device }),
            Side::Visiting { .. } => None,
        }
    }

    /// That of a device of this cluster.
    pub(crate) fn of_device(plan: &'p Plan, id: DeviceId) -> Option<Self> {
        let device = plan.device(id)?;
        Some(Self { location: device.geolocation.as_deref()?, device: &device.name })
    }

    /// Whether anything is said of it; else nothing leaves.
    pub(crate) fn is_known(&self) -> bool {
        !self.location.is_blank()
    }

    /// Where it is.
    pub(crate) fn location(&self) -> &'p Geolocation {
        self.location
    }
}

/// How a location joins a body.
enum Joining<'b> {
    /// There is no other.
    Alone,
    /// As a further part before this place of a `multipart/mixed` body with that boundary.
    Part(&'b [u8], usize),
    /// With the body as it is in a new multipart body.
    Around,
}

/// Headers that speak of the body and go with it into its part.
const OF_THE_BODY: [Name; 4] =
    [Name::ContentDisposition, Name::ContentEncoding, Name::ContentLanguage, Name::ContentId];

/// Octets a hop's own headers may add to a head.
const HEADERS_ADDED_MAX: usize = 4_096;

/// Host part of the identifiers: they are no address of anybody (RFC 2606 section 2).
const HOST: &str = "@emcc.invalid";

impl Turn<'_> {
    /// Writes the caller's place into the INVITE on the desk, and with it the body. `false`, and nothing written, where
    /// the INVITE leaves without: the body is then still to be written.
    pub(crate) fn write_place(
        &mut self,
        key: CallKey,
        out: &Outgoing<'_>,
        message: &Message<'_>,
        body: &Body,
        flow: Flow,
    ) -> bool {
        let Some(place) = out.decision.place(out.plan) else { return false };
        let came = message.first(Name::Geolocation).is_some() || multipart::may_hold_location(message);
        // Who signed the body signed it without (RFC 4474 section 9).
        if came || message.first(Name::IdentityInfo).is_some() || message.all(Name::ContentType).nth(1).is_some() {
            return false;
        }
        let id = hex(self.engine.hash(&[b"location", &key.0.to_be_bytes()]));
        let Ok(id) = std::str::from_utf8(&id) else { return false };
        let desk = &mut *self.desk;
        let octets = match body {
            Body::Left | Body::KeysInClear => &[],
            Body::Changed(_) => desk.media.as_slice(),
            _ => message.body(),
        };
        let Some(joining) = joining(message, octets) else { return false };
        let text = &mut desk.text;
        text.clear();
        let document = Writing {
            location: place.location,
            entity: &["pres:", id, HOST],
            device: place.device,
            at: out.decision.at,
            may_be_passed_on: out.decision.emergency,
        };
        let octets_before = octets.len();
        write_body(text, message, octets, &joining, id, &document);
        let octets_max = if flow.transport == Transport::Udp { DATAGRAM_PAYLOAD_MAX } else { MESSAGE_BYTES_MAX };
        let head = message.head_end() as usize + HEADERS_ADDED_MAX;
        if text.len() > octets_before + PIDF_BYTES_MAX || head > HEAD_BYTES_MAX || text.len() + head > octets_max {
            return false;
        }
        let editor = &mut desk.editor;
        if !matches!(joining, Joining::Part(..)) {
            OF_THE_BODY.iter().for_each(|name| editor.remove_all(message, *name));
            let field = message.first(Name::ContentType).map(|(_, field)| field.value);
            let kind = if field.is_some() { editor.text() } else { editor.text().put(b"Content-Type: ") };
            let kind = match joining {
                Joining::Alone => kind.put(b"application/pidf+xml"),
                _ => kind.put(b"multipart/mixed;boundary=emcc-").put(id.as_bytes()),
            };
            match field {
                Some(value) => kind.replace(value),
                None => kind.append(message),
            }
        }
        if matches!(joining, Joining::Alone) {
            editor.text().put(b"Content-ID: <").put(id.as_bytes()).put(HOST.as_bytes()).put(b">").append(message);
            editor.append_header(message, DISPOSITION);
        }
        editor.text().put(b"Geolocation: <cid:").put(id.as_bytes()).put(HOST.as_bytes()).put(b">").append(message);
        // There is one (RFC 6442 section 4.2): what came speaks of no location that leaves.
        editor.remove_all(message, Name::GeolocationRouting);
        // Whoever routes an emergency call may look at where it comes from (RFC 6442 section 4.2).
        let routing =
            if out.decision.emergency { b"Geolocation-Routing: yes".as_slice() } else { b"Geolocation-Routing: no" };
        editor.append_header(message, routing);
        editor.body(message, &desk.text);
        true
    }
}

/// What a header points at is taken by who understands it and left by who does not (RFC 5621 sections 5 and 9.1).
const DISPOSITION: &[u8] = b"Content-Disposition: by-reference;handling=optional";

/// How a location can join these octets; `None` where that would be a guess.
fn joining<'b>(message: &Message<'b>, octets: &[u8]) -> Option<Joining<'b>> {
    if octets.is_empty() {
        return Some(Joining::Alone);
    }
    let kind = message.content_type()?;
    if !kind.is("multipart", "mixed") {
        return Some(Joining::Around);
    }
    let boundary = kind.params.get("boundary")?.unquoted()?;
    Some(Joining::Part(boundary, multipart::end_of_parts(octets, boundary)?))
}

/// The body with the location in it; what was there stays octet for octet.
fn write_body(
    text: &mut Vec<u8>,
    message: &Message<'_>,
    octets: &[u8],
    joining: &Joining<'_>,
    id: &str,
    document: &Writing<'_>,
) {
    let id = id.as_bytes();
    let put = |text: &mut Vec<u8>, pieces: &[&[u8]]| pieces.iter().for_each(|piece| text.extend_from_slice(piece));
    let part = |text: &mut Vec<u8>| {
        put(text, &[b"\r\nContent-Type: application/pidf+xml\r\nContent-ID: <", id, HOST.as_bytes(), b">\r\n"]);
        put(text, &[DISPOSITION, b"\r\n\r\n"]);
        pidf::write(document, text);
    };
    match *joining {
        Joining::Alone => pidf::write(document, text),
        Joining::Part(boundary, at) => {
            let (before, after) = octets.split_at_checked(at).unwrap_or((octets, &[]));
            put(text, &[before, b"\r\n--", boundary]);
            part(text);
            put(text, &[after]);
        }
        Joining::Around => {
            let kind = message.value(Name::ContentType).unwrap_or_default();
            put(text, &[b"--emcc-", id, b"\r\nContent-Type: ", kind, b"\r\n"]);
            for name in OF_THE_BODY {
                for (_, field) in message.all(name) {
                    put(text, &[name.as_str().as_bytes(), b": ", message.text(field.value), b"\r\n"]);
                }
            }
            put(text, &[b"\r\n", octets, b"\r\n--emcc-", id]);
            part(text);
            put(text, &[b"\r\n--emcc-", id, b"--\r\n"]);
        }
    }
}
