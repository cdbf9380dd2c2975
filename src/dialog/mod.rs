//! A dialog as a proxy in its middle sees it (RFC 3261 section 12): what a request of our own to either side needs, read
//! from the INVITE and its 2xx.

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

fn address(raw: &[u8]) -> Option<NameAddrRef<'_>> {
    NameAddrRef::parse(raw, Strictness::Lenient).ok()
}

fn contact<'m>(message: &Message<'m>) -> Option<UriRef<'m>> {
    match message.contacts().next()?.ok()? {
        ContactRef::At(address) => Some(address.uri),
        ContactRef::Any => None,
    }
}
