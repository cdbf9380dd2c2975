//! The name a neighbour's certificate carries.

use std::fmt;
use std::net::IpAddr;

/// A name that a neighbour is known by on TLS, besides its address (RFC 5922).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CertificateName {
    /// A host or domain, in lower case.
    Host(Box<str>),
    /// An IP address.
    Ip(IpAddr),
}

/// Longest host name (RFC 1035 section 2.3.4) and longest label of one.
const HOST_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

impl CertificateName {
    /// Reads an IP address or a host name; `None` for a wildcard and for what is neither.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(ip) = text.trim_matches(['[', ']']).parse() {
            return Some(Self::Ip(ip));
        }
        let is_label = |label: &str| {
            let legal = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            legal && (1..=LABEL_BYTES_MAX).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
        };
        // A last label of digits alone is a broken IP address.
        let is_host = text.len() <= HOST_BYTES_MAX
            && text.split('.').all(is_label)
            && text.rsplit('.').next().is_some_and(|last| last.bytes().any(|b| b.is_ascii_alphabetic()));
        is_host.then(|| Self::Host(text.to_ascii_lowercase().into()))
    }
}

impl fmt::Display for CertificateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host) => f.write_str(host),
            Self::Ip(ip) => ip.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_host_or_an_ip_address_and_never_a_wildcard() {
        for (text, want) in [
            ("BR.example.com", Some("br.example.com")),
            ("node", Some("node")),
            ("192.0.2.1", Some("192.0.2.1")),
            ("[2001:db8::1]", Some("2001:db8::1")),
            ("*.example.com", None),
            ("", None),
            ("a..b", None),
            ("-a.example", None),
            ("300.1.1.1", None),
            ("a b", None),
        ] {
            assert_eq!(CertificateName::parse(text).map(|name| name.to_string()).as_deref(), want, "{text}");
        }
        assert_eq!(CertificateName::parse(&"a".repeat(64)), None);
    }
}
