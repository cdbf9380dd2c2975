//! Where a neighbour given by name is: what to ask the DNS for, in which order, and what its answers mean (RFC 3263).
//! Nothing here asks anybody: questions go out as values and records come in as values.

use std::fmt;
use std::net::IpAddr;

use super::select::Rank;
use super::{Address, Transport};

/// A neighbour's address as the configuration writes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// `udp:127.0.0.1:5060`.
    Address(Address),
    /// `udp:sip.example.com`, `tcp:sip.example.com:5060` or `sip.example.com`.
    Named(Named),
}

/// A host or domain by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Named {
    /// The name, in lower case, without a dot at its end.
    pub host: Box<str>,
    /// Written: it is a host at that port, and only its addresses are asked for.
    pub port: Option<u16>,
    /// Written: only this transport. Not written: the domain says which (NAPTR).
    pub transport: Option<Transport>,
}

/// One address a name led to, with its place among the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Located {
    /// Where.
    pub address: Address,
    /// As the SRV record has it.
    pub rank: Rank,
}

/// A NAPTR record (RFC 3403).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naptr {
    /// Lower first.
    pub order: u16,
    /// Lower first within an order.
    pub preference: u16,
    /// `s` where the replacement has SRV records.
    pub flags: Box<[u8]>,
    /// As `SIP+D2U`.
    pub services: Box<[u8]>,
    /// Where to go on.
    pub replacement: Box<str>,
}

/// A SRV record (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Srv {
    /// Lower first.
    pub priority: u16,
    /// Share within a priority.
    pub weight: u16,
    /// Port of the target.
    pub port: u16,
    /// Host; empty: no such service.
    pub target: Box<str>,
}

/// SRV records to ask for: under which name, and over which transport their targets are reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// As `_sip._udp.example.com`.
    pub name: String,
    /// How its targets are reached.
    pub transport: Transport,
}

impl Place {
    /// The address, where it is written as one.
    #[must_use]
    pub fn address(&self) -> Option<Address> {
        match self {
            Self::Address(address) => Some(*address),
            Self::Named(_) => None,
        }
    }

    /// The name, where it is written as one.
    #[must_use]
    pub fn named(&self) -> Option<&Named> {
        match self {
            Self::Address(_) => None,
            Self::Named(named) => Some(named),
        }
    }

    /// The transport, where it is written.
    #[must_use]
    pub fn transport(&self) -> Option<Transport> {
        match self {
            Self::Address(address) => Some(address.transport),
            Self::Named(named) => named.transport,
        }
    }
}

impl Named {
    /// Whether the domain is asked which transport it prefers (RFC 3263 section 4.1): neither transport nor port says so.
    #[must_use]
    pub fn asks_for_transport(&self) -> bool {
        self.transport.is_none() && self.port.is_none()
    }

    /// The services to ask for where the domain prefers none, one after the other until one has records; none where the
    /// port is written, for then the name is a host's (RFC 3263 section 4.2).
    #[must_use]
    pub fn services(&self, served: &[Transport]) -> Vec<Service> {
        if self.port.is_some() {
            return Vec::new();
        }
        let transports = match self.transport {
            Some(transport) => vec![transport],
            // RFC 3263 section 4.1: those we speak, and of a sip URI the secure one only where a NAPTR says so.
            None => {
                [Transport::Udp, Transport::Tcp].into_iter().filter(|transport| served.contains(transport)).collect()
            }
        };
        transports
            .into_iter()
            .map(|transport| Service { name: service_name(transport, &self.host), transport })
            .collect()
    }

    /// How the name itself is reached as a host, where nothing else is known of it.
    #[must_use]
    pub fn as_host(&self) -> (Transport, u16) {
        let transport = self.transport.unwrap_or(Transport::Udp);
        (transport, self.port.unwrap_or(default_port(transport)))
    }
}

/// The services a domain prefers, the best first: those of transports that are served (RFC 3263 section 4.1).
#[must_use]
pub fn preferred(records: &[Naptr], served: &[Transport]) -> Vec<Service> {
    let mut usable: Vec<(&Naptr, Transport)> = records
        .iter()
        .filter(|record| record.flags.eq_ignore_ascii_case(b"s") && !record.replacement.is_empty())
        .filter_map(|record| Some((record, transport_of(&record.services)?)))
        .filter(|(_, transport)| served.contains(transport))
        .collect();
    usable.sort_by_key(|(record, _)| (record.order, record.preference));
    usable.into_iter().map(|(record, transport)| Service { name: record.replacement.to_string(), transport }).collect()
}

/// The addresses of one SRV record's target. The record's weight is the target's, however many addresses it has.
#[must_use]
pub fn targets(record: &Srv, transport: Transport, ips: &[IpAddr]) -> Vec<Located> {
    let share = |weight: u16| match u16::try_from(ips.len()).ok().and_then(|count| weight.checked_div(count)) {
        Some(share) if weight > 0 => share.max(1),
        _ => 0,
    };
    let rank = Rank { priority: u32::from(record.priority), weight: share(record.weight) };
    hosts(transport, record.port, ips).map(|address| Located { address, rank }).collect()
}

/// The addresses of a name that is a host's.
pub fn hosts(transport: Transport, port: u16, ips: &[IpAddr]) -> impl Iterator<Item = Address> {
    // A name that leads to "any host", to a group or to no port leads nowhere.
    let is_broadcast = |ip: &IpAddr| matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    let is_one_host = move |ip: &IpAddr| port != 0 && !ip.is_unspecified() && !ip.is_multicast() && !is_broadcast(ip);
    let canonical = ips.iter().map(|ip| ip.to_canonical());
    canonical.filter(is_one_host).map(move |ip| Address { transport, socket: (ip, port).into() })
}

fn service_name(transport: Transport, domain: &str) -> String {
    match transport {
        Transport::Udp => format!("_sip._udp.{domain}"),
        Transport::Tcp => format!("_sip._tcp.{domain}"),
        Transport::Tls => format!("_sips._tcp.{domain}"),
    }
}

fn transport_of(services: &[u8]) -> Option<Transport> {
    [(b"SIP+D2U".as_slice(), Transport::Udp), (b"SIP+D2T", Transport::Tcp), (b"SIPS+D2T", Transport::Tls)]
        .into_iter()
        .find(|(name, _)| services.eq_ignore_ascii_case(name))
        .map(|(_, transport)| transport)
}

fn default_port(transport: Transport) -> u16 {
    if transport == Transport::Tls { 5061 } else { 5060 }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Named(named) => named.fmt(f),
        }
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(transport) = self.transport {
            write!(f, "{transport}:")?;
        }
        f.write_str(&self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Transport; 3] = [Transport::Udp, Transport::Tcp, Transport::Tls];

    fn named(transport: Option<Transport>, port: Option<u16>) -> Named {
        Named { host: "example.com".into(), port, transport }
    }

    fn naptr(order: u16, preference: u16, flags: &str, services: &str, replacement: &str) -> Naptr {
        let (flags, services) = (flags.as_bytes().into(), services.as_bytes().into());
        Naptr { order, preference, flags, services, replacement: replacement.into() }
    }

    #[test]
    fn rfc_3263_4_1_and_4_2_what_is_written_says_what_is_asked() {
        use Transport::{Tcp, Tls, Udp};
        for (transport, port, naptr, services, host) in [
            (None, None, true, vec!["_sip._udp.example.com", "_sip._tcp.example.com"], (Udp, 5060)),
            (None, Some(5080), false, vec![], (Udp, 5080)),
            (Some(Udp), None, false, vec!["_sip._udp.example.com"], (Udp, 5060)),
            (Some(Tcp), None, false, vec!["_sip._tcp.example.com"], (Tcp, 5060)),
            (Some(Tls), None, false, vec!["_sips._tcp.example.com"], (Tls, 5061)),
            (Some(Tls), Some(5099), false, vec![], (Tls, 5099)),
        ] {
            let named = named(transport, port);
            let asked: Vec<String> = named.services(&ALL).into_iter().map(|service| service.name).collect();
            assert_eq!(
                (named.asks_for_transport(), asked, named.as_host()),
                (naptr, services.into_iter().map(str::to_owned).collect(), host),
                "{named}"
            );
        }
        let only_udp: Vec<_> =
            named(None, None).services(&[Udp]).into_iter().map(|service| service.transport).collect();
        assert_eq!(only_udp, [Udp], "a transport nobody listens on is not asked for");
    }

    #[test]
    fn rfc_3263_4_1_the_domain_prefers_by_order_then_preference_among_what_we_speak() {
        let records = [
            naptr(90, 50, "s", "SIP+D2U", "_sip._udp.example.com"),
            naptr(50, 50, "S", "sips+d2t", "_sips._tcp.example.com"),
            naptr(90, 10, "s", "SIP+D2T", "_sip._tcp.example.com"),
            naptr(10, 10, "s", "SIP+D2S", "_sip._sctp.example.com"),
            naptr(10, 10, "u", "SIP+D2U", "not.for.us"),
            naptr(10, 10, "s", "E2U+sip", "not.sip"),
        ];
        let order = |served: &[Transport]| {
            preferred(&records, served).into_iter().map(|service| service.transport).collect::<Vec<_>>()
        };
        assert_eq!(order(&ALL), [Transport::Tls, Transport::Tcp, Transport::Udp]);
        assert_eq!(order(&[Transport::Udp]), [Transport::Udp]);
        assert_eq!(preferred(&records, &ALL)[0].name, "_sips._tcp.example.com");
    }

    #[test]
    fn rfc_2782_a_target_s_addresses_share_its_weight() {
        let record = Srv { priority: 3, weight: 10, port: 5070, target: "a.example.com".into() };
        let ips: Vec<IpAddr> = ["192.0.2.1", "2001:db8::1"].iter().map(|ip| ip.parse().unwrap()).collect();
        let found = targets(&record, Transport::Tcp, &ips);
        assert_eq!(found.len(), 2);
        for (found, address) in found.iter().zip(["tcp:192.0.2.1:5070", "tcp:[2001:db8::1]:5070"]) {
            assert_eq!((found.address.to_string().as_str(), found.rank), (address, Rank { priority: 3, weight: 5 }));
        }
        let weightless = Srv { weight: 0, ..record.clone() };
        assert_eq!(targets(&weightless, Transport::Udp, &ips[..1])[0].rank.weight, 0);
        assert_eq!(targets(&Srv { weight: 1, ..record }, Transport::Udp, &ips)[0].rank.weight, 1);
    }

    #[test]
    fn a_name_that_leads_to_no_one_host_leads_nowhere() {
        let ips = ["0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "ff02::1"].map(|ip| ip.parse().unwrap());
        assert_eq!(hosts(Transport::Udp, 5060, &ips).count(), 0);
        assert_eq!(hosts(Transport::Udp, 0, &["192.0.2.1".parse().unwrap()]).count(), 0);
        let mapped = ["::ffff:0.0.0.0", "::ffff:192.0.2.1"].map(|ip| ip.parse().unwrap());
        let found: Vec<_> = hosts(Transport::Udp, 5060, &mapped).map(|address| address.to_string()).collect();
        assert_eq!(found, ["udp:192.0.2.1:5060"], "IPv4 in IPv6 form is IPv4");
    }

    #[test]
    fn a_place_is_shown_as_it_is_written() {
        for (named, text) in [
            (named(None, None), "example.com"),
            (named(Some(Transport::Udp), None), "udp:example.com"),
            (named(Some(Transport::Tls), Some(5099)), "tls:example.com:5099"),
            (named(None, Some(5080)), "example.com:5080"),
        ] {
            assert_eq!(Place::Named(named).to_string(), text);
        }
    }
}
