//! What is asked for.

use std::net::{Ipv4Addr, SocketAddrV4};

/// Connections of one process at most.
const CONNECTIONS_MAX: u32 = 50_000;
/// Addresses at most.
const ADDRESSES_MAX: u32 = 65_000;
/// Requests a second at most.
const RATE_MAX: u32 = 200_000;
/// Longest duration, seconds.
const LIMIT_S_MAX: u64 = 600;
/// Octets of a body that is begun, at most.
const BODY_BYTES_MAX: usize = 1_048_576;

/// How it is called.
pub const USAGE: &str = "\
siege - what besets a node: silent connections, endless messages, floods

  siege idle --target A --from IP [--connections N] [--per-address N] [--again]
      opens N connections from IP and the addresses after it, says \"open\", keeps each, silent, until SIGUSR1.
      --again: what the node closes is opened anew, so that it never has rest
  siege promise --target A --from IP [--connections N] [--per-address N] [--at-once N] [--length N] [--body N]
      N connections, --at-once at a time: each announces --length octets, sends --body of them, and hears what is said
  siege flood --target A --from IP [--addresses N] [--rate N] [--seconds N] [--acknowledge]
      INVITE, OPTIONS and REGISTER by turns over UDP, from N addresses by turns; --acknowledge: an INVITE's refusal gets its
      ACK, as of one that can be talked to

  --connections N   (1000)      --per-address N  (64)       --at-once N   (1000)
  --length N        (200000000) --body N         (8192)     --addresses N (1000)
  --rate N          a second (1000)                         --seconds N   (5)
  --limit-s N       end after that many seconds, whatever stands (120)

Addresses are in 127.0.0.0/8. One line of JSON at the end. Exit: 0 reported, 2 usage, 3 an address or descriptor cannot be had.";

/// Ways to beset a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Silent connections.
    Idle,
    /// Messages that never end.
    Promise,
    /// More requests than anybody asked for.
    Flood,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Siege {
    /// Which way.
    pub kind: Kind,
    /// Where the node listens.
    pub target: SocketAddrV4,
    /// First address of ours.
    pub from: Ipv4Addr,
    /// Connections in all.
    pub connections: u32,
    /// Connections of one address.
    pub per_address: u32,
    /// Connections at a time.
    pub at_once: u32,
    /// Whether what the node closes is opened anew.
    pub again: bool,
    /// Octets announced.
    pub length: u64,
    /// Octets sent of them.
    pub body: usize,
    /// Addresses a flood comes from.
    pub addresses: u32,
    /// Requests a second.
    pub rate: u32,
    /// Length of a flood.
    pub seconds: u64,
    /// Whether refusals are acknowledged.
    pub acknowledge: bool,
    /// Longest duration, seconds.
    pub limit_s: u64,
}

impl Siege {
    /// Reads the arguments; none: usage.
    #[must_use]
    pub fn read(words: impl IntoIterator<Item = String>) -> Option<Self> {
        let mut words = words.into_iter();
        let kind = match words.next()?.as_str() {
            "idle" => Kind::Idle,
            "promise" => Kind::Promise,
            "flood" => Kind::Flood,
            _ => return None,
        };
        let mut siege = Self {
            kind,
            target: SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0),
            from: Ipv4Addr::UNSPECIFIED,
            connections: 1_000,
            per_address: 64,
            at_once: 1_000,
            again: false,
            length: 200_000_000,
            body: 8_192,
            addresses: 1_000,
            rate: 1_000,
            seconds: 5,
            acknowledge: false,
            limit_s: 120,
        };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--again" => siege.again = true,
                "--acknowledge" => siege.acknowledge = true,
                _ => siege.set(&word, &words.next()?)?,
            }
        }
        siege.is_sound().then_some(siege)
    }

    fn set(&mut self, name: &str, value: &str) -> Option<()> {
        match name {
            "--target" => self.target = value.parse().ok()?,
            "--from" => self.from = value.parse().ok()?,
            "--connections" => self.connections = value.parse().ok()?,
            "--per-address" => self.per_address = value.parse().ok()?,
            "--at-once" => self.at_once = value.parse().ok()?,
            "--length" => self.length = value.parse().ok()?,
            "--body" => self.body = value.parse().ok()?,
            "--addresses" => self.addresses = value.parse().ok()?,
            "--rate" => self.rate = value.parse().ok()?,
            "--seconds" => self.seconds = value.parse().ok()?,
            "--limit-s" => self.limit_s = value.parse().ok()?,
            _ => return None,
        }
        Some(())
    }

    fn is_sound(&self) -> bool {
        self.target.ip().is_loopback()
            && self.from.is_loopback()
            && self.address(self.addresses_used() - 1).is_loopback()
            && (1..=CONNECTIONS_MAX).contains(&self.connections)
            && (1..=CONNECTIONS_MAX).contains(&self.per_address)
            && (1..=CONNECTIONS_MAX).contains(&self.at_once)
            && (1..=ADDRESSES_MAX).contains(&self.addresses)
            && (1..=RATE_MAX).contains(&self.rate)
            && self.body <= BODY_BYTES_MAX
            && self.body as u64 <= self.length
            && (1..=LIMIT_S_MAX).contains(&self.seconds)
            && (1..=LIMIT_S_MAX).contains(&self.limit_s)
    }

    fn addresses_used(&self) -> u32 {
        let used = match self.kind {
            Kind::Flood => self.addresses,
            Kind::Idle | Kind::Promise => self.connections.div_ceil(self.per_address.max(1)),
        };
        used.max(1)
    }

    /// The address of that number.
    #[must_use]
    pub fn address(&self, number: u32) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.from).saturating_add(number))
    }

    /// The address a connection comes from.
    #[must_use]
    pub fn address_of(&self, connection: u32) -> Ipv4Addr {
        self.address(connection / self.per_address % self.addresses_used())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Option<Siege> {
        Siege::read(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn an_address_has_its_share_of_the_connections() {
        let siege =
            read("idle --target 127.0.7.1:15060 --from 127.64.0.250 --connections 1000 --per-address 64").unwrap();
        let mut shares = std::collections::BTreeMap::new();
        (0..siege.connections).for_each(|connection| *shares.entry(siege.address_of(connection)).or_insert(0) += 1);
        assert_eq!(shares.len(), 16);
        assert!(shares.values().all(|share| *share <= 64), "{shares:?}");
        assert_eq!(siege.address_of(64 * 6), Ipv4Addr::new(127, 64, 1, 0));
    }

    #[test]
    fn what_is_not_on_loopback_or_without_bound_is_refused() {
        let good = "idle --target 127.0.7.1:15060 --from 127.64.0.1";
        assert!(read(good).is_some());
        for wrong in [
            "",
            "besiege --target 127.0.7.1:15060 --from 127.64.0.1",
            "idle --target 192.0.2.1:15060 --from 127.64.0.1",
            "idle --target 127.0.7.1:15060 --from 192.0.2.1",
            "flood --target 127.0.7.1:15060 --from 127.255.255.250 --addresses 10",
            &format!("{good} --connections 60000"),
            &format!("{good} --connections 0"),
            &format!("{good} --per-address 0"),
            &format!("{good} --length 10 --body 11"),
            &format!("{good} --rate 0"),
            &format!("{good} --limit-s 10000"),
            &format!("{good} --seconds"),
            &format!("{good} --secants 5"),
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
