//! REGISTER of a visiting user's phone at its home node: relayed to call control with Path (RFC 3327), so that
//! calls to the phone pass this node. Credentials, challenges and Service-Route (RFC 3608) pass untouched: call control
//! alone says who may register.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use bytes::Bytes;
use emcc_policies::moment::Moment;
use smallvec::SmallVec;

use super::Turn;
use super::decide::PhoneHop;
use super::effects::{Hint, TransactionKey};
use super::forward::{self, Launch};
use super::hunt::{Failure, Hunt};
use super::ids::{from_hex, hex};
use super::registered::{Addresses, Contact, ContactId, Registered, RegisteredKey, socket_of, transport_of};
use super::reject::{Busy, Refusal, Reject};
use super::request::Request;
use crate::config::plan::{DeviceId, EmccSession, Plan, SessionId, Side};
use crate::limits::{CONTACTS_MAX, REGISTRATION_S_MAX};
use crate::neighbour::{Address, Flow};
use crate::sip::uri::unescape;
use crate::sip::{
    ContactRef, Essentials, Message, Method, Name, NameAddrRef, Scheme, Strictness, UriRef, essentials, scan,
};
use crate::table::{Full, Inserted};
use crate::transaction::row::{Machine, Purpose};

/// Octets of a contact's user that are read without a buffer on the heap.
const USER_INLINE: usize = 64;

/// Lifetime of a contact where neither side says one (RFC 3261 section 10.2.1.1), seconds.
const EXPIRES_S: u32 = 3_600;

impl Turn<'_> {
    /// A REGISTER from a network of phones.
    pub(crate) fn register(&mut self, request: Request<'_>) {
        let plan = self.running.plan.clone();
        if let Err(why) = self.may_register(&plan, &request) {
            return self.refuse_unseen(request.flow, request.message, request.method, why);
        }
        if !self.open(&request, true) {
            return;
        }
        if !self.send_register(request.key, request.flow, request.message, request.essentials, 0) {
            let why = Reject::Refusal(Refusal::EveryHopFailed);
            if let Some(range) = self.write_refusal(request.flow, request.message, why) {
                self.respond(request.key, why.answer().status, range);
            }
        }
    }

    fn may_register(&self, plan: &Plan, request: &Request<'_>) -> Result<(), Reject> {
        let refuse = |why| Err(Reject::Refusal(why));
        let (key, _) =
            self.registering(plan, request.message, request.essentials, request.flow).map_err(Reject::Refusal)?;
        if let Some(busy) = self.busy(request.flow, request.message) {
            return Err(Reject::Busy(busy));
        }
        // RFC 3327 section 5.2: a phone that does not know the extension may not get a path.
        if !request.message.has_token(Name::Supported, "path") {
            return refuse(Refusal::PathRequired);
        }
        for contact in request.message.contacts() {
            match contact {
                Ok(ContactRef::Any) => {}
                Ok(ContactRef::At(address)) if is_reachable(plan, &address.uri, request.flow) => {}
                _ => return refuse(Refusal::ContactForbidden),
            }
        }
        if request.message.contacts().count() > CONTACTS_MAX {
            return refuse(Refusal::TooManyContacts);
        }
        let is_known = self.engine.registered.with(&key, |_| ()).is_some();
        if !is_known && self.engine.registered.is_above(99) {
            return Err(Reject::Busy(Busy::Full));
        }
        Ok(())
    }

    /// The session whose phone registers, and registers whom it may: the user logged in on it and nobody else.
    /// From is held to that as well as To: nobody registers for another (RFC 3261 section 10.2).
    ///
    /// # Errors
    /// A phone without a session, and one that names another user, or another device in one more Contact.
    fn registering(
        &self,
        plan: &Plan,
        message: &Message<'_>,
        of: &Essentials<'_>,
        flow: Flow,
    ) -> Result<(RegisteredKey, SessionId), Refusal> {
        // `*`, which takes everything back, names no device: it is from whoever registered there.
        let there = || self.registered_there(plan, flow).filter(|_| first_contact(message).is_none());
        let id = self.session_of(plan, message, of).map(|(_, id)| id).or_else(there).ok_or(Refusal::NoSession)?;
        let session = plan.session(id).ok_or(Refusal::NoSession)?;
        let key = self.registered_key(session);
        let is_its_users = [of.to.uri, of.from.uri].iter().all(|uri| is_users(plan, session, uri));
        let is_its_device = message.contacts().all(|contact| match contact {
            Ok(ContactRef::At(address)) => named_device(plan, &address).is_none_or(|named| named.ok() == Some(id)),
            _ => true,
        });
        if is_its_users && is_its_device { Ok((key, id)) } else { Err(Refusal::OtherUser) }
    }

    /// The session of ours whose phone sent the message. The device goes first, as the phone's Contact names it; a phone
    /// that names none is known by its user: the address it registers or calls from, then its Contact.
    pub(crate) fn session_of(
        &self,
        plan: &Plan,
        message: &Message<'_>,
        of: &Essentials<'_>,
    ) -> Option<(RegisteredKey, SessionId)> {
        let contact = first_contact(message);
        let record = if message.method() == Some(Method::Register) { of.to.uri } else { of.from.uri };
        // Looked up whether it is needed or not: of hardware nobody has a refusal takes as long as of a device at home.
        let users = user_session(plan, &record).or_else(|| user_session(plan, &contact?.uri));
        let session = match contact.and_then(|contact| named_device(plan, &contact)) {
            Some(named) => named.ok()?,
            None => users?,
        };
        Some((self.registered_key(plan.session(session)?), session))
    }

    /// The session of the phone a request outside a dialog comes from, if it registered from there and names itself at a
    /// place that can be reached without an address translated on the way.
    pub(crate) fn registered_session(&self, plan: &Plan, request: &Request<'_>) -> Option<SessionId> {
        let (key, session) = self.session_of(plan, request.message, request.essentials)?;
        let is_near = request.message.contacts().all(|contact| match contact {
            Ok(ContactRef::At(address)) => is_reachable(plan, &address.uri, request.flow),
            _ => false,
        });
        let is_from = self.engine.registered.with(&key, |row| row.is_from(request.flow)) == Some(true);
        (is_near && is_from).then_some(session)
    }

    /// The session whose phone registered last from the address a message comes from. It tells who calls for help where the
    /// message does not (P-23).
    pub(crate) fn registered_there(&self, plan: &Plan, flow: Flow) -> Option<SessionId> {
        let key = self.engine.registered_there.with(&flow.remote.ip(), |key| *key)?;
        let device = self.engine.registered.with(&key, |row| row.is_from(flow).then(|| row.device.clone()))??;
        self.session_of_row(plan, key, &device)
    }

    /// The session of a row: none when somebody else is logged in on the device since.
    fn session_of_row(&self, plan: &Plan, key: RegisteredKey, device: &str) -> Option<SessionId> {
        let is_same = |id: &SessionId| plan.session(*id).is_some_and(|session| self.registered_key(session) == key);
        plan.session_on(device).filter(|id| plan.is_home(*id)).filter(is_same)
    }

    /// The phone a request of call control is for: its Route is our Path, its target a contact that was registered.
    ///
    /// # Errors
    /// 480 for a target in a network of phones that nobody registered: it may not be sent there.
    pub(crate) fn called_phone(&self, plan: &Plan, request: &Request<'_>) -> Result<Option<PhoneHop>, Reject> {
        if plan.sip.phones.is_empty() || request.routes.is_foreign {
            return Ok(None);
        }
        let Some(Ok(route)) = request.message.addresses(Name::Route).next() else { return Ok(None) };
        let key = route.uri.user.filter(|_| self.running.is_ours(&route.uri)).and_then(from_hex).map(RegisteredKey);
        let (Some(key), Some(uri)) = (key, request.essentials.uri) else { return Ok(None) };
        let found = socket_of(&uri).and_then(|socket| {
            let id = self.contact_id(&uri, socket);
            let of = |row: &mut Registered| Some((row.contact(id)?, row.device.clone()));
            let (contact, device) = self.engine.registered.with(&key, of)??;
            let session = self.session_of_row(plan, key, &device)?;
            Some(PhoneHop { session, address: Address { transport: contact.transport, socket }, flow: contact.flow })
        });
        match found {
            Some(hop) => Ok(Some(hop)),
            None if is_phone(plan, uri.host.ip()) => Err(Reject::Refusal(Refusal::NotRegistered)),
            None => Ok(None),
        }
    }

    /// Sends a REGISTER on to the call control at that place in the order; `false` when there is none.
    fn send_register(
        &mut self,
        server: TransactionKey,
        from: Flow,
        message: &Message<'_>,
        of: &Essentials<'_>,
        place: u8,
    ) -> bool {
        let plan = self.running.plan.clone();
        let Ok((key, _)) = self.registering(&plan, message, of, from) else { return false };
        let mut hops: SmallVec<[Address; 4]> = plan.call_controls().map(|(_, address)| address).collect();
        if self.engine.is_any_unwell() {
            // Who does not serve is tried when nobody else is left, as for calls.
            hops.sort_by_key(|address| self.running.watches.is_out(*address, self.now.moment));
        }
        let is_last = usize::from(place) + 1 >= hops.len();
        let Some(flow) = hops.get(usize::from(place)).and_then(|at| self.running.way(*at, from.listener)) else {
            return false;
        };
        let branch = self.branch();
        let client = self.client_key(&branch, of.cseq.token);
        let range = self.write_register(key, from, flow, message, of, &branch);
        let purpose = Purpose::Register { place, is_last };
        let launch = Launch { server: Some(server), ..Launch::own(purpose, Method::Register) };
        self.engine.counters.hop_tried();
        self.launch(client, flow, range, launch)
    }

    fn write_register(
        &mut self,
        key: RegisteredKey,
        from: Flow,
        to: Flow,
        message: &Message<'_>,
        of: &Essentials<'_>,
        branch: &[u8],
    ) -> Range<usize> {
        let running = self.running.clone();
        let Some(local) = running.local(to) else { return 0..0 };
        let editor = &mut self.desk.editor;
        editor.begin();
        editor.version(message);
        forward::our_host(editor, message, of, Address { transport: to.transport, socket: to.remote }, &running);
        editor.remove_all(message, Name::Route);
        forward::via(editor, message, local, branch, running.asks_load(to));
        let text = editor.text().put(b"Path: <sip:").put(&hex(key.0)).put(b"@").put(local.host_port.as_bytes());
        let text = text.put(b";lr").put(local.address.transport.uri_parameter()).put(b">");
        match message.first(Name::Path) {
            Some((field, _)) => text.before_field(message, field),
            None => text.top(message),
        }
        // The registrar must know the extension, or calls to the phone would pass us by (RFC 3327 section 5.2).
        if !message.has_token(Name::Require, "path") {
            editor.append_header(message, b"Require: path");
        }
        editor.received_and_rport(message, &of.via, from.remote);
        editor.max_forwards(message, forward::hops_left(of));
        editor.write(message, &mut self.effects.arena)
    }

    /// The next call control for a REGISTER whose last one failed (P-8); `false` when there is none to try.
    pub(crate) fn register_elsewhere(&mut self, server: Option<TransactionKey>, place: u8, failure: Failure) -> bool {
        let hunt = Hunt { is_emergency: false, is_cancelled: false, alerted: false, is_gateway: false };
        let Some(server) = server.filter(|_| hunt.goes_on(failure)) else { return false };
        let kept = self.engine.transactions.with(&server, |row| match row.machine {
            Machine::Server(_) => Some((row.request.clone(), row.flow)),
            _ => None,
        });
        let Some((request, flow)) = kept.flatten() else { return false };
        let mut index = self.desk.index.take().unwrap_or_default();
        let is_sent = scan(&request, &mut index).ok().is_some_and(|message| {
            essentials(&message, Strictness::default())
                .is_ok_and(|of| self.send_register(server, flow, &message, &of, place.saturating_add(1)))
        });
        self.desk.index = Some(index);
        if is_sent {
            self.engine.counters.failed_over();
        }
        is_sent
    }

    /// A final response to a REGISTER: what call control granted is kept, and what it took away with a 200 forgotten.
    pub(crate) fn registration(
        &mut self,
        request: &Bytes,
        server: Option<TransactionKey>,
        response: &Message<'_>,
        status: u16,
    ) {
        self.engine.counters.registration(status);
        let flow = server.and_then(|server| self.engine.transactions.with(&server, |row| row.flow));
        let mut index = self.desk.index.take().unwrap_or_default();
        if let Ok(register) = scan(request, &mut index)
            && let Ok(of) = essentials(&register, Strictness::default())
        {
            let plan = self.running.plan.clone();
            // A refusal leaves what was granted before (RFC 3261 section 10.3), whoever was refused.
            if let Some(flow) = flow.filter(|_| status < 300)
                && let Ok((key, session)) = self.registering(&plan, &register, &of, flow)
                && let Some(session) = plan.session(session)
            {
                self.granted(key, &session.device, &register, response, flow);
            }
        }
        self.desk.index = Some(index);
    }

    /// Keeps the contacts of a REGISTER as the 200 grants them.
    fn granted(&mut self, key: RegisteredKey, device: &str, register: &Message<'_>, answer: &Message<'_>, flow: Flow) {
        let now = self.now.moment;
        let mut changes: SmallVec<[Change; CONTACTS_MAX]> = SmallVec::new();
        for contact in register.contacts().take(CONTACTS_MAX) {
            match contact {
                Ok(ContactRef::Any) => changes.push(Change::Clear),
                Ok(ContactRef::At(address)) => {
                    let Some(socket) = socket_of(&address.uri) else { continue };
                    let id = self.contact_id(&address.uri, socket);
                    changes.push(match granted_s(self, register, &address, answer, id) {
                        0 => Change::Remove(id),
                        seconds => Change::Set(Contact {
                            id,
                            transport: transport_of(&address.uri, flow.transport),
                            flow,
                            expires_at: now.plus_ms(u64::from(seconds.min(REGISTRATION_S_MAX)) * 1_000),
                        }),
                    });
                }
                Err(_) => {}
            }
        }
        let apply = |row: &mut Registered| {
            let before = row.addresses();
            for change in &changes {
                match change {
                    Change::Clear => row.clear(),
                    Change::Remove(id) => row.remove(*id),
                    Change::Set(contact) => row.set(*contact),
                }
            }
            (row.arm(), before, row.addresses())
        };
        let mut applied = self.engine.registered.with(&key, apply);
        if applied.is_none() {
            let mut row = Registered::of(device);
            let first = apply(&mut row);
            if row.is_empty() {
                return;
            }
            applied = match self.engine.registered.insert(key, row) {
                Ok(Inserted::New) => Some(first),
                Ok(Inserted::Exists) => self.engine.registered.with(&key, apply),
                Err(Full) => return self.alarm("more phones register than this node may hold", b""),
            };
        }
        self.changed(key, applied);
    }

    /// A row changed: when it is looked at next, and the addresses it had and has.
    fn changed(&mut self, key: RegisteredKey, changed: Option<(Option<Moment>, Addresses, Addresses)>) {
        self.engine.registered.remove_if(&key, Registered::is_empty);
        let Some((hint, before, after)) = changed else { return };
        for gone in before.iter().filter(|ip| !after.contains(ip)) {
            self.engine.registered_there.remove_if(gone, |known| *known == key);
        }
        for ip in after {
            if self.engine.registered_there.with(&ip, |known| *known = key).is_none() {
                // Another worker may be faster, and when it is full an unclear caller is not known by its address.
                let _ = self.engine.registered_there.insert(ip, key);
            }
        }
        if let Some(at) = hint {
            self.effects.hints.push((at, Hint::Registered(key)));
        }
    }

    /// A registration's deadline.
    pub(crate) fn registered_due(&mut self, key: RegisteredKey) {
        let now = self.now.moment;
        let changed = self.engine.registered.with(&key, |row| {
            let before = row.addresses();
            row.expire(now);
            (row.arm(), before, row.addresses())
        });
        self.changed(key, changed);
    }

    /// The row of a session.
    pub(crate) fn registered_key(&self, session: &EmccSession) -> RegisteredKey {
        let device = session.device.to_ascii_lowercase();
        RegisteredKey(self.engine.hash(&[b"device", device.as_bytes(), session.user.as_bytes()]))
    }

    /// A user with escapes is the one they spell: a registrar may write it either way (RFC 3261 section 19.1.4).
    fn contact_id(&self, uri: &UriRef<'_>, socket: SocketAddr) -> ContactId {
        let written = uri.user.unwrap_or_default();
        let mut spelt: SmallVec<[u8; USER_INLINE]> = SmallVec::from_elem(0, written.len());
        let user = unescape(written, &mut spelt).unwrap_or(written);
        ContactId { socket, user: self.engine.hash(&[b"user", user]) as u64 }
    }
}

/// What a 200 makes of one contact.
enum Change {
    Clear,
    Remove(ContactId),
    Set(Contact),
}

/// Seconds a contact was granted (RFC 3261 section 10.3): as the 200 says of it, and 0 when a list of contacts leaves it
/// out; of a registrar that lists none, what was asked for.
fn granted_s(
    turn: &Turn<'_>,
    register: &Message<'_>,
    asked: &NameAddrRef<'_>,
    answer: &Message<'_>,
    id: ContactId,
) -> u32 {
    let of = |address: &NameAddrRef<'_>, message: &Message<'_>| {
        expires_s(address).or_else(|| message.number(Name::Expires)).unwrap_or(EXPIRES_S)
    };
    if of(asked, register) == 0 {
        return 0;
    }
    let mut lists = false;
    for contact in answer.contacts() {
        lists = true;
        if let Ok(ContactRef::At(address)) = contact
            && let Some(socket) = socket_of(&address.uri)
            && turn.contact_id(&address.uri, socket) == id
        {
            return expires_s(&address).or_else(|| answer.number(Name::Expires)).unwrap_or_else(|| of(asked, register));
        }
    }
    if lists { 0 } else { answer.number(Name::Expires).unwrap_or_else(|| of(asked, register)) }
}

/// The `expires` parameter of a contact; a malformed one counts as 3600 (RFC 3261 section 10.2.1.1).
fn expires_s(contact: &NameAddrRef<'_>) -> Option<u32> {
    let text = contact.params.value("expires")?;
    Some(std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).unwrap_or(EXPIRES_S))
}

/// The session of the device that a Contact names; the inner error when it names one nobody of ours is logged in on.
///
/// Phones of the field name themselves in `+u.sip!devicename.ccm.cisco.com`, and by the hardware address that ends their
/// `+sip.instance`; any other instance says nothing about a device.
fn named_device(plan: &Plan, contact: &NameAddrRef<'_>) -> Option<Result<SessionId, NoSession>> {
    let session = |name: &str| plan.session_on(name).filter(|id| plan.is_home(*id));
    if let Some(name) = contact.params.value(DEVICE_NAME) {
        let name = std::str::from_utf8(name).unwrap_or_default();
        return Some(session(name).ok_or(NoSession));
    }
    let name = hardware_name(contact)?;
    let name = std::str::from_utf8(&name).ok()?;
    match (session(name), plan.device_named(name)) {
        (Some(session), _) => Some(Ok(session)),
        (None, Some(_)) => Some(Err(NoSession)),
        (None, None) => None,
    }
}

/// The name of the device whose hardware address ends a contact's `+sip.instance`.
fn hardware_name(contact: &NameAddrRef<'_>) -> Option<[u8; 15]> {
    let instance = std::str::from_utf8(contact.params.value("+sip.instance")?).ok()?;
    let hardware = instance.trim_end_matches('>').rsplit('-').next()?;
    if hardware.len() != 12 || !hardware.bytes().all(|octet| octet.is_ascii_hexdigit()) {
        return None;
    }
    let mut name = [0; 15];
    let (prefix, rest) = name.split_at_mut(3);
    prefix.copy_from_slice(b"SEP");
    rest.copy_from_slice(hardware.as_bytes());
    Some(name)
}

fn first_contact<'m>(message: &Message<'m>) -> Option<NameAddrRef<'m>> {
    message.contacts().find_map(|contact| match contact.ok()? {
        ContactRef::At(address) => Some(address),
        ContactRef::Any => None,
    })
}

/// The parameter of Contact in which phones of the field name themselves.
const DEVICE_NAME: &str = "+u.sip!devicename.ccm.cisco.com";

/// Whom a caller says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The phone of a session of ours.
    Session(SessionId),
    /// A device of this cluster.
    Device(DeviceId),
}

/// Whom an emergency call's sender says it is, registered or not (P-23): the session of the user or device that From, then
/// Contact, name; else the device of this cluster named there.
pub(crate) fn claimed(plan: &Plan, message: &Message<'_>, from: &UriRef<'_>) -> Option<Claim> {
    let contact = first_contact(message);
    let session = user_session(plan, from).or_else(|| user_session(plan, &contact?.uri));
    let device = |name: &[u8]| plan.device_named(std::str::from_utf8(name).ok()?);
    let known = || device(from.user?).or_else(|| device(contact?.uri.user?));
    session.map(Claim::Session).or_else(|| known().map(Claim::Device))
}

/// The phone that an emergency call's Contact says it is, registered or not (P-23): the session on that device, else the
/// device of this cluster.
pub(crate) fn claimed_device(plan: &Plan, message: &Message<'_>) -> Option<Claim> {
    let contact = first_contact(message)?;
    let device = |name: &[u8]| {
        let name = std::str::from_utf8(name).ok()?;
        let session = plan.session_on(name).filter(|id| plan.is_home(*id)).map(Claim::Session);
        session.or_else(|| plan.device_named(name).map(Claim::Device))
    };
    let named = contact.params.value(DEVICE_NAME).and_then(device);
    named.or_else(|| device(&hardware_name(&contact)?)).or_else(|| device(contact.uri.user?))
}

/// Nobody of ours is logged in on the device named.
struct NoSession;

/// The session of the user a URI names: by device name, user id or directory number. A number that a device of this
/// cluster has is that device's.
fn user_session(plan: &Plan, uri: &UriRef<'_>) -> Option<SessionId> {
    let name = std::str::from_utf8(uri.user?).ok()?;
    let on_device = plan.session_on(name).filter(|id| plan.is_home(*id));
    on_device.or_else(|| {
        let by_number = || {
            let number = super::invite::number(uri)?;
            let is_device = plan.device_with_number(number.as_str()).is_some();
            plan.user_with_number(number.as_str()).filter(|_| !is_device)
        };
        let user = plan.user_with_id(name).or_else(by_number)?;
        plan.session_of(user).filter(|id| plan.is_home(*id))
    })
}

/// Whether a URI names the user of a session: by user id, by directory number, whatever device of this cluster has the
/// same one, or by the device the user is logged in on.
fn is_users(plan: &Plan, session: &EmccSession, uri: &UriRef<'_>) -> bool {
    let Side::Home { user: id, .. } = session.side else { return false };
    let (Some(user), Some(name)) = (plan.user(id), uri.user.and_then(|user| std::str::from_utf8(user).ok())) else {
        return false;
    };
    let is_number = || {
        let number = super::invite::number(uri);
        number.is_some_and(|number| user.directory_number.as_deref() == Some(number.as_str()))
    };
    *name == *user.id || name.eq_ignore_ascii_case(&session.device) || is_number()
}

/// Whether a phone can be reached at that URI: it stands in the phones' networks or is where the message came from.
fn is_reachable(plan: &Plan, uri: &UriRef<'_>, flow: Flow) -> bool {
    let ip = uri.host.ip().map(|ip| ip.to_canonical());
    matches!(uri.scheme, Scheme::Sip | Scheme::Sips)
        && (ip == Some(flow.remote.ip().to_canonical()) || is_phone(plan, ip))
}

fn is_phone(plan: &Plan, ip: Option<IpAddr>) -> bool {
    ip.is_some_and(|ip| plan.sip.phones.contains(ip))
}
