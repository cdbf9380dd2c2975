//! Who we speak with: transports, addresses and flows; the networks phones stand in; whether an address serves, in which
//! order those of one neighbour are tried, and what a neighbour may send.
// Reports, marks and records come from outside: no index, no sum and no cast that they could make go wrong.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::arithmetic_side_effects,
        clippy::unwrap_used
    )
)]

pub mod control;
pub mod headers;
pub mod health;
pub mod locate;
pub mod mark;
pub mod methods;
pub mod names;
mod networks;
pub mod rate;
pub mod select;

pub use networks::{Network, PhoneNetworks};

mod name;

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

pub use name::CertificateName;

/// How SIP is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// Streams.
    Tcp,
    /// Streams inside TLS, both ends with a certificate.
    Tls,
}

impl Transport {
    /// Whether the transport itself repeats what is lost (RFC 3261 section 17).
    #[must_use]
    pub fn is_reliable(self) -> bool {
        self != Self::Udp
    }

    /// The port of an address that names none (RFC 3261 section 19.1.2).
    #[must_use]
    pub fn default_port(self) -> u16 {
        if self == Self::Tls { 5061 } else { 5060 }
    }

    /// The word of a Via header.
    #[must_use]
    pub fn via_name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        }
    }

    /// The word of a `transport` parameter and of the configuration.
    #[must_use]
    pub fn uri_name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }

    /// What a `sip:` URI needs behind its port to lead over this transport; UDP is what it leads over without.
    #[must_use]
    pub fn uri_parameter(self) -> &'static [u8] {
        match self {
            Self::Udp => b"",
            Self::Tcp => b";transport=tcp",
            Self::Tls => b";transport=tls",
        }
    }
}

/// Where a neighbour listens; shown as the configuration writes it, `udp:127.0.0.1:5060`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    /// How to reach it.
    pub transport: Transport,
    /// Where.
    pub socket: SocketAddr,
}

impl Address {
    /// Whether a listener here speaks IPv4 (`true`) or IPv6 (`false`): its own family, and `[::]` both.
    #[must_use]
    pub fn speaks(self, is_v4: bool) -> bool {
        self.socket.is_ipv4() == is_v4 || self.socket.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED)
    }

    /// Whether a listener here can send to `other`.
    #[must_use]
    pub fn reaches(self, other: Self) -> bool {
        self.transport == other.transport && self.speaks(other.socket.is_ipv4())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.transport.uri_name(), self.socket)
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.uri_name())
    }
}

/// One way a message came or goes: our listener, the other end, and on streams the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// How it is carried.
    pub transport: Transport,
    /// Index of our listening address in the configuration.
    pub listener: u16,
    /// The other end.
    pub remote: SocketAddr,
    /// The stream it came on; 0 for datagrams and for "any stream to `remote`, a new one if there is none".
    pub connection: u64,
}
