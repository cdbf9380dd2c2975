//! Neighbours given by name, as commands that look nothing up tell of them.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use emcc_policies::moment::Moment;

use crate::config::Plan;
use crate::neighbour::locate::{Located, Named};
use crate::neighbour::names::Names;
use crate::neighbour::select::Rank;
use crate::neighbour::{Address, Transport};

/// Neighbours given by name, each with an address nobody has (class E): a decision has them where a node would that looked
/// them up, and they are shown and compared by their names, not by where these lead today.
#[derive(Default)]
pub(super) struct NamedNeighbours(BTreeMap<Named, Address>);

impl NamedNeighbours {
    /// The configuration with each of its named neighbours at the address that stands for the name.
    pub(super) fn locate(&mut self, plan: Plan) -> Plan {
        if plan.names().next().is_none() {
            return plan;
        }
        let has_tls = plan.sip.listen.iter().any(|listen| listen.address.transport == Transport::Tls);
        let mut names = Names::default();
        for name in plan.names() {
            let [.., high, low] = u32::try_from(self.0.len()).unwrap_or(u32::MAX).to_be_bytes();
            let socket = SocketAddr::from(([240, 0, high, low], name.port.unwrap_or(0)));
            // The records of a name without transport and port may lead to TLS (RFC 3263 section 4.1).
            let unknown = if has_tls && name.port.is_none() { Transport::Tls } else { Transport::Udp };
            let address = Address { transport: name.transport.unwrap_or(unknown), socket };
            let address = *self.0.entry(name.clone()).or_insert(address);
            names.learn(name, vec![Located { address, rank: Rank::default() }], Moment(0));
        }
        plan.located(&names)
    }

    /// Whether an address stands for a name.
    pub(super) fn is_named(&self, address: Address) -> bool {
        self.0.values().any(|known| *known == address)
    }

    /// An address as it was written: by the name it stands for, where it does.
    pub(super) fn shown(&self, address: Address) -> String {
        let named = self.0.iter().find(|(_, known)| **known == address);
        named.map_or_else(|| address.to_string(), |(name, _)| name.to_string())
    }
}
