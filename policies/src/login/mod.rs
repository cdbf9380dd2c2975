//! Login decisions: what two clusters of given versions and security modes can do with each other, in which order a
//! login is checked, and what each refusal is called on the phone.

pub mod capacity;
pub mod compatibility;
pub mod errors;
pub mod order;
pub mod service;
pub mod tables;

use std::fmt;

/// Version of a cluster's call control: `12.5` of `12.5(1)SU2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// The number before the first dot.
    pub major: u16,
    /// The number after it, 0 where there is none.
    pub minor: u16,
}

impl Version {
    /// Reads `12.0`, `14`, `8.6(1)`, `12.5(1)SU2` or `11.5.1.10000-6`; `None` for anything that does not begin so.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (major, rest) = leading_number(text)?;
        let (minor, rest) = match rest.strip_prefix('.') {
            Some(rest) => leading_number(rest)?,
            None => (0, rest),
        };
        let build = rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"().-".contains(&b));
        let apart = rest.is_empty() || rest.starts_with(['(', '.', '-', 'S']);
        (build && apart).then_some(Self { major, minor })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// The number a text begins with, at most 4 digits, and what follows it.
fn leading_number(text: &str) -> Option<(u16, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at_checked(digits)?;
    if digits > 4 {
        return None;
    }
    Some((number.parse().ok()?, rest))
}

/// Security mode of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClusterMode {
    /// Secure and non-secure devices side by side.
    Mixed,
    /// No secure devices.
    NonSecure,
}

/// Security mode of a phone, and of the EMCC session it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Security {
    /// Encrypted or authenticated signalling.
    Secure,
    /// Plain signalling.
    NonSecure,
}

impl ClusterMode {
    /// The mode spelled `name` on the command line: `mixed` or `non-secure`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Mixed, Self::NonSecure].into_iter().find(|mode| mode.name() == name)
    }

    /// The spelling of the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mixed => "mixed",
            Self::NonSecure => "non-secure",
        }
    }
}

impl Security {
    /// The mode spelled `name` on the command line: `secure` or `non-secure`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Secure, Self::NonSecure].into_iter().find(|mode| mode.name() == name)
    }

    /// The spelling of the command line and of its answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Secure => "secure",
            Self::NonSecure => "non-secure",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_version_is_its_first_two_numbers() {
        for (text, want) in [
            ("12.0", Some((12, 0))),
            ("11.5", Some((11, 5))),
            ("9.1", Some((9, 1))),
            ("8.6(1)", Some((8, 6))),
            ("12.5(1)SU2", Some((12, 5))),
            ("11.5.1.10000-6", Some((11, 5))),
            ("12.5SU2", Some((12, 5))),
            ("14", Some((14, 0))),
            ("14SU3", Some((14, 0))),
            ("", None),
            (".5", None),
            ("12.", None),
            ("12.x", None),
            ("v12.0", None),
            ("12,0", None),
            ("12.0 beta", None),
            ("99999.0", None),
        ] {
            assert_eq!(Version::parse(text), want.map(|(major, minor)| Version { major, minor }), "{text}");
        }
    }

    #[test]
    fn versions_are_ordered_by_number_and_not_by_text() {
        let order = ["8.0", "8.6(1)", "9.0", "9.1", "10.5", "11.5", "12.0", "12.5"].map(|v| Version::parse(v).unwrap());
        assert!(order.is_sorted());
        assert_eq!(order.map(|v| v.to_string())[1], "8.6");
    }

    #[test]
    fn modes_are_spelled_as_on_the_command_line() {
        assert_eq!(ClusterMode::parse("mixed"), Some(ClusterMode::Mixed));
        assert_eq!(ClusterMode::parse("non-secure"), Some(ClusterMode::NonSecure));
        assert_eq!(ClusterMode::parse("secure"), None);
        assert_eq!(Security::parse("secure"), Some(Security::Secure));
        assert_eq!(Security::parse("non-secure"), Some(Security::NonSecure));
        assert_eq!(Security::parse("mixed"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_a_version_or_none(text in any::<String>()) {
            let _ = Version::parse(&text);
        }

        #[test]
        fn a_version_is_read_as_it_is_written(major in 0u16..10_000, minor in 0u16..10_000) {
            let version = Version { major, minor };
            prop_assert_eq!(Version::parse(&version.to_string()), Some(version));
        }
    }
}
