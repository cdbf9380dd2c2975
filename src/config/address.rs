//! Addresses as the file writes them: `udp:127.0.0.1:5060`, `tcp:[::1]:5060`, `tls:192.0.2.1:5061`.

use std::net::{IpAddr, SocketAddr};

use crate::neighbour::locate::{Named, Place};
pub use crate::neighbour::{Address, Transport};

/// Why a text is no value of its key: what is wrong with it, and what to write.
pub(super) struct Bad {
    pub(super) message: String,
    pub(super) fix: String,
}

pub(super) fn bad<T>(message: impl Into<String>, fix: impl Into<String>) -> Result<T, Bad> {
    Err(Bad { message: message.into(), fix: fix.into() })
}

/// `TRANSPORT:IP:PORT`, IPv6 in brackets.
pub(super) fn address(text: &str) -> Result<Address, Bad> {
    let form = "Write a transport, an IP address and a port, as in \"udp:127.0.0.1:5060\" or \"tcp:[::1]:5060\".";
    let Some((name, rest)) = text.split_once(':') else {
        return bad(format!("\"{text}\" is no address"), form);
    };
    let transport = match name {
        "udp" => Transport::Udp,
        "tcp" => Transport::Tcp,
        "tls" => Transport::Tls,
        _ => return bad(format!("\"{text}\" does not begin with a transport: udp, tcp or tls"), form),
    };
    let socket = socket(rest, form)?;
    Ok(Address { transport, socket })
}

/// What a neighbour's address may be: `TRANSPORT:IP:PORT`, `TRANSPORT:NAME`, `TRANSPORT:NAME:PORT`, `NAME` or
/// `NAME:PORT`; a name without a transport has a dot in it.
pub(super) fn place(text: &str) -> Result<Place, Bad> {
    let (transport, rest) = match text.split_once(':') {
        Some(("udp", rest)) => (Some(Transport::Udp), rest),
        Some(("tcp", rest)) => (Some(Transport::Tcp), rest),
        Some(("tls", rest)) => (Some(Transport::Tls), rest),
        _ => (None, text),
    };
    let (host, port) = rest.rsplit_once(':').map_or((rest, None), |(host, port)| (host, Some(port)));
    if !is_host_name(host) || (transport.is_none() && !host.contains('.')) {
        return address(text).map(Place::Address);
    }
    if !is_domain(host) {
        return bad(
            format!("\"{host}\" is no domain name"),
            "Write labels of 1 to 63 letters, digits and inner hyphens between dots, as in \"sip.example.com\".",
        );
    }
    let port = match port.map(str::parse::<u16>) {
        None => None,
        Some(Ok(port @ 1..)) => Some(port),
        Some(_) => return bad(format!("\"{text}\" has no usable port"), "Write a port from 1 to 65535, or none."),
    };
    Ok(Place::Named(Named { host: host.trim_end_matches('.').to_ascii_lowercase().into(), port, transport }))
}

/// A DNS server: `IP` or `IP:PORT`, port 53 unless written.
pub(super) fn dns_server(text: &str) -> Result<SocketAddr, Bad> {
    if let Ok(ip) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip.to_canonical(), 53));
    }
    socket(text, "Write the IP address of a DNS server, as in \"192.0.2.53\" or \"127.0.0.1:5353\".")
}

/// `IP:PORT`, IPv6 in brackets, without a transport.
pub(super) fn socket_address(text: &str) -> Result<SocketAddr, Bad> {
    socket(text, "Write an IP address and a port, as in \"127.0.0.1:9411\" or \"[::1]:9411\".")
}

/// `IP` or `IP:PORT`: what the node calls itself; port 0 stands for "that of the listening address".
pub(super) fn advertised(text: &str) -> Result<(IpAddr, Option<u16>), Bad> {
    if let Ok(ip) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Ok((ip.to_canonical(), None));
    }
    let form = "Write the IP address the neighbours reach this node at, as in \"192.0.2.1\" or \"192.0.2.1:5060\".";
    let socket = socket(text, form)?;
    Ok((socket.ip(), Some(socket.port())))
}

fn socket(text: &str, form: &str) -> Result<SocketAddr, Bad> {
    if let Ok(socket) = text.parse::<SocketAddr>() {
        return match socket.port() {
            0 => bad(format!("\"{text}\" has port 0"), "Write a port from 1 to 65535."),
            // One address has one form, and messages from it are known by that.
            port => Ok(SocketAddr::new(socket.ip().to_canonical(), port)),
        };
    }
    if text.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv6()) {
        return bad(format!("\"{text}\" is an IPv6 address without brackets"), form);
    }
    if text.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
        return bad(format!("\"{text}\" has no port"), form);
    }
    let host = text.rsplit_once(':').map_or(text, |(host, _)| host);
    if is_host_name(host) {
        return bad(
            format!("\"{host}\" is a name, and this must be an IP address"),
            "Write an IP address in place of the name.",
        );
    }
    bad(format!("\"{text}\" is no IP address with a port"), form)
}

/// Letters, digits, dots and hyphens with at least one letter (RFC 1123, section 2.1).
fn is_host_name(host: &str) -> bool {
    let legal = host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
    legal && host.bytes().any(|b| b.is_ascii_alphabetic())
}

/// Labels of 1 to 63 characters that neither begin nor end with a hyphen, 253 in all, a dot at the end allowed.
fn is_domain(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let is_label = |label: &str| (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-');
    host.len() <= 253 && host.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_transport_an_ip_address_and_a_port() {
        for text in ["udp:127.0.0.1:5060", "tcp:[::1]:5060", "udp:[2001:db8::7]:5062", "tls:192.0.2.1:5061"] {
            assert_eq!(address(text).ok().map(|a| a.to_string()).as_deref(), Some(text));
        }
    }

    #[test]
    fn an_ipv4_address_in_ipv6_form_is_the_ipv4_address() {
        let read = address("udp:[::ffff:192.0.2.1]:5060").ok().map(|address| address.to_string());
        assert_eq!(read.as_deref(), Some("udp:192.0.2.1:5060"));
        let read = place("tcp:[::ffff:192.0.2.1]:5060").ok().map(|place| place.to_string());
        assert_eq!(read.as_deref(), Some("tcp:192.0.2.1:5060"));
        assert_eq!(advertised("::ffff:192.0.2.1").ok(), Some((IpAddr::from([192, 0, 2, 1]), None)));
        assert_eq!(dns_server("::ffff:192.0.2.53").ok().map(|at| at.to_string()).as_deref(), Some("192.0.2.53:53"));
    }

    #[test]
    fn what_is_wrong_with_an_address_is_named() {
        for (text, message) in [
            ("127.0.0.1:5060", "does not begin with a transport"),
            ("sctp:127.0.0.1:5060", "does not begin with a transport"),
            ("udp:127.0.0.1", "has no port"),
            ("udp:[::1]", "has no port"),
            ("udp:::1", "without brackets"),
            ("udp:127.0.0.1:0", "port 0"),
            ("udp:127.0.0.1:70000", "no IP address with a port"),
            ("udp:gw.example.com:5060", "is a name"),
            ("udp:", "no IP address with a port"),
            ("udp", "is no address"),
            ("", "is no address"),
        ] {
            let problem = address(text).err();
            assert!(
                problem.as_ref().is_some_and(|b| b.message.contains(message)),
                "{text}: {:?}",
                problem.map(|b| b.message)
            );
        }
    }

    #[test]
    fn a_neighbour_is_an_address_or_a_name() {
        for text in [
            "udp:127.0.0.1:5060",
            "tls:[::1]:5061",
            "udp:gw",
            "udp:sip.example.com",
            "tcp:sip.example.com:5070",
            "sip.example.com",
            "sip.example.com:5070",
            "9.example.com",
        ] {
            assert_eq!(place(text).ok().map(|place| place.to_string()).as_deref(), Some(text));
        }
        assert_eq!(place("udp:SIP.Example.COM.").ok().map(|p| p.to_string()).as_deref(), Some("udp:sip.example.com"));
        for (text, message) in [
            ("gw", "is no address"),
            ("sctp:gw.example.com", "does not begin with a transport"),
            ("127.0.0.1:5060", "does not begin with a transport"),
            ("udp:127.0.0.1", "has no port"),
            ("udp:-gw.example.com", "no domain name"),
            ("udp:gw..example.com", "no domain name"),
            ("udp:gw.example.com:0", "no usable port"),
            ("udp:gw.example.com:sip", "no usable port"),
            ("udp:gw_1.example.com", "no IP address with a port"),
            ("udp:", "no IP address with a port"),
            ("", "is no address"),
        ] {
            let problem = place(text).err();
            assert!(
                problem.as_ref().is_some_and(|b| b.message.contains(message)),
                "{text}: {:?}",
                problem.map(|b| b.message)
            );
        }
        let long = format!("udp:{}.example.com", "a".repeat(64));
        assert!(place(&long).is_err());
    }

    #[test]
    fn a_dns_server_is_an_address_with_or_without_a_port() {
        for (text, want) in [
            ("192.0.2.53", "192.0.2.53:53"),
            ("127.0.0.1:5353", "127.0.0.1:5353"),
            ("::1", "[::1]:53"),
            ("[::1]:5353", "[::1]:5353"),
        ] {
            assert_eq!(dns_server(text).ok().map(|server| server.to_string()).as_deref(), Some(want), "{text}");
        }
        assert!(dns_server("dns.example.com").is_err() && dns_server("127.0.0.1:0").is_err());
    }

    #[test]
    fn an_advertised_address_may_leave_the_port_to_the_listening_one() {
        assert_eq!(advertised("192.0.2.1").ok(), Some((IpAddr::from([192, 0, 2, 1]), None)));
        assert_eq!(advertised("192.0.2.1:5080").ok(), Some((IpAddr::from([192, 0, 2, 1]), Some(5080))));
        assert!(advertised("[::1]").is_ok_and(|(ip, port)| ip.is_ipv6() && port.is_none()));
        assert!(advertised("node.example.com").is_err());
    }
}
