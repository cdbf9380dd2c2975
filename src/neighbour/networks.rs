//! Networks whose every address is somebody we speak with: the phones of visiting users.

use std::net::IpAddr;

/// One network as its first address and its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    first: u128,
    /// Bits that vary within it.
    mask: u128,
    is_ipv4: bool,
}

impl Network {
    /// The network of `prefix` bits around `address`; `None` where the prefix is longer than the address.
    #[must_use]
    pub fn new(address: IpAddr, prefix: u8) -> Option<Self> {
        let (bits, length, is_ipv4) = bits_of(address);
        let host_bits = u32::from(length.checked_sub(prefix)?);
        let mask = 1_u128.checked_shl(host_bits).map_or(u128::MAX, |size| size.wrapping_sub(1));
        Some(Self { first: bits & !mask, mask, is_ipv4 })
    }

    /// Whether the address is in it. A mapped IPv4 address is an IPv4 address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let (bits, _, is_ipv4) = bits_of(address);
        is_ipv4 == self.is_ipv4 && bits & !self.mask == self.first
    }

    /// Whether both have an address in common.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let wider = self.mask | other.mask;
        self.is_ipv4 == other.is_ipv4 && self.first & !wider == other.first & !wider
    }
}

/// The address as a number, its length in bits, and whether it is IPv4.
fn bits_of(address: IpAddr) -> (u128, u8, bool) {
    match address.to_canonical() {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32, true),
        IpAddr::V6(address) => (address.to_bits(), 128, false),
    }
}

/// The networks of phones, without the addresses other neighbours have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PhoneNetworks {
    networks: Box<[Network]>,
    /// Sorted.
    others: Box<[IpAddr]>,
}

impl PhoneNetworks {
    /// `networks` less the addresses of `others`, who stay what the configuration says they are.
    #[must_use]
    pub fn new(networks: impl IntoIterator<Item = Network>, others: impl IntoIterator<Item = IpAddr>) -> Self {
        let networks: Box<[_]> = networks.into_iter().collect();
        let inside = |ip: &IpAddr| networks.iter().any(|network| network.contains(*ip));
        let mut others: Vec<_> = others.into_iter().map(|ip| ip.to_canonical()).filter(inside).collect();
        others.sort_unstable();
        others.dedup();
        Self { networks, others: others.into() }
    }

    /// Whether no phone is served directly.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.networks.is_empty()
    }

    /// Whether a phone may stand at that address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(address))
            && self.others.binary_search(&address.to_canonical()).is_err()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        let (ip, prefix) = text.split_once('/').unwrap();
        Network::new(ip.parse().unwrap(), prefix.parse().unwrap()).unwrap()
    }

    #[test]
    fn a_network_has_the_addresses_that_share_its_prefix() {
        for (text, address, want) in [
            ("10.1.0.0/16", "10.1.255.255", true),
            ("10.1.0.0/16", "10.2.0.0", false),
            ("10.1.7.9/16", "10.1.0.0", true),
            ("192.0.2.7/32", "192.0.2.7", true),
            ("192.0.2.7/32", "192.0.2.6", false),
            ("0.0.0.0/0", "255.255.255.255", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "10.0.0.1", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("10.0.0.0/8", "::ffff:10.9.9.9", true),
        ] {
            assert_eq!(network(text).contains(address.parse().unwrap()), want, "{address} in {text}");
        }
        assert!(Network::new("10.0.0.1".parse().unwrap(), 33).is_none());
        assert!(Network::new("::1".parse().unwrap(), 129).is_none());
    }

    #[test]
    fn networks_overlap_when_one_holds_the_other() {
        for (a, b, want) in [
            ("10.0.0.0/8", "10.1.0.0/16", true),
            ("10.1.0.0/16", "10.0.0.0/8", true),
            ("10.1.0.0/16", "10.2.0.0/16", false),
            ("::/0", "0.0.0.0/0", false),
        ] {
            assert_eq!(network(a).overlaps(&network(b)), want, "{a} and {b}");
        }
    }

    #[test]
    fn an_address_another_neighbour_has_is_no_phones() {
        let gateway: IpAddr = "10.1.0.20".parse().unwrap();
        let phones = PhoneNetworks::new([network("10.1.0.0/16")], [gateway, "10.2.0.1".parse().unwrap()]);
        assert!(!phones.contains(gateway));
        assert!(!phones.contains("::ffff:10.1.0.20".parse().unwrap()));
        assert!(phones.contains("10.1.0.21".parse().unwrap()));
        assert!(PhoneNetworks::default().is_empty() && !PhoneNetworks::default().contains(gateway));
    }
}
