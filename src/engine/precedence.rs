//! Precedence by Resource-Priority (RFC 4412). The header itself passes as it came, whatever is in it, and so does a
//! `Require: resource-priority`: who must understand it, and answers 417 where it does not, is the far end (section 4.6.2).

use crate::sip::{Message, Name};

/// Whether a request asks for precedence over ordinary ones: a value above the routine of a namespace that is registered.
/// A namespace nobody registered counts for nothing (RFC 4412 section 4.6.1).
#[must_use]
pub fn is_precedence(message: &Message<'_>) -> bool {
    message.values(Name::ResourcePriority).any(|value| is_above_routine(value.text))
}

/// One value: a namespace, a dot, a priority.
fn is_above_routine(value: &[u8]) -> bool {
    let Some(dot) = memchr::memchr(b'.', value) else { return false };
    let (namespace, priority) = (value.get(..dot).unwrap_or_default(), value.get(dot + 1..).unwrap_or_default());
    let is_one_of = |names: &[&str]| names.iter().any(|name| priority.eq_ignore_ascii_case(name.as_bytes()));
    // RFC 7134 divides dsn into dsn-000000 and so on, with the same priorities.
    let family = namespace.split(|octet| *octet == b'-').next().unwrap_or_default().to_ascii_lowercase();
    match family.as_slice() {
        b"dsn" => is_one_of(&["priority", "immediate", "flash", "flash-override"]),
        b"drsn" => is_one_of(&["priority", "immediate", "flash", "flash-override", "flash-override-override"]),
        b"q735" => is_one_of(&["0", "1", "2", "3"]),
        // These have no routine: being in one at all is precedence (RFC 4412 section 12.6; RFC 7135 for esnet).
        b"ets" | b"wps" | b"esnet" => is_one_of(&["0", "1", "2", "3", "4"]),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::{Index, scan};

    #[test]
    fn rfc_4412_12_6_what_is_above_the_routine_of_its_namespace() {
        for (lines, want) in [
            ("", false),
            ("Resource-Priority: dsn.routine\r\n", false),
            ("Resource-Priority: dsn.flash\r\n", true),
            ("resource-priority: DSN.Flash-Override\r\n", true),
            ("Resource-Priority: dsn.flash-override-override\r\n", false),
            ("Resource-Priority: drsn.flash-override-override\r\n", true),
            ("Resource-Priority: dsn-000010.immediate\r\n", true),
            ("Resource-Priority: q735.4\r\n", false),
            ("Resource-Priority: q735.3\r\n", true),
            ("Resource-Priority: ets.4\r\n", true),
            ("Resource-Priority: wps.0\r\n", true),
            ("Resource-Priority: esnet.1\r\n", true),
            ("Resource-Priority: wps.9\r\n", false),
            ("Resource-Priority: unheard-of.0\r\n", false),
            ("Resource-Priority: unheard-of.0, wps.3\r\n", true),
            ("Resource-Priority: q735.4\r\nResource-Priority: dsn.priority\r\n", true),
            ("Resource-Priority: nonsense\r\n", false),
            ("Resource-Priority: .\r\n", false),
        ] {
            let text = format!("INVITE sip:1@h SIP/2.0\r\nVia: SIP/2.0/UDP h\r\n{lines}Content-Length: 0\r\n\r\n");
            let mut index = Index::new();
            assert_eq!(is_precedence(&scan(text.as_bytes(), &mut index).expect("well formed")), want, "{lines:?}");
        }
    }
}
