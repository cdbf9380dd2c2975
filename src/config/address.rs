//! Addresses as the file writes them: `udp:127.0.0.1:5060`, `tcp:[::1]:5060`, `tls:192.0.2.1:5061`.

use std::net::{IpAddr, SocketAddr};

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

/// `IP:PORT`, IPv6 in brackets, without a transport.
pub(super) fn socket_address(text: &str) -> Result<SocketAddr, Bad> {
    socket(text, "Write an IP address and a port, as in \"127.0.0.1:9411\" or \"[::1]:9411\".")
}

/// `IP` or `IP:PORT`: what the node calls itself; port 0 stands for "that of the listening address".
pub(super) fn advertised(text: &str) -> Result<(IpAddr, Option<u16>), Bad> {
    if let Ok(ip) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Ok((ip, None));
    }
    let form = "Write the IP address the neighbours reach this node at, as in \"192.0.2.1\" or \"192.0.2.1:5060\".";
    let socket = socket(text, form)?;
    Ok((socket.ip(), Some(socket.port())))
}

fn socket(text: &str, form: &str) -> Result<SocketAddr, Bad> {
    if let Ok(socket) = text.parse::<SocketAddr>() {
        return match socket.port() {
            0 => bad(format!("\"{text}\" has port 0"), "Write a port from 1 to 65535."),
            _ => Ok(socket),
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
            format!("\"{host}\" is a name, and names are not resolved by this version"),
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
    fn an_advertised_address_may_leave_the_port_to_the_listening_one() {
        assert_eq!(advertised("192.0.2.1").ok(), Some((IpAddr::from([192, 0, 2, 1]), None)));
        assert_eq!(advertised("192.0.2.1:5080").ok(), Some((IpAddr::from([192, 0, 2, 1]), Some(5080))));
        assert!(advertised("[::1]").is_ok_and(|(ip, port)| ip.is_ipv6() && port.is_none()));
        assert!(advertised("node.example.com").is_err());
    }
}
