//! A dialog as a proxy in its middle sees it (RFC 3261 section 12): what a request of our own to either side needs, read
//! from the INVITE and its 2xx.

use bytes::Bytes;

use crate::sip::build::DialogFacts;
use crate::sip::{ContactRef, Message, Name, NameAddrRef, Strictness, UriRef};

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
    let from = address(invite.value(Name::From)?)?;
    let to = address(answer.value(Name::To)?)?;
    let call_id = std::str::from_utf8(invite.value(Name::CallId)?).ok()?.to_owned();
    let recorded: Vec<NameAddrRef<'_>> = answer.addresses(Name::RecordRoute).collect::<Result<_, _>>().ok()?;
    let first = recorded.iter().position(|route| is_ours(&route.uri));
    let last = recorded.iter().rposition(|route| is_ours(&route.uri));
    // The list begins with the proxy nearest to the callee.
    let routes: Vec<NameAddrRef<'_>> = match towards {
        Towards::Callee => recorded.get(..first.unwrap_or(0))?.iter().rev().copied().collect(),
        Towards::Caller => recorded.get(last.map_or(0, |last| last + 1)..)?.to_vec(),
    };
    let (contact, fallback) = match towards {
        Towards::Callee => (contact(answer), to.uri),
        Towards::Caller => (contact(invite), from.uri),
    };
    let (local, remote) = match towards {
        Towards::Callee => (from, to),
        Towards::Caller => (to, from),
    };
    Some(DialogFacts {
        call_id,
        local: local.try_into().ok()?,
        remote: remote.try_into().ok()?,
        routes: routes.into_iter().map(TryInto::try_into).collect::<Result<_, _>>().ok()?,
        target: contact.unwrap_or(fallback).try_into().ok()?,
    })
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
    let call_id = kept.slice(at..at + call_id.len());
    Some(Kept { invite: kept.slice(..end), answer: kept.slice(end..), call_id })
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
    use crate::sip::{Index, scan};

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
