//! Which methods a neighbour may send.

use crate::sip::Method;

/// The methods let through from one neighbour; all of them unless configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Methods(Option<Box<Listed>>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Listed {
    /// One bit for each method with a name of its own.
    known: u16,
    /// Tokens of other methods.
    others: Box<[Box<[u8]>]>,
    /// The value of an Allow header.
    allow: Box<[u8]>,
}

/// What a call cannot be set up or ended without comes with INVITE.
const OF_INVITE: [Method; 5] = [Method::Ack, Method::Cancel, Method::Bye, Method::Prack, Method::Update];

impl Methods {
    /// The methods of a configured list.
    #[must_use]
    pub fn listed<'t>(tokens: impl Iterator<Item = &'t str>) -> Self {
        let (mut known, mut others) = (0, Vec::<Box<[u8]>>::new());
        for token in tokens {
            match Method::of(token.as_bytes()) {
                Method::Other => others.push(token.as_bytes().into()),
                method => known |= bit(method),
            }
        }
        if known & bit(Method::Invite) != 0 {
            known |= OF_INVITE.into_iter().map(bit).fold(0, |bits, bit| bits | bit);
        }
        let named = Method::KNOWN.into_iter().filter(|method| known & bit(*method) != 0);
        let mut allow = Vec::new();
        for token in named.map(|method| method.as_str().as_bytes()).chain(others.iter().map(AsRef::as_ref)) {
            if !allow.is_empty() {
                allow.extend_from_slice(b", ");
            }
            allow.extend_from_slice(token);
        }
        Self(Some(Box::new(Listed { known, others: others.into(), allow: allow.into() })))
    }

    /// Whether a request of that method is let through; `token` is its text.
    #[must_use]
    pub fn allow(&self, method: Method, token: &[u8]) -> bool {
        match (&self.0, method) {
            (None, _) => true,
            (Some(listed), Method::Other) => listed.others.iter().any(|other| **other == *token),
            (Some(listed), method) => listed.known & bit(method) != 0,
        }
    }

    /// The value of an Allow header, where the methods are limited.
    #[must_use]
    pub fn header(&self) -> Option<&[u8]> {
        self.0.as_ref().map(|listed| &*listed.allow)
    }
}

fn bit(method: Method) -> u16 {
    1 << (method as u16)
}

const _: () = assert!(Method::KNOWN.len() < 16, "one bit each");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_listed_lets_everything_through() {
        let methods = Methods::default();
        assert!(Method::KNOWN.into_iter().all(|method| methods.allow(method, b"")));
        assert!(methods.allow(Method::Other, b"JUMP") && methods.header().is_none());
    }

    #[test]
    fn a_list_lets_its_own_methods_through_and_what_an_invite_needs() {
        let methods = Methods::listed(["INVITE", "OPTIONS", "JUMP"].into_iter());
        for (token, want) in [
            ("INVITE", true),
            ("ACK", true),
            ("CANCEL", true),
            ("BYE", true),
            ("PRACK", true),
            ("UPDATE", true),
            ("OPTIONS", true),
            ("JUMP", true),
            ("jump", false),
            ("MESSAGE", false),
            ("REFER", false),
            ("REGISTER", false),
        ] {
            assert_eq!(methods.allow(Method::of(token.as_bytes()), token.as_bytes()), want, "{token}");
        }
        let header = String::from_utf8(methods.header().unwrap().to_vec()).unwrap();
        assert_eq!(header, "ACK, BYE, CANCEL, INVITE, OPTIONS, PRACK, UPDATE, JUMP");
    }

    #[test]
    fn an_empty_list_lets_nothing_through() {
        let methods = Methods::listed(std::iter::empty());
        assert!(Method::KNOWN.into_iter().all(|method| !methods.allow(method, b"")));
        assert_eq!(methods.header(), Some(b"".as_slice()));
    }
}
