//! Which phones of EMCC sessions are registered through this node, and where each is reached. A row is made by call
//! control's 200 alone, so nobody is registered here who is not registered there, and no device is ever made.

use std::net::{IpAddr, SocketAddr};

use emcc_policies::moment::Moment;
use smallvec::SmallVec;

use super::running;
use crate::limits::CONTACTS_MAX;
use crate::neighbour::{Flow, Transport};
use crate::sip::{Scheme, UriRef};

/// An EMCC session by the seeded hash of its device's name and its user: in hexadecimal digits it is the user part of our
/// Path URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RegisteredKey(pub u128);

/// A contact address as a URI gives it: what tells two contacts of one user apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContactId {
    /// IP address and port.
    pub socket: SocketAddr,
    /// Seeded hash of the user part.
    pub user: u64,
}

/// One place a phone is reached at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contact {
    /// The address its Contact gave.
    pub id: ContactId,
    /// How it is reached.
    pub transport: Transport,
    /// The way its REGISTER came.
    pub flow: Flow,
    /// When it is forgotten unless it registers again.
    pub expires_at: Moment,
}

/// IP addresses of one session's phones, at most one a contact.
pub type Addresses = SmallVec<[IpAddr; 2]>;

/// What is registered of one session.
#[derive(Debug)]
pub struct Registered {
    /// Its device, as the configuration writes it.
    pub device: Box<str>,
    contacts: SmallVec<[Contact; 1]>,
    /// Earliest hint that waits in a wheel.
    armed: Option<Moment>,
}

impl Registered {
    /// Nothing registered of that device yet.
    #[must_use]
    pub fn of(device: &str) -> Self {
        Self { device: device.into(), contacts: SmallVec::new(), armed: None }
    }

    /// Adds a contact, or sets its flow and expiry anew. Beyond the bound the one that would expire first goes: a phone
    /// that was restarted often must not lock itself out.
    pub fn set(&mut self, contact: Contact) {
        self.remove(contact.id);
        if self.contacts.len() >= CONTACTS_MAX
            && let Some((first, _)) = self.contacts.iter().enumerate().min_by_key(|(_, kept)| kept.expires_at)
        {
            self.contacts.remove(first);
        }
        self.contacts.push(contact);
    }

    /// Takes a contact out.
    pub fn remove(&mut self, id: ContactId) {
        self.contacts.retain(|kept| kept.id != id);
    }

    /// Takes every contact out.
    pub fn clear(&mut self) {
        self.contacts.clear();
    }

    /// Forgets what has expired.
    pub fn expire(&mut self, now: Moment) {
        self.armed = None;
        self.contacts.retain(|kept| kept.expires_at > now);
    }

    /// Whether no contact is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.contacts.is_empty()
    }

    /// The contact of that address.
    #[must_use]
    pub fn contact(&self, id: ContactId) -> Option<Contact> {
        self.contacts.iter().find(|contact| contact.id == id).copied()
    }

    /// The way the REGISTER of a contact at that IP address and port came.
    #[must_use]
    pub fn flow_of(&self, socket: SocketAddr) -> Option<Flow> {
        self.contacts.iter().find(|contact| contact.id.socket == socket).map(|contact| contact.flow)
    }

    /// The way the latest REGISTER over a stream from that address came.
    #[must_use]
    pub fn newest_from(&self, ip: IpAddr) -> Option<Flow> {
        let flows = self.contacts.iter().map(|contact| contact.flow);
        flows.filter(|flow| flow.remote.ip() == ip && flow.connection != 0).max_by_key(|flow| flow.connection)
    }

    /// The addresses phones registered from, each once.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        let mut found = Addresses::new();
        for ip in self.contacts.iter().map(|contact| contact.flow.remote.ip()) {
            if !found.contains(&ip) {
                found.push(ip);
            }
        }
        found
    }

    /// Whether a phone registered from where a message comes from.
    #[must_use]
    pub fn is_from(&self, flow: Flow) -> bool {
        self.contacts.iter().any(|contact| contact.flow.remote.ip() == flow.remote.ip())
    }

    /// The deadline a hint is needed for, or `None` when one waits that is early enough or nothing is registered.
    pub fn arm(&mut self) -> Option<Moment> {
        let next = self.contacts.iter().map(|contact| contact.expires_at).min()?;
        if self.armed.is_some_and(|armed| armed <= next) {
            return None;
        }
        self.armed = Some(next);
        Some(next)
    }
}

/// The address and port of a contact's URI; `None` for a name, which nobody resolves for a phone.
#[must_use]
pub fn socket_of(uri: &UriRef<'_>) -> Option<SocketAddr> {
    let port = uri.port.unwrap_or_else(|| running::transport_of(uri).default_port());
    Some((uri.host.ip()?.to_canonical(), port).into())
}

/// The transport of a contact's URI; that of the REGISTER where it names none.
#[must_use]
pub fn transport_of(uri: &UriRef<'_>, otherwise: Transport) -> Transport {
    let is_said = uri.scheme == Scheme::Sips || uri.param("transport").is_some();
    if is_said { running::transport_of(uri) } else { otherwise }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact(port: u16, expires_ms: u64) -> Contact {
        let socket = SocketAddr::from(([10, 0, 0, 5], port));
        let flow = Flow { transport: Transport::Udp, listener: 0, remote: socket, connection: 0 };
        Contact { id: ContactId { socket, user: 1 }, transport: Transport::Udp, flow, expires_at: Moment(expires_ms) }
    }

    fn ports(row: &Registered) -> Vec<u16> {
        row.contacts.iter().map(|contact| contact.id.socket.port()).collect()
    }

    #[test]
    fn beyond_the_bound_the_contact_that_expires_first_goes() {
        let mut row = Registered::of("SEP1");
        for (port, expires) in [(1, 50), (2, 20), (3, 20), (4, 90)] {
            row.set(contact(port, expires));
        }
        row.set(contact(5, 60));
        assert_eq!(ports(&row), [1, 3, 4, 5], "one of the two that expire first, not both");
        row.set(contact(3, 95));
        assert_eq!(ports(&row), [1, 4, 5, 3], "the same contact again takes no other's place");
    }

    #[test]
    fn what_has_expired_is_forgotten_and_the_next_deadline_hinted_once() {
        let mut row = Registered::of("SEP1");
        row.set(contact(1, 100));
        row.set(contact(2, 50));
        assert_eq!((row.arm(), row.arm()), (Some(Moment(50)), None));
        row.expire(Moment(50));
        assert_eq!((ports(&row), row.arm()), (vec![1], Some(Moment(100))));
        row.expire(Moment(100));
        assert!(row.is_empty() && row.arm().is_none());
    }
}
