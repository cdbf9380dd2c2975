//! A dialog as a proxy in its middle sees it (RFC 3261 section 12): what a request of our own to either side needs, read
//! from the INVITE and its 2xx.
// Both messages come from outside: no index, no sum and no cast that their octets could make go wrong.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::arithmetic_side_effects,
        clippy::unwrap_used
    )
)]

use bytes::Bytes;

use crate::sip::build::{DialogFacts, RouteText};
use crate::sip::{ContactRef, Index, Message, Name, NameAddrRef, Strictness, UriRef, scan};

/// Which side a request of our own goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Towards {
    /// Who sent the INVITE.
    Caller,
    /// Who answered it.
    Callee,
}

/// The facts of a request of our own in the dialog that `answer` made of `invite`. `is_ours` tells our own Record-Route
/// values from those of others. `None` where a part that is needed cannot be read.
#[must_use]
pub fn facts(
    invite: &Message<'_>,
    answer: &Message<'_>,
    towards: Towards,
    is_ours: impl Fn(&UriRef<'_>) -> bool,
) -> Option<DialogFacts> {
    let (from, to) = (invite.value(Name::From)?, answer.value(Name::To)?);
    let recorded: Vec<Recorded<'_>> =
        answer.values(Name::RecordRoute).map(|value| Recorded::read(value.text)).collect();
    let is_ours = |route: &Recorded<'_>| route.uri.as_ref().is_some_and(&is_ours);
    let (first, last) = (recorded.iter().position(is_ours), recorded.iter().rposition(is_ours));
    // The list begins with the proxy nearest to the callee.
    let routes: Vec<RouteText> = match towards {
        Towards::Callee => recorded.get(..first.unwrap_or(0))?.iter().rev().map(Recorded::text).collect(),
        Towards::Caller => {
            recorded.get(last.map_or(0, |last| last.saturating_add(1))..)?.iter().map(Recorded::text).collect()
        }
    };
    let (at, local, remote) = match towards {
        Towards::Callee => (answer, from, to),
        Towards::Caller => (invite, to, from),
    };
    // Who gave no Contact that can be read is called by its address.
    let target = contact(at).or_else(|| Some(address(remote)?.uri))?;
    Some(DialogFacts {
        call_id: invite.value(Name::CallId)?.to_vec(),
        local: local.to_vec(),
        remote: remote.to_vec(),
        routes,
        target: without_headers(&target).to_vec(),
    })
}

/// One value of Record-Route.
struct Recorded<'a> {
    value: &'a [u8],
    /// None where it cannot be read: its proxy may read it all the same.
    uri: Option<UriRef<'a>>,
}

impl<'a> Recorded<'a> {
    fn read(value: &'a [u8]) -> Self {
        Self { value, uri: address(value).map(|address| address.uri) }
    }

    fn text(&self) -> RouteText {
        let strict = self.uri.as_ref().filter(|uri| !uri.is_loose()).map(|uri| without_headers(uri).to_vec());
        RouteText { value: self.value.to_vec(), strict }
    }
}

/// A URI as a Request-URI may have it: without header fields (RFC 3261 section 19.1.1).
fn without_headers<'a>(uri: &UriRef<'a>) -> &'a [u8] {
    uri.without_headers().raw
}

/// What [`facts`] reads of an INVITE and of its 2xx.
const READ_OF_INVITE: [Name; 3] = [Name::From, Name::CallId, Name::Contact];
const READ_OF_ANSWER: [Name; 3] = [Name::To, Name::RecordRoute, Name::Contact];

/// An INVITE and its 2xx without what no request of our own is written from: a call stands for hours, its session
/// description does not have to.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The INVITE: From, Call-ID and Contact.
    pub invite: Bytes,
    /// The 2xx: To, Record-Route and Contact.
    pub answer: Bytes,
    /// Call-ID's value, a part of `invite`.
    pub call_id: Bytes,
}

/// Keeps what [`facts`] reads of an INVITE and its 2xx; `text` is scratch. `None` for an INVITE without a Call-ID.
#[must_use]
pub fn keep(invite: &Message<'_>, answer: &Message<'_>, text: &mut Vec<u8>) -> Option<Kept> {
    text.clear();
    copy(invite, &READ_OF_INVITE, text);
    let end = text.len();
    copy(answer, &READ_OF_ANSWER, text);
    let call_id = invite.value(Name::CallId)?;
    let at = memchr::memmem::find(text, call_id)?;
    // One allocation for all three.
    let kept = Bytes::copy_from_slice(text);
    let call_id = kept.slice(at..at.checked_add(call_id.len())?);
    Some(Kept { invite: kept.slice(..end), answer: kept.slice(end..), call_id })
}

/// What [`keep`] would keep of a further 2xx of the same INVITE, by another callee.
#[must_use]
pub fn keep_answer(answer: &Message<'_>) -> Bytes {
    let mut text = Vec::new();
    copy(answer, &READ_OF_ANSWER, &mut text);
    text.into()
}

/// The tag of the callee whose 2xx that is; empty where it has none (RFC 3261 section 12.1.2).
#[must_use]
pub fn callee_tag(answer: &[u8]) -> Vec<u8> {
    let mut index = Index::new();
    let Ok(answer) = scan(answer, &mut index) else { return Vec::new() };
    let tag = answer.value(Name::To).and_then(address).and_then(|to| to.tag());
    tag.unwrap_or_default().to_vec()
}

/// What is kept of the INVITE (towards the caller) or of a 2xx (towards the callee) with the Contact that `by` brings, a
/// later request or 2xx of the same party that refreshes its target (RFC 3261 section 12.2). `None` where it brings none, or
/// the same.
#[must_use]
pub fn refreshed(kept: &[u8], towards: Towards, by: &Message<'_>) -> Option<Bytes> {
    contact(by)?;
    let mut index = Index::new();
    let kept = scan(kept, &mut index).ok()?;
    let (new, old) = (by.first(Name::Contact)?.1, kept.value(Name::Contact));
    if old == Some(by.text(new.value)) {
        return None;
    }
    let names: &[Name] = match towards {
        Towards::Caller => &[Name::From, Name::CallId],
        Towards::Callee => &[Name::To, Name::RecordRoute],
    };
    let mut text = Vec::new();
    copy(&kept, names, &mut text);
    text.truncate(text.len().saturating_sub(2));
    text.extend_from_slice(by.text(new.line));
    text.extend_from_slice(b"\r\n");
    Some(text.into())
}

fn copy(message: &Message<'_>, names: &[Name], out: &mut Vec<u8>) {
    let bytes = message.bytes();
    out.extend_from_slice(bytes.get(..message.headers_start() as usize).unwrap_or_default());
    for field in message.fields().iter().filter(|field| names.contains(&field.name)) {
        out.extend_from_slice(message.text(field.line));
    }
    out.extend_from_slice(b"\r\n");
}

fn address(raw: &[u8]) -> Option<NameAddrRef<'_>> {
    NameAddrRef::parse(raw, Strictness::Lenient).ok()
}

fn contact<'m>(message: &Message<'m>) -> Option<UriRef<'m>> {
    match message.contacts().next()?.ok()? {
        ContactRef::At(address) => Some(address.uri),
        ContactRef::Any => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: &[u8] = b"INVITE sip:5001@hq SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\n\
        f: \"A\" <sip:a@here>;tag=a\r\nTo: <sip:b@there>\r\ni: 77@here\r\nCSeq: 3 INVITE\r\n\
        Contact:\r\n <sip:a@10.0.0.1>\r\nContent-Length: 4\r\n\r\nv=0\n";
    const ANSWER: &[u8] = b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: \"A\" <sip:a@here>;tag=a\r\n\
        Record-Route: <sip:far;lr>, <sip:ours;lr>\r\nRecord-Route: <sip:near;lr>\r\nTo: <sip:b@there>;tag=b\r\n\
        Call-ID: 77@here\r\nm: <sip:b@10.0.0.9:5070>\r\nCSeq: 3 INVITE\r\n\r\n";

    /// The facts towards both sides, as text.
    fn told(invite: &[u8], answer: &[u8]) -> [String; 2] {
        let (mut first, mut second) = (Index::new(), Index::new());
        let (invite, answer) = (scan(invite, &mut first).unwrap(), scan(answer, &mut second).unwrap());
        [Towards::Caller, Towards::Callee].map(|towards| {
            let is_ours = |uri: &UriRef<'_>| uri.raw.starts_with(b"sip:ours");
            format!("{:?}", facts(&invite, &answer, towards, is_ours).unwrap())
        })
    }

    #[test]
    fn what_is_kept_of_a_call_tells_the_same_as_its_messages() {
        let (mut first, mut second) = (Index::new(), Index::new());
        let (invite, answer) = (scan(INVITE, &mut first).unwrap(), scan(ANSWER, &mut second).unwrap());
        let kept = keep(&invite, &answer, &mut b"what stood here".to_vec()).unwrap();
        assert_eq!(kept.call_id, "77@here");
        assert_eq!(told(&kept.invite, &kept.answer), told(INVITE, ANSWER));
        assert!(kept.invite.len() + kept.answer.len() < 320, "only what is read stays");
        let again = keep(&invite, &answer, &mut Vec::new()).unwrap();
        assert_eq!((again.invite, again.answer), (kept.invite, kept.answer));
    }
}
