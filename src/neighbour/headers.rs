//! Which headers of a neighbour's go no further.

use std::sync::Arc;

use crate::sip::Name;

/// The headers taken off what comes from one neighbour; none unless configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Option<Arc<Listed>>);

#[derive(Debug, PartialEq, Eq)]
struct Listed {
    /// One bit for each header with a name of its own.
    known: u128,
    /// Names of other headers.
    others: Box<[Box<[u8]>]>,
}

/// What a message cannot be forwarded, matched, answered or understood without.
const KEPT: [Name; 25] = [
    Name::CallId,
    Name::Contact,
    Name::ContentDisposition,
    Name::ContentEncoding,
    Name::ContentLength,
    Name::ContentType,
    Name::CSeq,
    Name::Event,
    Name::Expires,
    Name::From,
    Name::MaxForwards,
    Name::MinSe,
    Name::Path,
    Name::ProxyRequire,
    Name::RAck,
    Name::RecordRoute,
    Name::ReferTo,
    Name::Replaces,
    Name::Require,
    Name::Route,
    Name::RSeq,
    Name::SessionExpires,
    Name::SubscriptionState,
    Name::To,
    Name::Via,
];

impl Headers {
    /// No header.
    pub const NONE: Self = Self(None);

    /// The headers of a configured list, in any case, long or compact.
    #[must_use]
    pub fn listed<'t>(names: impl Iterator<Item = &'t str>) -> Self {
        let (mut known, mut others) = (0, Vec::<Box<[u8]>>::new());
        for text in names {
            match Name::of(text.as_bytes()) {
                Name::Other => others.push(text.as_bytes().into()),
                name => known |= bit(name),
            }
        }
        let is_empty = known == 0 && others.is_empty();
        Self((!is_empty).then(|| Arc::new(Listed { known, others: others.into() })))
    }

    /// Whether messages get by without that header, so that it may be listed.
    #[must_use]
    pub fn may_list(name: &str) -> bool {
        !KEPT.contains(&Name::of(name.as_bytes()))
    }

    /// Whether none is listed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Whether that header is listed; `text` is its name as written.
    #[must_use]
    pub fn hold(&self, name: Name, text: &[u8]) -> bool {
        match (&self.0, name) {
            (None, _) => false,
            (Some(listed), Name::Other) => listed.others.iter().any(|other| other.eq_ignore_ascii_case(text)),
            (Some(listed), name) => listed.known & bit(name) != 0,
        }
    }
}

fn bit(name: Name) -> u128 {
    1 << (name as u8)
}

const _: () = assert!((Name::Other as usize) < 128, "one bit each");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listed_header_is_known_in_any_case_long_or_compact() {
        let headers = Headers::listed(["subject", "X-Secret", "k"].into_iter());
        for (text, want) in [
            ("Subject", true),
            ("s", true),
            ("SUBJECT", true),
            ("x-secret", true),
            ("Supported", true),
            ("X-Secrets", false),
            ("Diversion", false),
            ("Via", false),
        ] {
            assert_eq!(headers.hold(Name::of(text.as_bytes()), text.as_bytes()), want, "{text}");
        }
    }

    #[test]
    fn nothing_is_listed_unless_something_is() {
        let headers = Headers::listed(std::iter::empty());
        assert!(headers.is_empty() && headers == Headers::NONE);
        assert!(!headers.hold(Name::Subject, b"Subject") && !headers.hold(Name::Other, b"X-Secret"));
    }

    #[test]
    fn what_a_message_needs_cannot_be_listed() {
        for (name, want) in [
            ("Via", false),
            ("v", false),
            ("l", false),
            ("to", false),
            ("Diversion", true),
            ("x", false),
            ("X-Any", true),
        ] {
            assert_eq!(Headers::may_list(name), want, "{name}");
        }
    }
}
