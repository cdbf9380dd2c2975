//! What the engine runs on: a configuration that is right, resolved. Immutable; a reload builds another.
//!
//! Every id is a place in the table of its kind, in the order of the files. Looking something up by name, number or
//! address takes one step and allocates nothing.

pub(in crate::config) mod build;
pub(in crate::config) mod dial_plan;
mod index;
mod kept;
mod lookup;
mod parameters;
pub(in crate::config) mod schedule;
mod service;
mod sites;
pub(crate) use index::Senders;
pub use kept::Kept;
pub use parameters::{Parameter, Value};
pub use service::Trust;

pub(in crate::config) use build::build;
pub use emcc_policies::pstn_access::ClusterId as RemoteClusterId;
pub use sites::{Led, Site};

use crate::certificates::Files;
use crate::config::address::Address;
use crate::config::document::{MidCall, SrtpKeys};
use crate::neighbour::headers::Headers;
use crate::neighbour::health::ProbeTimes;
use crate::neighbour::mark::DeviceHeader;
use crate::neighbour::methods::Methods;
use crate::neighbour::select::Rank;
use crate::neighbour::{CertificateName, PhoneNetworks};
use emcc_policies::admission::{Capacity, RsvpPolicy};
use emcc_policies::device_pool::{Because, RoamingIndex};
use emcc_policies::emergency::EmergencyNumbers;
use emcc_policies::location::{Field, Geolocation};
use emcc_policies::login::{ClusterMode, Security, Version};
use emcc_policies::pstn_access::TrunkSide;
use emcc_policies::region::Region;
use emcc_policies::route::{DevicePoolId, LocalRouteGroups, PeerId, PeerKind, RouteBook};
use emcc_policies::search_space::{CssId, DialPlan, SearchSpace};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

/// A device of this cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(pub u32);

/// A user of this cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(pub u32);

/// An EMCC session that stands from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u32);

/// A configuration, resolved.
#[derive(Clone, Debug)]
pub struct Plan {
    /// This cluster.
    pub cluster: Cluster,
    /// Sockets and patience.
    pub sip: Sip,
    /// Where the admin page listens; a loopback address.
    pub admin_listen: SocketAddr,
    /// File of the token that changes need there; none: nothing can be changed.
    pub admin_token_file: Option<PathBuf>,
    /// Which intercluster services this cluster takes part in.
    pub profile: Profile,
    /// The EMCC feature parameters (domain 1.2).
    pub feature: Feature,
    /// The EMCC trunk as calls that come in over it see it, with the choice of P-9.
    pub trunk: TrunkSide,
    /// The second EMCC trunk, that of the RSVP agent service, where there is one.
    pub rsvp_trunk: Option<Trunk>,
    /// Device pool of a visiting phone that matches no other (G-8).
    pub template_pool: Option<DevicePoolId>,
    /// Emergency numbers beside those of the patterns (P-23), as routes ask for them too.
    pub emergency: Arc<EmergencyNumbers>,
    /// Bandwidth meant for emergency calls on every link, in kbps; 0 for none.
    pub emergency_priority_kbps: u32,
    /// What follows a failed reservation.
    pub rsvp: Rsvp,
    /// Neighbours inside the cluster, by [`PeerId`].
    pub peers: Box<[Peer]>,
    /// Other clusters, by [`RemoteClusterId`].
    pub remote_clusters: Box<[RemoteCluster]>,
    /// Partitions, search spaces, patterns.
    pub dial_plan: Arc<DialPlan>,
    /// Route lists, route groups, what each peer is, last resort.
    pub routes: Arc<RouteBook>,
    /// Device pools, by [`DevicePoolId`].
    pub device_pools: Arc<[DevicePool]>,
    /// Devices of this cluster, by [`DeviceId`].
    pub devices: Arc<[Device]>,
    /// Users of this cluster, by [`UserId`].
    pub users: Arc<[User]>,
    /// EMCC sessions that stand from the start, by [`SessionId`].
    pub sessions: Arc<[EmccSession]>,
    /// Headers beside Call-Info that carry the device mark to or from some neighbour (P-13).
    pub device_headers: Headers,
    trusts_everybody: bool,
    roaming: Arc<RoamingIndex>,
    names: Arc<lookup::NameTables>,
    indexes: Arc<index::Indexes>,
    /// Where names of neighbours lead.
    led: Arc<[Led]>,
    neighbours: index::ByAddress,
    /// One for all configurations in a row whose neighbours are the same.
    senders: Arc<Senders>,
}

/// This cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// Cluster ID.
    pub id: Box<str>,
    /// Version of its call control; 12.0 unless configured.
    pub version: Version,
    /// Its security mode; mixed unless configured.
    pub security_mode: ClusterMode,
    /// MaxPhones (L-27), 1 to 60,000.
    pub max_phones: u32,
}

/// A socket to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// What is bound.
    pub address: Address,
    /// What neighbours are told to send to: in Via, Record-Route and Contact.
    pub advertised: SocketAddr,
}

/// Sockets and patience of the SIP side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sip {
    /// Sockets, in the order written; at least one.
    pub listen: Box<[Listen]>,
    /// Threads that serve them; the number of cores unless configured.
    pub workers: usize,
    /// A next hop that sent nothing for so long is given up, in milliseconds, 1,000 to 32,000.
    pub no_response_ms: u64,
    /// Timer C (RFC 3261, section 16.6), in milliseconds.
    pub ring_ms: u64,
    /// DNS servers, in the order they are asked; none: those of the host.
    pub dns: Box<[SocketAddr]>,
    /// Where phones register and call through this node.
    pub phones: PhoneNetworks,
    /// Health probing of neighbours.
    pub probes: ProbeTimes,
    /// Longest wait for ordinary calls to end once the node drains, seconds; then they are ended.
    pub drain_s: u32,
    /// Session timers.
    pub session_timer: SessionTimer,
    /// What TLS shows and trusts; there wherever an address is one of TLS.
    pub tls: Option<Files>,
}

/// What this node asks of session timers (RFC 4028).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTimer {
    /// The least session interval that passes, in seconds; 90 unless configured.
    pub min_se_s: u32,
    /// The session interval put into a request without one, and the longest that passes, in seconds; 0: neither.
    pub expires_s: u32,
}

/// Active flags of the intercluster service profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// EMCC logins.
    pub emcc: bool,
    /// PSTN access over the trunk.
    pub pstn_access: bool,
    /// RSVP agent over the trunk.
    pub rsvp_agent: bool,
}

/// EMCC feature parameters the engine and `explain` use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feature {
    /// Fields of the EMCC geolocation filter, in the order written; none without a filter (G-6).
    pub geolocation_filter: Box<[Field]>,
    /// This cluster's own region parameters and check rates.
    pub region: Region,
    /// RSVP SIP trunk KeepAlive timer in seconds, 1 to 600 (V-4).
    pub rsvp_keepalive_s: u16,
    /// TFTP servers that devices logging in from elsewhere are sent to, default first (L-8).
    pub login_tftp_servers: Box<[Box<str>]>,
    /// Name of the EMCC geolocation filter.
    pub geolocation_filter_name: Option<Box<str>>,
    /// Whether a remote cluster that lists no services gets all of them (L-33).
    pub enable_services: bool,
    /// Minutes between checks for stale sessions, 10 to 1440 (L-24). Nothing here runs them.
    pub stale_device_interval_min: u32,
    /// Servers remote clusters ask about this one, default first (L-28). Nothing here answers them.
    pub remote_cluster_update_servers: Box<[Box<str>]>,
    /// Minutes between updates from remote clusters, 15 to 10080 (L-28). Nothing here runs them.
    pub remote_cluster_update_interval_min: u32,
}

/// The second EMCC trunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trunk {
    /// Its inbound search space.
    pub css: Option<CssId>,
    /// Its device pool.
    pub device_pool: Option<DevicePoolId>,
}

/// What follows a failed reservation (V-10, V-11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rsvp {
    /// Pause between attempts in seconds; 0: none is made.
    pub retry_s: u32,
    /// What a mandatory policy does when a reservation is lost during a call.
    pub mid_call: MidCall,
    /// Attempts before such a call fails; none: until one succeeds or the call ends.
    pub mid_call_retries: Option<u32>,
}

/// What is agreed with a neighbour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Rank of each of its addresses, in their order.
    pub ranks: Box<[Rank]>,
    /// Methods it may send; all unless configured.
    pub methods: Methods,
    /// Headers it may not send: they go no further.
    pub headers_removed: Headers,
    /// New requests outside dialogs it may send, a second; no limit unless configured.
    pub rate_per_s: Option<u32>,
    /// Whether octets behind a body cut short by its own length close its connection.
    pub strict_stream: bool,
}

/// A neighbour inside the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its name.
    pub name: Box<str>,
    /// What it is.
    pub kind: PeerKind,
    /// Its addresses and names as configured, in the order they are tried; at least one.
    pub sites: Arc<[Site]>,
    /// Where they lead, chance left out; none before a name is looked up.
    pub addresses: Box<[Address]>,
    /// What its certificate must name on TLS, if configured.
    pub tls_name: Option<CertificateName>,
    /// And if not: the name or IP address it is configured by, by where that leads.
    pub certificate_names: Box<[(IpAddr, CertificateName)]>,
    /// Where SRTP keys may pass to and from it (S-3).
    pub srtp_keys: SrtpKeys,
    /// What is agreed with it.
    pub terms: Terms,
    /// Header that carries the device mark (P-13).
    pub device_header: DeviceHeader,
    /// Whether location bodies leave towards it; off unless configured.
    pub send_geolocation: bool,
    /// Whether it is asked to tell its load (RFC 7339); on unless configured, for a gateway off.
    pub overload_control: bool,
    /// Whether identities it asserts are believed, and asserted ones leave towards it (RFC 3325); on unless configured.
    pub trust_identity: bool,
}

/// Services of a remote cluster that are enabled in our record of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Services {
    /// EMCC logins.
    pub emcc: bool,
    /// PSTN access over the trunk.
    pub pstn_access: bool,
    /// RSVP agent over the trunk; never with a cluster whose region parameters differ (L-31, M-8).
    pub rsvp_agent: bool,
}

/// Another cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteCluster {
    /// Cluster ID.
    pub id: Box<str>,
    /// Version of its call control; ours unless configured.
    pub version: Version,
    /// Its security mode; mixed unless configured.
    pub security_mode: ClusterMode,
    /// Its fully qualified name, in lower case, if configured.
    pub fqdn: Option<Box<str>>,
    /// Addresses and names of its PSTN access trunk as configured, in the order they are tried; at least one.
    pub sites: Arc<[Site]>,
    /// The same of its RSVP agent trunk; those of the PSTN access trunk unless configured.
    pub rsvp_sites: Arc<[Site]>,
    /// Where the PSTN access trunk is, chance left out; none before a name is looked up.
    pub addresses: Box<[Address]>,
    /// What is agreed with it; the ranks are those of the PSTN access trunk.
    pub terms: Terms,
    /// Where the RSVP agent trunk is.
    pub rsvp_trunk: Box<[Address]>,
    /// What is enabled with it.
    pub services: Services,
    /// RSVP policy of calls to it (V-7).
    pub rsvp_policy: RsvpPolicy,
    /// RSVP policy of PSTN access calls, whose media may stay at the visited site.
    pub pstn_access_rsvp_policy: RsvpPolicy,
    /// What the link to it carries, per direction.
    pub link: Capacity,
    /// Region parameters of calls with it: the lower cap of both, our own list (M-8).
    pub region: Region,
    /// The same for an emergency call that was refused for its codecs: nothing is taken out (P-23).
    pub emergency_region: Region,
    /// Whether its region parameters differ from ours (M-8): an alarm, and no RSVP agent.
    pub region_differs: bool,
    /// What its certificate must name on TLS, if configured.
    pub tls_name: Option<CertificateName>,
    /// And if not: the name or IP address it is configured by, by where that leads.
    pub certificate_names: Box<[(IpAddr, CertificateName)]>,
    /// Header that carries the device mark (P-13).
    pub device_header: DeviceHeader,
    /// Whether location bodies leave towards it; on unless configured.
    pub send_geolocation: bool,
    /// Whether it is asked to tell its load (RFC 7339); on unless configured, for a gateway off.
    pub overload_control: bool,
    /// Whether identities it asserts are believed, and asserted ones leave towards it (RFC 3325); on unless configured.
    pub trust_identity: bool,
}

/// A device pool.
#[derive(Clone, Debug, PartialEq)]
pub struct DevicePool {
    /// Its name.
    pub name: Box<str>,
    /// Its place, if it has one.
    pub geolocation: Option<Arc<Geolocation>>,
    /// Adjunct CSS of phones that roam into it (P-2).
    pub adjunct_css: Option<CssId>,
    /// What its local route groups stand for (P-21).
    pub local_route_groups: LocalRouteGroups,
}

/// A phone of this cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    /// Its name as written; names are compared without case.
    pub name: Box<str>,
    /// Its own CSS: what P-9 may choose, without a line's.
    pub css: Option<CssId>,
    /// Search space of its calls: the line CSS of the user who has its first number, then its own (D-5).
    pub search_space: SearchSpace,
    /// Its device pool; of an EMCC login the original one (P-11).
    pub device_pool: DevicePoolId,
    /// Its security mode; non-secure unless configured.
    pub security_mode: Security,
    /// Where it is: its own geolocation or its device pool's (G-3, G-4).
    pub geolocation: Option<Arc<Geolocation>>,
    /// Its directory numbers.
    pub directory_numbers: Box<[Box<str>]>,
}

/// A user of this cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// User id.
    pub id: Box<str>,
    /// Directory number of the user's device profile.
    pub directory_number: Option<Box<str>>,
    /// CSS of that line.
    pub line_css: Option<CssId>,
    /// EMCC CSS of the device profile: the device CSS of a login from elsewhere.
    pub emcc_css: Option<CssId>,
    /// Whether the user may log in at another cluster.
    pub emcc_enabled: bool,
}

/// An EMCC session that stands from the start.
#[derive(Clone, Debug, PartialEq)]
pub struct EmccSession {
    /// Who is logged in: a user of the home cluster.
    pub user: Box<str>,
    /// On which phone: a device of the visited cluster.
    pub device: Box<str>,
    /// What tables 6 to 8 make of both clusters and the phone; non-secure where they give no session.
    pub security: Security,
    /// Which half of the session this cluster has.
    pub side: Side,
}

/// Which half of a session this cluster has.
#[derive(Clone, Debug, PartialEq)]
pub enum Side {
    /// Our user, abroad.
    Home {
        /// The user.
        user: UserId,
        /// The cluster visited.
        visiting: RemoteClusterId,
        /// Where the phone is, as the visited cluster said.
        geolocation: Option<Arc<Geolocation>>,
        /// The device pool it is placed in, and why (G-6).
        roaming: RoamingPool,
        /// Search space of the phone's calls: adjunct, line, EMCC CSS (P-2).
        search_space: SearchSpace,
    },
    /// Our phone, with somebody else's user.
    Visiting {
        /// The user's cluster.
        home: RemoteClusterId,
    },
}

/// Where a visiting phone is placed, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoamingPool {
    /// The device pool; none where the template's counts and there is no template.
    pub device_pool: Option<DevicePoolId>,
    /// Fields of the filter that agree; 0 with the template's pool.
    pub score: usize,
    /// It is the template's pool, because no other matches (G-8).
    pub fallback: bool,
    /// What decided.
    pub because: Because,
}

/// Who is at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Neighbour {
    /// A peer of this cluster.
    Peer(PeerId),
    /// Another cluster.
    Remote {
        /// Which.
        cluster: RemoteClusterId,
        /// It is the address of a second trunk, for the RSVP agent service alone: no PSTN access comes from there.
        is_rsvp_trunk: bool,
    },
    /// A phone in one of the networks of `[sip] phones`.
    Phone,
}

impl Neighbour {
    /// The program behind it, on whichever of its trunks: the trunk for PSTN access stands for both.
    fn host(self) -> Self {
        match self {
            Self::Remote { cluster, .. } => Self::Remote { cluster, is_rsvp_trunk: false },
            Self::Peer(_) | Self::Phone => self,
        }
    }

    /// Whether both are one program.
    fn same_host(self, other: Self) -> bool {
        self != Self::Phone && self.host() == other.host()
    }
}
