//! The fixed words and the small grammars of single values.

use super::address::{Bad, bad};
use super::document::{MidCall, Service};
use super::section::nearest;
use crate::neighbour::CertificateName;
use crate::neighbour::headers::Headers;
use crate::neighbour::mark::DeviceHeader;
use emcc_codecs::catalogue::LinkLoss;
use emcc_policies::admission::RsvpPolicy;
use emcc_policies::digits::{Digits, Discard, DiscardError, Mask, Pattern, PatternError, Wrong};
use emcc_policies::login::{ClusterMode, Security, Version};
use emcc_policies::pstn_access::PstnAccessCss;
use emcc_policies::region::VariableRate;
use emcc_policies::route::{Distribution, Party, PeerKind};
use jiff::tz::{TimeZone, TimeZoneDatabase};

pub(super) const CLUSTER_MODES: &[(&str, ClusterMode)] =
    &[(ClusterMode::Mixed.name(), ClusterMode::Mixed), (ClusterMode::NonSecure.name(), ClusterMode::NonSecure)];
pub(super) const PHONE_MODES: &[(&str, Security)] =
    &[(Security::Secure.name(), Security::Secure), (Security::NonSecure.name(), Security::NonSecure)];
pub(super) const PEER_KINDS: &[(&str, PeerKind)] =
    &[("call-control", PeerKind::CallControl), ("gateway", PeerKind::Gateway)];
pub(super) const PSTN_ACCESS_CSS: &[(&str, PstnAccessCss)] =
    &[("trunk", PstnAccessCss::Trunk), ("original-device", PstnAccessCss::OriginalDevice)];
pub(super) const LOSSES: &[(&str, LinkLoss)] = &[("low-loss", LinkLoss::LowLoss), ("lossy", LinkLoss::Lossy)];
pub(super) const VARIABLES: &[(&str, VariableRate)] =
    &[(VariableRate::Exclude.name(), VariableRate::Exclude), (VariableRate::Bound.name(), VariableRate::Bound)];
pub(super) const RSVP_POLICIES: &[(&str, RsvpPolicy)] = &[
    (RsvpPolicy::ALL[0].name(), RsvpPolicy::ALL[0]),
    (RsvpPolicy::ALL[1].name(), RsvpPolicy::ALL[1]),
    (RsvpPolicy::ALL[2].name(), RsvpPolicy::ALL[2]),
    (RsvpPolicy::ALL[3].name(), RsvpPolicy::ALL[3]),
];
pub(super) const MID_CALLS: &[(&str, MidCall)] = &[("best-effort", MidCall::BestEffort), ("fail", MidCall::Fail)];
pub(super) const PARTIES: &[(&str, Party)] = &[("calling", Party::Calling), ("called", Party::Called)];
pub(super) const DISTRIBUTIONS: &[(&str, Distribution)] =
    &[("top-down", Distribution::TopDown), ("circular", Distribution::Circular)];
pub(super) const SERVICES: &[(&str, Service)] =
    &[("emcc", Service::Emcc), ("pstn-access", Service::PstnAccess), ("rsvp-agent", Service::RsvpAgent)];
pub(super) const DAYS: &[(&str, u8)] =
    &[("mon", 0), ("tue", 1), ("wed", 2), ("thu", 3), ("fri", 4), ("sat", 5), ("sun", 6)];

/// Name that means "this device has no geolocation, do not look at its pool's" (G-4).
pub(super) const UNSPECIFIED: &str = "Unspecified";
/// The local route group every cluster has (P-21).
pub(super) const STANDARD_LOCAL_ROUTE_GROUP: &str = "Standard Local Route Group";
/// Most threads that serve sockets.
pub(super) const WORKERS_MAX: u32 = 256;
/// Characters of a name.
const NAME_CHARS_MAX: usize = 128;

/// A name: not empty, at most 128 characters, none of them a control character.
pub(super) fn name(text: &str) -> Result<String, Bad> {
    // Nearly every name of a million is plain.
    if (1..=NAME_CHARS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(text.to_owned());
    }
    if text.trim().is_empty() {
        return bad("a name is empty", "Write a name.");
    }
    if text.chars().count() > NAME_CHARS_MAX {
        return bad(format!("a name is longer than {NAME_CHARS_MAX} characters"), "Write a shorter name.");
    }
    if text.chars().any(char::is_control) || text.trim() != text {
        return bad(format!("{text:?} has a control character, or a space at its end"), "Remove it.");
    }
    Ok(text.to_owned())
}

/// A name that a certificate carries: of a host, or an IP address.
pub(super) fn certificate_name(text: &str) -> Result<CertificateName, Bad> {
    CertificateName::parse(text).map_or_else(
        || {
            bad(
                format!("\"{text}\" is no name that a certificate could carry here"),
                "Write a host name or an IP address of the certificate's subjectAltName, without a wildcard (RFC 5922).",
            )
        },
        Ok,
    )
}

/// A server: an IP address, or a host name of labels (RFC 1123 section 2.1) of which the last is not all digits, so that no
/// address misspelt passes for a name. Hosts of call control have underscores too.
pub(super) fn server(text: &str) -> Result<String, Bad> {
    if text.parse::<std::net::IpAddr>().is_ok() {
        return Ok(text.to_owned());
    }
    let fix = "Write a host name or an IP address, without a port, as in \"192.0.2.1\".";
    let labels = || text.strip_suffix('.').unwrap_or(text).split('.');
    let is_host = text.len() <= HOST_CHARS_MAX && labels().all(is_label);
    let is_numeric = labels().next_back().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    match is_host {
        true if is_numeric => bad(format!("\"{text}\" is no IP address, and no host name ends in a number"), fix),
        true => Ok(text.to_owned()),
        false => bad(format!("\"{text}\" is neither a host name nor an IP address"), fix),
    }
}

/// Characters of a host name (RFC 1123 section 2.1).
const HOST_CHARS_MAX: usize = 253;

/// A label of a host name: letters, digits and hyphens, none of them at an end.
fn is_label(label: &str) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    (1..=63).contains(&label.len()) && label.bytes().all(legal) && !label.starts_with('-') && !label.ends_with('-')
}

/// A name that travels in SIP headers (P-13): letters, digits, `-`, `_` and `.`.
pub(super) fn token(text: &str) -> Result<String, Bad> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    match name(text)? {
        name if name.bytes().all(legal) => Ok(name),
        name => bad(
            format!("\"{name}\" cannot stand in a SIP header"),
            "Write letters, digits, hyphens, underscores and dots only.",
        ),
    }
}

/// A user id travels in URIs and XML: anything printable but spaces and the marks of both.
pub(super) fn user_id(text: &str) -> Result<String, Bad> {
    match name(text)? {
        id if id.chars().all(|c| !c.is_whitespace() && !"<>\"'&;,%\\".contains(c)) => Ok(id),
        id => bad(format!("\"{id}\" is no user id"), "Write an id without spaces, quotes, <, >, &, ;, , % and \\."),
    }
}

/// The name of a SIP header (RFC 3261, section 25.1: token).
pub(super) fn header_name(text: &str) -> Result<String, Bad> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&b);
    if !text.is_empty() && text.len() <= NAME_CHARS_MAX && text.bytes().all(legal) {
        return Ok(text.to_owned());
    }
    bad(format!("\"{text}\" is no header name"), "Write the name of a SIP header, as in \"Call-Info\".")
}

/// The encoding name of a codec (RFC 8866, section 9: token).
pub(super) fn codec_name(text: &str) -> Result<String, Bad> {
    let fix = "Write the codec's SDP encoding name, as in \"PCMU\".";
    header_name(text).or_else(|_| bad(format!("\"{text}\" is no name of a codec"), fix))
}

/// Digits as dialled: `0`-`9`, `A`-`D`, `*`, `#`, `+`; not empty.
pub(super) fn digits(text: &str) -> Result<Digits, Bad> {
    match Digits::from_bytes(text.as_bytes()) {
        Ok(digits) if !digits.is_empty() => Ok(digits),
        _ => bad(format!("\"{text}\" is no number"), "Write digits, *, # and + only, at most 48."),
    }
}

/// A prefix with a `+` right behind a digit: RFC 3966 has it at the beginning of a number alone. Behind a `*` or `#` a number
/// may begin.
pub(super) fn plus_in_prefix(digits: &Digits) -> Option<Bad> {
    let is_within = |pair: &[u8]| matches!(pair, [b'0'..=b'9' | b'+', b'+']);
    digits.as_bytes().windows(2).any(is_within).then(|| Bad {
        message: format!("\"{digits}\" has a + behind other digits, where no number has one (RFC 3966)"),
        fix: "Write the + first, or leave it out.".into(),
    })
}

/// As [`digits`], kept as it is written.
pub(super) fn number(text: &str) -> Result<String, Bad> {
    digits(text).map(|_| text.to_owned())
}

/// A transformation mask (D-21): digits, `*`, `#`, `+`, and `X` where the digit is kept.
pub(super) fn mask(text: &str) -> Result<Mask, Bad> {
    let fix = "Write X for a digit that is kept, and digits, *, # or + for the others.";
    Mask::parse(text).or_else(|_| bad(format!("\"{text}\" is no mask"), fix))
}

/// A discard instruction (D-22); `<None>` leaves the digits to the pattern's own.
pub(super) fn discard(text: &str) -> Result<Option<Discard>, Bad> {
    let fix = "Write one of \"NoDigits\", \"PreDot\", \"PreDot Trailing-#\", \"Trailing-#\".";
    Discard::parse(text).or_else(|error| match error {
        DiscardError::NumberingPlan => bad(format!("\"{text}\" needs a numbering plan, and there is none"), fix),
        DiscardError::Unknown => bad(format!("\"{text}\" is no discard instruction"), fix),
    })
}

/// A pattern (domain 6.1).
pub(super) fn pattern(text: &str) -> Result<Pattern, Bad> {
    Pattern::parse(text).or_else(|PatternError { at, what }| {
        let (why, fix) = match what {
            Wrong::Empty => ("matches nothing", "Write digits and wildcards, as in \"9.1XXX\"."),
            Wrong::Character => {
                ("is no character of a pattern", "Use 0-9, *, #, A-D, X, !, ?, +, [..], . and \\+ only.")
            }
            Wrong::NumberingPlan => {
                ("@ needs a numbering plan, and there is none", "Write the numbers out, as in \"9.[2-9]XXXXXXXXX\".")
            }
            Wrong::SecondDot => ("is a second dot", "Keep one dot, between access code and number."),
            Wrong::NothingToRepeat => {
                ("has nothing before it to repeat", "Put a digit or wildcard before it; \\+ stands for a dialed +.")
            }
            Wrong::RepeatedTwice => ("repeats what is repeated already", "Keep one of the two."),
            Wrong::OpenBracket => ("has no closing bracket", "Close it with ]."),
            Wrong::EmptyBrackets => ("matches no character", "Write the digits it stands for, as in [2-9]."),
            Wrong::Range => ("begins no range of digits", "Write two of 0-9, the lower first, as in [2-9]."),
            Wrong::InBrackets => {
                ("may not stand in brackets", "Use 0-9, *, #, A-D and ranges of digits there, as in [2-9] or [24-6].")
            }
            Wrong::Caret => ("stands where no ^ may", "Write one ^ a pattern, first in its brackets."),
            Wrong::Escape => {
                ("stands before something other than +", "Write \\+ for a dialed +, or remove the backslash.")
            }
            Wrong::TooLong => ("makes the pattern too long", "Write a shorter pattern."),
            Wrong::TooManyReadings => ("makes one number match in too many ways", "Use fewer of !, ? and +."),
        };
        let shown = text.get(at..).and_then(|rest| rest.chars().next());
        let subject = shown.map_or_else(|| "its end".to_owned(), |c| format!("\"{c}\""));
        bad(format!("in the pattern \"{text}\", character {}, {subject}: {why}", at + 1), fix)
    })
}

/// `12.0`, `11.5`, `12.5(1)SU3`.
pub(super) fn version(text: &str) -> Result<Version, Bad> {
    match Version::parse(text) {
        Some(version) => Ok(version),
        None => bad(format!("\"{text}\" is no version"), "Write the version of the call control, as in \"12.0\"."),
    }
}

/// `30000-39999`: the ports of the media relay.
pub(super) fn ports(text: &str) -> Result<(u16, u16), Bad> {
    let found = text.split_once('-').and_then(|(low, high)| {
        let ports = (low.trim().parse::<u16>().ok()?, high.trim().parse::<u16>().ok()?);
        (ports.0 >= 1024 && ports.0 < ports.1).then_some(ports)
    });
    match found {
        Some(ports) => Ok(ports),
        None => bad(format!("\"{text}\" is no range of ports"), "Write two ports above 1023, as in \"30000-39999\"."),
    }
}

/// `HH:MM`, as minutes of the day; `24:00` is its end.
pub(super) fn time_of_day(text: &str) -> Result<u16, Bad> {
    let found = text.split_once(':').and_then(|(hour, minute)| {
        let legal = hour.len() == 2 && minute.len() == 2;
        let (hour, minute) = (hour.parse::<u16>().ok()?, minute.parse::<u16>().ok()?);
        (legal && minute < 60 && (hour < 24 || (hour == 24 && minute == 0))).then_some(hour * 60 + minute)
    });
    match found {
        Some(minutes) => Ok(minutes),
        None => bad(format!("\"{text}\" is no time of day"), "Write hours and minutes, as in \"08:00\"."),
    }
}

/// `NETWORK/PREFIX`, or an address that stands for itself.
pub(super) fn network(text: &str) -> Result<(std::net::IpAddr, u8), Bad> {
    let (ip, prefix) = text.split_once('/').map_or((text, None), |(ip, prefix)| (ip, Some(prefix)));
    let found = ip.parse::<std::net::IpAddr>().ok().and_then(|ip| {
        let most = if ip.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Some(most), |prefix| prefix.parse::<u8>().ok())?;
        (prefix <= most).then_some((ip, prefix))
    });
    match found {
        Some(network) => Ok(network),
        None => bad(format!("\"{text}\" is no network"), "Write a network and its prefix, as in \"192.0.2.0/24\"."),
    }
}

/// An IANA zone name. The zones are those this program carries, so that what `check` accepts is known wherever it runs.
pub(super) fn zone(text: &str) -> Result<TimeZone, Bad> {
    let zones = TimeZoneDatabase::bundled();
    if let Ok(zone) = zones.get(text) {
        return Ok(zone);
    }
    let names: Vec<_> = zones.available().collect();
    // The city is what a writer knows; the region is guessed.
    let city = |name: &str| name.rsplit('/').next().unwrap_or_default().to_lowercase();
    let same_city = names.iter().map(|name| name.as_str()).find(|name| city(name) == city(text));
    let fix = match same_city.or_else(|| nearest(text, names.iter().map(|name| name.as_str()))) {
        Some(near) => format!("Did you mean \"{near}\"?"),
        None => "Write an IANA zone name, as in \"Europe/London\".".to_owned(),
    };
    bad(format!("\"{text}\" is no time zone"), fix)
}

/// The name of a SIP method (RFC 3261, section 7.1).
pub(super) fn method(text: &str) -> Result<String, Bad> {
    if !text.is_empty() && text.len() <= NAME_CHARS_MAX && text.bytes().all(|b| b.is_ascii_uppercase()) {
        return Ok(text.to_owned());
    }
    bad(format!("\"{text}\" is no SIP method"), "Write the method in capitals, as in \"INVITE\".")
}

/// The header of the device mark (P-13): Call-Info, or one with no other meaning.
pub(super) fn device_header(text: &str) -> Result<DeviceHeader, Bad> {
    let name = header_name(text)?;
    DeviceHeader::of(&name).map_or_else(
        || bad(format!("{name} means something else"), "Write Call-Info, or a name of your own, as in \"X-Device\"."),
        Ok,
    )
}

/// The name of a header that messages get by without.
pub(super) fn removable_header(text: &str) -> Result<String, Bad> {
    match header_name(text)? {
        name if Headers::may_list(&name) => Ok(name),
        name => bad(format!("no call gets by without {name}"), "Take it off the list."),
    }
}

/// Two letters of ISO 3166.
pub(super) fn country(text: &str) -> Result<String, Bad> {
    if text.len() == 2 && text.bytes().all(|b| b.is_ascii_alphabetic()) {
        return Ok(text.to_owned());
    }
    bad(format!("\"{text}\" is no country"), "Write the two letters of ISO 3166, as in \"GB\".")
}

/// The address of a host.
pub(super) fn ip_address(text: &str) -> Result<std::net::IpAddr, Bad> {
    text.parse().or_else(|_| bad(format!("\"{text}\" is no IP address"), "Write an IP address."))
}

/// Text of any content, without control characters.
pub(super) fn line(text: &str) -> Result<String, Bad> {
    if text.chars().any(char::is_control) {
        return bad("a text has a control character", "Write it in one line.");
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_small_grammar_takes_its_own_and_refuses_the_rest() {
        let accepts = |ok: bool, what: &str, want: bool| assert_eq!(ok, want, "{what}");
        for (text, want) in [("SEP001122334455", true), ("a b", false), ("", false), ("x;y", false)] {
            accepts(token(text).is_ok(), text, want);
        }
        for (text, want) in [("alice", true), ("a.b@c", true), ("a b", false), ("<a>", false)] {
            accepts(user_id(text).is_ok(), text, want);
        }
        for (text, want) in [
            ("tftp.example.com", true),
            ("tftp_1", true),
            ("a.b.", true),
            ("3com.example", true),
            ("192.0.2.1", true),
            ("2001:db8::1", true),
            ("1.2.3.400", false),
            ("1.2.3", false),
            ("10", false),
            ("-bad-", false),
            ("bad-.example", false),
            ("a..b", false),
            (".", false),
            ("", false),
            ("host:69", false),
        ] {
            accepts(server(text).is_ok(), text, want);
        }
        for (text, want) in [("112", true), ("+44", true), ("9X", false), ("", false)] {
            accepts(digits(text).is_ok(), text, want);
        }
        for (text, want) in [("408555XXXX", true), ("999", true), ("9!", false), ("", false)] {
            accepts(mask(text).is_ok(), text, want);
        }
        for (text, want) in [("30000-39999", true), ("5-6", false), ("4000-3000", false), ("x", false)] {
            accepts(ports(text).is_ok(), text, want);
        }
        for (text, want) in [("08:00", true), ("24:00", true), ("24:01", false), ("8:00", false), ("ab:cd", false)] {
            accepts(time_of_day(text).is_ok(), text, want);
        }
        for (text, want) in [("10.0.0.0/8", true), ("::/0", true), ("10.0.0.0/33", false), ("x/8", false)] {
            accepts(network(text).is_ok(), text, want);
        }
        for (text, want) in [("GB", true), ("gb", true), ("GBR", false), ("", false)] {
            accepts(country(text).is_ok(), text, want);
        }
        for (text, want) in [("Call-Info", true), ("X Y", false), ("", false), ("a:b", false)] {
            accepts(header_name(text).is_ok(), text, want);
        }
        for (text, want) in [("INVITE", true), ("invite", false), ("", false)] {
            accepts(method(text).is_ok(), text, want);
        }
        for (text, want) in
            [("Europe/London", true), ("europe/london", true), ("Etc/GMT+1", true), ("", false), ("a b", false)]
        {
            accepts(zone(text).is_ok(), text, want);
        }
        for (text, near) in [("Europe/Londn", "Europe/London"), ("US/Tokyo", "Asia/Tokyo"), ("berlin", "Europe/Berlin")]
        {
            assert_eq!(zone(text).err().map(|bad| bad.fix), Some(format!("Did you mean \"{near}\"?")));
        }
    }
}
