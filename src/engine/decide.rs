//! One decision for one call: who calls, what may be reached, in which order, under whose region and on whose link.
//! `explain` and the live path ask this very function.

use std::fmt;

use emcc_policies::admission::RsvpPolicy;
use emcc_policies::digits::Digits;
use emcc_policies::emergency::{Alarm, Called};
use emcc_policies::moment::Civil;
use emcc_policies::pstn_access::{self, Arrival, NamedPhone};
use emcc_policies::region;
use emcc_policies::route::{self, Caller, DevicePoolId, LocalRouteGroups, NoRoute, PeerId, PeerKind};
use emcc_policies::search_space::{CssId, PatternId, Target as RowTarget};
use emcc_policies::trail::{Step, Trail};
use smallvec::SmallVec;

use super::reject::Refusal;
use super::trust::told_calling;
use super::turns::Turns;
use crate::config::plan::{DeviceId, Peer, Plan, RemoteCluster, RemoteClusterId, SessionId, Side, UserId};
use crate::neighbour::mark::DeviceHeader;
use crate::neighbour::select::Rank;
use crate::neighbour::{Address, Flow};
use crate::sip::{Message, UriRef};
use crate::transaction::key::Party;

/// Where an INVITE came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A call control of this cluster.
    CallControl,
    /// A gateway of this cluster: its caller is none of ours.
    Gateway,
    /// The trunk of a remote cluster.
    Trunk(RemoteClusterId),
    /// A phone of `[sip] phones` itself.
    Phone,
}

/// The registered phone a request of call control is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhoneHop {
    /// The session on it.
    pub session: SessionId,
    /// The address its Contact gave.
    pub address: Address,
    /// The way its REGISTER came.
    pub flow: Flow,
}

/// What was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// A number.
    Digits(Digits),
    /// A service URN, as it came.
    Service(&'a [u8]),
    /// Neither: somebody's name or address.
    Other,
}

/// Where else the caller may be found: read only where the first way does not tell.
#[derive(Clone, Copy, Debug)]
pub struct Aside<'a> {
    /// The INVITE.
    pub message: &'a Message<'a>,
    /// Its From, as it was read.
    pub from: UriRef<'a>,
    /// The header whose device marks are believed.
    pub marks: Option<&'a DeviceHeader>,
}

/// Addresses of a neighbour that was named, by their ranks.
pub type NamedHops = SmallVec<[(Address, Rank); 1]>;

/// What is known of a call before anything is decided.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// Where it came from.
    pub source: Source,
    /// The phone it is marked with, where the mark is believed (P-13).
    pub device: Option<&'a [u8]>,
    /// The session of the registered phone it comes from, when it comes from a phone itself.
    pub session: Option<SessionId>,
    /// The session whose phone registered from that address, where the phone itself does not say who it is.
    pub registered_there: Option<SessionId>,
    /// The registered phone it is for, when call control sends it along the phone's Path (RFC 3327).
    pub phone: Option<PhoneHop>,
    /// Whether a trunk it came over is the one selected for PSTN access (P-14).
    pub on_selected_trunk: bool,
    /// P-Asserted-Identity's first number, then From's.
    pub numbers: [Option<Digits>; 2],
    /// What else may tell who calls; nothing where no message came.
    pub aside: Option<Aside<'a>>,
    /// The calling number that transforms work on.
    pub calling: Option<Digits>,
    /// What was called.
    pub target: Target<'a>,
    /// The addresses of the neighbour that a Route, or a target that is no number, names.
    pub named: NamedHops,
    /// A Route beyond this node decides where it goes.
    pub is_routed: bool,
    /// Marked as an emergency by the home cluster (P-23).
    pub is_marked_emergency: bool,
    /// Whether who sent it is believed about identities and devices (RFC 3325).
    pub is_believed: bool,
    /// Whose turn it is in circular groups.
    pub turns: Turns<'a>,
    /// When.
    pub at: Civil,
}

impl Question<'_> {
    /// The devices of the marks behind the first one.
    pub(super) fn further_devices(&self) -> impl Iterator<Item = &[u8]> {
        let marked = self.aside.as_ref().and_then(|aside| Some((aside.marks?, aside.message)));
        marked.into_iter().flat_map(|(header, message)| header.marks(message).skip(1).map(|mark| mark.device))
    }
}

/// Roles of one call at one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The caller has an EMCC session here as home cluster.
    Home,
    /// It came over the trunk.
    Visiting,
    /// Any other caller of this cluster.
    Local,
}

impl Role {
    /// The word of the log and of `explain`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Home => "home",
            Self::Visiting => "visiting",
            Self::Local => "local",
        }
    }
}

/// Where a hop leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextHop {
    /// The trunk of a remote cluster.
    Remote(RemoteClusterId),
    /// A peer of this cluster.
    Peer(PeerId),
    /// A neighbour the request itself named.
    Named,
    /// A registered phone.
    Phone {
        /// Our listener it registered at.
        listener: u16,
        /// The stream it registered on; 0 without one.
        connection: u64,
    },
}

/// One address to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Next {
    /// Whose it is.
    pub to: NextHop,
    /// Where.
    pub address: Address,
    /// The called number as it leaves; none: the Request-URI leaves as it came.
    pub called: Option<Digits>,
    /// The calling number, where a transform made one.
    pub calling: Option<Digits>,
    /// Whether it is a gateway (P-8).
    pub is_gateway: bool,
    /// Its place among the addresses of its neighbour.
    pub rank: Rank,
}

impl Next {
    /// Whether it leads over the EMCC trunk.
    #[must_use]
    pub fn is_trunk(&self) -> bool {
        matches!(self.to, NextHop::Remote(_))
    }

    /// A neighbour the request itself named: nothing is rewritten for it.
    #[must_use]
    pub fn as_named(address: Address, rank: Rank) -> Self {
        Self { to: NextHop::Named, address, called: None, calling: None, is_gateway: false, rank }
    }
}

/// Ways without an address. There are seldom any, and a call that stands is not to pay for them.
pub type Nameless = Option<Box<SmallVec<[route::Hop; 2]>>>;

/// Everything decided of one call.
#[derive(Clone, Debug)]
pub struct Decision {
    /// This node's role.
    pub role: Role,
    /// The EMCC session it belongs to.
    pub session: Option<SessionId>,
    /// The EMCC session of the phone that is called: it says what the call's keys may do (S-2), and nothing of who calls.
    pub called_session: Option<SessionId>,
    /// The device it comes from, when this cluster has it.
    pub device: Option<DeviceId>,
    /// The user it comes from.
    pub user: Option<UserId>,
    /// Roaming pool at home, original pool when visiting, own pool of a local device.
    pub device_pool: Option<DevicePoolId>,
    /// What analysis began with, in order.
    pub css: SmallVec<[CssId; 3]>,
    /// The last pattern that won.
    pub matched: Option<PatternId>,
    /// Translations on the way.
    pub translations: SmallVec<[PatternId; 4]>,
    /// Whether it is an emergency call.
    pub emergency: bool,
    /// Every address in the order it is tried; empty on a refusal.
    pub next_hops: Vec<Next>,
    /// Ways of an emergency call whose names lead to no address yet, in their order: it goes on once one does (P-23).
    pub nameless: Nameless,
    /// Whether the sender's device mark is believed (P-13).
    pub believes_mark: bool,
    /// It comes from a phone itself.
    pub is_from_phone: bool,
    /// Why it is refused.
    pub refusal: Option<Refusal>,
    /// Whose link carries its media, and whose region rules it (M-1).
    pub link: Option<RemoteClusterId>,
    /// What the link demands (9.2).
    pub policy: RsvpPolicy,
    /// Which of the two parties is the EMCC phone.
    pub phone_party: Party,
    /// What somebody has to be told.
    pub alarms: SmallVec<[Alarm; 3]>,
    /// When.
    pub at: Civil,
    /// What was decided on the way.
    pub trail: Trail,
    /// What the region did to the first offer.
    pub region_trail: SmallVec<[region::Step; 2]>,
}

/// Decides one call.
#[must_use]
pub fn decide(plan: &Plan, question: &Question<'_>) -> Decision {
    let mut decision = Decision::of(Role::Local);
    match question.source {
        Source::Trunk(remote) => decision.visit(plan, question, remote),
        Source::Gateway => decision.arrive(plan, question),
        Source::CallControl => match question.phone {
            Some(phone) => decision.ring(plan, &phone),
            None => decision.originate(plan, question),
        },
        Source::Phone => decision.dial(plan, question),
    }
    decision.believes_mark = match question.source {
        Source::Gateway | Source::Phone => false,
        Source::CallControl => question.is_believed,
        Source::Trunk(_) => true,
    };
    decision.is_from_phone = question.source == Source::Phone;
    decision.at = question.at;
    decision.callee_session(plan, question);
    decision
}

impl Decision {
    fn of(role: Role) -> Self {
        Self {
            role,
            session: None,
            called_session: None,
            device: None,
            user: None,
            device_pool: None,
            css: SmallVec::new(),
            matched: None,
            translations: SmallVec::new(),
            emergency: false,
            next_hops: Vec::new(),
            nameless: None,
            believes_mark: false,
            is_from_phone: false,
            refusal: None,
            link: None,
            policy: RsvpPolicy::None,
            phone_party: Party::Caller,
            alarms: SmallVec::new(),
            at: Civil::default(),
            trail: Trail::new(),
            region_trail: SmallVec::new(),
        }
    }

    /// Whether the EMCC phone stands at this cluster: seen from the visited one it does.
    #[must_use]
    pub fn is_phone_here(&self) -> bool {
        self.role == Role::Visiting
    }

    /// The phone's name as the trunk is told it (P-13).
    #[must_use]
    pub fn device_name<'p>(&self, plan: &'p Plan) -> Option<&'p str> {
        Some(&plan.sessions.get(self.session?.0 as usize)?.device)
    }

    /// Lets go of what only setting the call up needs; the trail stays for the call's line in the log.
    pub fn settle(&mut self) {
        self.next_hops = Vec::new();
        self.nameless = None;
        self.alarms = SmallVec::new();
        self.trail.shrink_to_fit();
        self.region_trail.shrink_to_fit();
    }

    /// The trail in words, one step after the other.
    #[must_use]
    pub fn because(&self, plan: &Plan) -> String {
        use fmt::Write;
        let mut text = String::with_capacity(512);
        let mut add = |words: &dyn fmt::Display| {
            if !text.is_empty() {
                text.push_str("; ");
            }
            // Writing to memory cannot fail.
            let _ = write!(text, "{words}");
        };
        self.trail.iter().for_each(|step| add(&step.words(plan)));
        self.region_trail.iter().for_each(|step| add(step));
        text
    }

    /// The trail in words.
    #[must_use]
    pub fn reasons(&self, plan: &Plan) -> Vec<String> {
        let mut reasons: Vec<String> = self.trail.iter().map(|step| step.told(plan)).collect();
        reasons.extend(self.region_trail.iter().map(ToString::to_string));
        reasons
    }

    /// The visiting side: P-9 to P-15.
    fn visit(&mut self, plan: &Plan, question: &Question<'_>, remote: RemoteClusterId) {
        self.role = Role::Visiting;
        self.link = Some(remote);
        self.policy = plan.policy(remote, true);
        let emergency = recognised(plan, question);
        let named = question.device.map(|first| {
            // Of several marks the first that is a phone of this cluster.
            let is_ours = |name: &&[u8]| std::str::from_utf8(name).is_ok_and(|name| plan.device_named(name).is_some());
            let name = std::iter::once(first).chain(question.further_devices()).find(is_ours).unwrap_or(first);
            std::str::from_utf8(name).unwrap_or_default()
        });
        let phone = match named {
            None => NamedPhone::Missing,
            Some(name) => match plan.device_named(name) {
                None => NamedPhone::Unknown,
                Some(id) => {
                    self.device = Some(id);
                    self.known_phone(plan, name, id)
                }
            },
        };
        let arrival = Arrival {
            on_selected_trunk: question.on_selected_trunk,
            profile_active: plan.profile.pstn_access,
            remote_active: plan.remote_cluster(remote).is_some_and(|remote| remote.services.pstn_access),
            phone,
            sender: remote,
            emergency: emergency.is_some(),
        };
        let choice = match pstn_access::accept(&arrival, &plan.trunk, &mut self.trail) {
            Ok(choice) => choice,
            Err(refusal) => {
                self.refusal = Some(refusal.into());
                return;
            }
        };
        self.alarms.extend(choice.alarm);
        self.device_pool = choice.device_pool;
        self.css.extend(choice.css);
        let none = LocalRouteGroups::default();
        let groups = choice.device_pool.and_then(|pool| plan.local_route_groups(pool)).unwrap_or(&none);
        let caller = Caller::Visiting { pool: choice.device_pool, groups };
        self.route(plan, question, caller, emergency);
    }

    /// The phone of a mark, as this cluster has it.
    fn known_phone(&mut self, plan: &Plan, name: &str, id: DeviceId) -> NamedPhone {
        let session = plan.session_on(name).filter(|id| plan.session(*id).is_some());
        let home = session.and_then(|id| match plan.session(id)?.side {
            Side::Visiting { home } => Some(home),
            Side::Home { .. } => None,
        });
        if home.is_some() {
            self.session = session;
        }
        let device = plan.device(id);
        NamedPhone::Known {
            device_pool: device.map(|device| device.device_pool),
            css: device.and_then(|device| device.css),
            logged_in: home,
        }
    }

    /// A caller from the PSTN: directory numbers and emergency numbers, nothing else. They have no search space of their own,
    /// so what some of ours may not call is theirs all the same where it is a line that others reach.
    fn arrive(&mut self, plan: &Plan, question: &Question<'_>) {
        let emergency = recognised(plan, question);
        let none = LocalRouteGroups::default();
        let caller = Caller::Local { pool: None, groups: &none };
        if emergency.is_some() {
            return self.route(plan, question, caller, emergency);
        }
        let looked_at = Question { turns: question.turns.looked_at(), ..question.clone() };
        let rings = |decision: &Self| {
            let row = decision.matched.and_then(|id| plan.dial_plan.row(id));
            row.is_some_and(|row| matches!(row.target, RowTarget::DirectoryNumber { .. }))
        };
        // The closest match over every search space; where that leads to no line, the line that the number is in one of them;
        // where there is none, what is everybody's. What turns out to be an emergency call on the way is one (P-23).
        self.css = plan.dial_plan.search_spaces().collect();
        self.route(plan, &looked_at, caller, None);
        if !self.emergency && !rings(self) {
            let line = match question.target {
                Target::Digits(dialed) => plan.dial_plan.of_line(&dialed, question.at),
                Target::Service(_) | Target::Other => None,
            };
            *self = Self { css: line.unwrap_or_default(), ..Self::of(Role::Local) };
            self.route(plan, &looked_at, caller, None);
        }
        if self.emergency {
            // It goes by route groups after all, and takes its turn in them.
            *self = Self { css: std::mem::take(&mut self.css), ..Self::of(Role::Local) };
            self.route(plan, question, caller, None);
        } else if !rings(self) {
            self.next_hops.clear();
            self.refusal = Some(self.refusal.unwrap_or(Refusal::NoPattern));
        }
    }

    /// A caller of this cluster: a phone of an EMCC session, or any other.
    fn originate(&mut self, plan: &Plan, question: &Question<'_>) {
        let emergency = recognised(plan, question);
        self.find_caller(plan, question, emergency.is_some());
        if emergency.is_none() && (question.is_routed || question.target == Target::Other) {
            return self.name_hop(question);
        }
        self.analyse(plan, question, emergency);
    }

    /// A call a phone of an EMCC session sends to its home node itself: call control is its registrar and decides where
    /// it goes. An emergency call waits for nobody, whoever the phone is (P-23).
    fn dial(&mut self, plan: &Plan, question: &Question<'_>) {
        let emergency = recognised(plan, question);
        match question.session {
            Some(session) => self.roaming(plan, session),
            None if emergency.is_some() => self.find_caller(plan, question, true),
            None => {
                self.refusal = Some(Refusal::CallerNotRegistered);
                return;
            }
        }
        if emergency.is_some() {
            return self.analyse(plan, question, emergency);
        }
        if let Some(link) = self.link {
            self.policy = plan.policy(link, false);
        }
        self.trail.push(Step::ToCallControl);
        let is_call_control = |address: &Address| plan.call_controls().any(|(_, known)| known == *address);
        if question.is_routed {
            let named = question.named.iter().filter(|(address, _)| is_call_control(address));
            self.next_hops.extend(named.map(|(address, rank)| Next::as_named(*address, *rank)));
            if self.next_hops.is_empty() {
                self.refusal = Some(Refusal::RouteForbidden);
            }
            return;
        }
        let called = match question.target {
            Target::Digits(digits) => Some(digits),
            Target::Service(_) | Target::Other => None,
        };
        for id in (0..).map(PeerId).take(plan.peers.len()) {
            if plan.routes.kind(id) == Some(PeerKind::CallControl) {
                let to = route::NextHop::Peer(id);
                self.expand(plan, &route::Hop { to, called, calling: None }, None);
            }
        }
        if self.next_hops.is_empty() {
            self.refusal = Some(Refusal::NoMember);
        }
    }

    /// A call of call control along the Path of a registered phone: to the contact, over the stream it registered on
    /// while that stands.
    fn ring(&mut self, plan: &Plan, phone: &PhoneHop) {
        let Some(Side::Home { visiting, .. }) = plan.session(phone.session).map(|session| &session.side) else {
            self.refusal = Some(Refusal::NotRegistered);
            return;
        };
        self.link = Some(*visiting);
        self.called_session = Some(phone.session);
        self.policy = plan.policy(*visiting, false);
        self.phone_party = Party::Callee;
        self.trail.push(Step::ToPhone);
        let PhoneHop { address, flow, .. } = *phone;
        let next = Next { is_gateway: false, ..Next::as_named(address, Rank::default()) };
        let listener = flow.listener;
        if flow.connection != 0 && flow.transport == address.transport {
            let to = NextHop::Phone { listener, connection: flow.connection };
            self.next_hops.push(Next { to, address: Address { socket: flow.remote, ..address }, ..next });
        }
        self.next_hops.push(Next { to: NextHop::Phone { listener, connection: 0 }, ..next });
    }

    /// Digit analysis and route of a caller of this cluster, and whether PSTN access is there for it.
    fn analyse(
        &mut self,
        plan: &Plan,
        question: &Question<'_>,
        emergency: Option<emcc_policies::emergency::Emergency>,
    ) {
        let none = LocalRouteGroups::default();
        let groups = self.device_pool.and_then(|pool| plan.local_route_groups(pool)).unwrap_or(&none);
        let caller = match self.role {
            Role::Home => Caller::RoamingAtHome,
            _ => Caller::Local { pool: self.device_pool, groups },
        };
        self.route(plan, question, caller, emergency);
        if let Some(link) = self.link {
            if !self.emergency && !plan.pstn_access_active(link) {
                self.leave_the_trunk_out();
            }
            let is_nameless_trunk = || {
                self.nameless.iter().flat_map(|ways| ways.first()).any(|hop| hop.to == route::NextHop::TrunkToVisiting)
            };
            let to_trunk = self.next_hops.first().map_or_else(is_nameless_trunk, Next::is_trunk);
            self.policy = plan.policy(link, to_trunk);
        }
    }

    /// Takes the trunk out of the hops of an ordinary call, wherever it stands: PSTN access is not active over it (P-14). The
    /// others keep their order (P-8).
    fn leave_the_trunk_out(&mut self) {
        if !self.next_hops.iter().any(Next::is_trunk) {
            return;
        }
        self.trail.push(Step::TrunkInactive);
        self.next_hops.retain(|hop| !hop.is_trunk());
        if self.next_hops.is_empty() {
            self.refusal = Some(Refusal::ServiceInactive);
        }
    }

    /// A target that is no number, or a Route beyond this node: to the neighbour it names.
    fn name_hop(&mut self, question: &Question<'_>) {
        self.next_hops.extend(question.named.iter().map(|(address, rank)| Next::as_named(*address, *rank)));
        if self.next_hops.is_empty() {
            self.refusal = Some(Refusal::NotANeighbour);
        }
    }

    /// Digit analysis and route, and for an emergency what follows them.
    fn route(
        &mut self,
        plan: &Plan,
        question: &Question<'_>,
        caller: Caller<'_>,
        emergency: Option<emcc_policies::emergency::Emergency>,
    ) {
        let dialed = match question.target {
            Target::Digits(digits) => Some(digits),
            Target::Service(_) | Target::Other => None,
        };
        let calling = question.calling;
        let turns = |group| question.turns.take(group);
        let call = route::Call { css: &self.css, dialed, calling, caller, emergency, at: question.at, turns: &turns };
        let routed = route::decide(&plan.dial_plan, &plan.routes, &call, &mut self.trail);
        self.matched = routed.won;
        self.translations = routed.translations;
        self.emergency = routed.emergency;
        self.alarms.extend(routed.alarms);
        for hop in &routed.hops {
            self.expand(plan, hop, calling);
        }
        if self.next_hops.is_empty() && self.nameless.is_none() {
            let why = match question.target {
                // Places there are, and none of them has an address yet.
                _ if !routed.hops.is_empty() => Refusal::NoMember,
                Target::Other => Refusal::NotANeighbour,
                _ => routed.refused.map_or(Refusal::NoMember, Refusal::from),
            };
            self.refusal = Some(why);
        }
    }

    /// Every address of a hop; a hop without one is left out, and of an emergency call kept in mind.
    fn expand(&mut self, plan: &Plan, hop: &route::Hop, caller: Option<Digits>) {
        // A number nobody changed leaves as it came.
        let hop = route::Hop { calling: hop.calling.filter(|number| Some(*number) != caller), ..*hop };
        let Some(place) = Place::of(plan, self.link, hop.to) else { return };
        if place.addresses.is_empty() {
            self.trail.push(Step::NoAddress { to: hop.to.peer() });
            if self.emergency {
                self.nameless.get_or_insert_default().push(hop);
            }
        } else {
            self.add(plan, &place, &hop);
        }
    }

    /// Adds every address of a hop, each once at its first place; of an emergency call once with each called number: the
    /// last resort dials its own, wherever the gateway was tried before (P-23).
    fn add(&mut self, plan: &Plan, place: &Place<'_>, hop: &route::Hop) {
        let &Place { to, addresses, ranks, is_gateway } = place;
        let calling = told_calling(plan, to, hop.calling, &mut self.trail);
        for (at, address) in addresses.iter().enumerate() {
            let is_same_try =
                |earlier: &Next| earlier.address == *address && (!self.emergency || earlier.called == hop.called);
            if !self.next_hops.iter().any(is_same_try) {
                let rank = ranks.get(at).copied().unwrap_or_default();
                self.next_hops.push(Next { to, address: *address, called: hop.called, calling, is_gateway, rank });
            }
        }
    }

    /// Adds the addresses that its nameless ways have in `now`, the configuration that runs, where `plan` is the one it was
    /// decided by; those that still have none go on waiting. Whether there are any.
    pub(super) fn find(&mut self, plan: &Plan, now: &Plan) -> bool {
        let before = self.next_hops.len();
        for hop in self.nameless.take().into_iter().flat_map(|ways| *ways) {
            let Some(place) = Place::of(plan, self.link, hop.to) else { continue };
            match place.within(plan, now) {
                Some(place) if !place.addresses.is_empty() => {
                    self.add(plan, &place, &hop);
                    self.trail.push(Step::AddressFound { to: hop.to.peer() });
                }
                _ => self.nameless.get_or_insert_default().push(hop),
            }
        }
        self.next_hops.len() > before
    }

    /// A call to an EMCC phone. Where the caller is of no session, the called user's rules the call.
    fn callee_session(&mut self, plan: &Plan, question: &Question<'_>) {
        let Target::Digits(called) = question.target else { return };
        let is_number = self
            .matched
            .and_then(|id| plan.dial_plan.row(id))
            .is_some_and(|row| matches!(row.target, RowTarget::DirectoryNumber { .. }));
        let called = self.next_hops.first().and_then(|hop| hop.called).unwrap_or(called);
        if !is_number || plan.device_with_number(called.as_str()).is_some() {
            return;
        }
        let session = plan.user_with_number(called.as_str()).and_then(|user| plan.session_of(user));
        let Some(session) = session.filter(|id| plan.is_home(*id)) else { return };
        self.called_session = Some(session);
        if self.link.is_some() {
            return;
        }
        if let Some(Side::Home { visiting, .. }) = plan.session(session).map(|session| &session.side) {
            self.link = Some(*visiting);
            self.policy = plan.policy(*visiting, false);
            self.phone_party = Party::Callee;
        }
    }
}

/// Where a hop of the route leads.
struct Place<'p> {
    to: NextHop,
    addresses: &'p [Address],
    ranks: &'p [Rank],
    is_gateway: bool,
}

impl<'p> Place<'p> {
    /// That of a hop by its configuration; none for the trunk of a caller without one.
    fn of(plan: &'p Plan, link: Option<RemoteClusterId>, to: route::NextHop) -> Option<Self> {
        match to {
            route::NextHop::TrunkToVisiting => {
                let link = link?;
                let RemoteCluster { addresses, terms, .. } = plan.remote_cluster(link)?;
                Some(Self { to: NextHop::Remote(link), addresses, ranks: &terms.ranks, is_gateway: false })
            }
            route::NextHop::Peer(id) => {
                let Peer { addresses, terms, kind, .. } = plan.peer(id)?;
                let is_gateway = *kind == PeerKind::Gateway;
                Some(Self { to: NextHop::Peer(id), addresses, ranks: &terms.ranks, is_gateway })
            }
        }
    }

    /// The same place of `plan` with the addresses of another configuration, which may not have it any more.
    fn within<'n>(&self, plan: &Plan, now: &'n Plan) -> Option<Place<'n>> {
        let place = match self.to {
            NextHop::Remote(link) => {
                let link = now.remote_cluster_with_id(&plan.remote_cluster(link)?.id)?;
                Place::of(now, Some(link), route::NextHop::TrunkToVisiting)?
            }
            NextHop::Peer(id) => {
                let name = &plan.peer(id)?.name;
                let id = (0..).map(PeerId).zip(&now.peers).find(|(_, peer)| peer.name == *name)?.0;
                Place::of(now, None, route::NextHop::Peer(id))?
            }
            NextHop::Named | NextHop::Phone { .. } => return None,
        };
        Some(Place { to: self.to, ..place })
    }
}

/// Whether it is an emergency: asked before anything else (P-23).
fn recognised(plan: &Plan, question: &Question<'_>) -> Option<emcc_policies::emergency::Emergency> {
    let called = match &question.target {
        Target::Digits(digits) => Called::Number(digits),
        Target::Service(uri) => Called::Uri(uri),
        Target::Other => Called::Uri(b""),
    };
    plan.emergency.recognise(&plan.dial_plan, called, question.is_marked_emergency)
}

impl From<NoRoute> for Refusal {
    fn from(why: NoRoute) -> Self {
        match why {
            NoRoute::NoMatch => Self::NoPattern,
            NoRoute::Incomplete => Self::OnlyBeginnings,
            NoRoute::Blocked => Self::Blocked,
            NoRoute::StillTranslating => Self::StillTranslating,
            NoRoute::NotCoLocated => Self::NoGateway,
            NoRoute::Exhausted => Self::NoMember,
            NoRoute::Intercom => Self::Intercom,
        }
    }
}

impl From<pstn_access::Refusal> for Refusal {
    fn from(why: pstn_access::Refusal) -> Self {
        use pstn_access::Refusal as R;
        match why {
            R::OtherTrunk => Self::OtherTrunk,
            R::ServiceInactive => Self::ServiceInactive,
            R::MissingDevice => Self::MissingPhone,
            R::UnknownPhone => Self::UnknownPhone,
            R::NobodyLoggedIn => Self::NobodyLoggedIn,
            R::OtherCluster => Self::OtherCluster,
        }
    }
}

/// An alarm as the log names it.
#[must_use]
pub fn alarm_text(alarm: &Alarm) -> &'static str {
    match alarm {
        Alarm::WentOn { .. } => "emergency call went on past analysis",
        Alarm::UnknownPhone => "emergency call of an unknown phone",
        Alarm::MissingDevice => "emergency call that names no phone",
    }
}
