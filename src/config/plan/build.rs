//! A document without errors into a plan.

use super::dial_plan::Dialing;
use super::index::{ByName, ByText, Indexes, Senders, by_user};
use super::lookup::{NameTables, roaming_index, roaming_pool};
use super::sites::{Site, addresses, certificate_names, owners};
use super::{
    Cluster, Device, DeviceId, DevicePool, EmccSession, Feature, Listen, Peer, Plan, Profile, RemoteCluster,
    RemoteClusterId, Rsvp, Services, SessionId, SessionTimer, Side, Sip, Terms, Trunk, User, UserId,
};
use crate::certificates::Files;
use crate::config::document::{self, Document, MidCall, Service, Text};
use crate::config::report::At;
use crate::config::words::STANDARD_LOCAL_ROUTE_GROUP;
use crate::neighbour::headers::Headers;
use crate::neighbour::health::ProbeTimes;
use crate::neighbour::locate::Place;
use crate::neighbour::mark::DeviceHeader;
use crate::neighbour::methods::Methods;
use crate::neighbour::names::Names;
use crate::neighbour::select::Rank;
use crate::neighbour::{Network, PhoneNetworks};
use ahash::AHashMap;
use emcc_policies::admission::Capacity;
use emcc_policies::device_pool::RoamingIndex;
use emcc_policies::emergency::EmergencyNumbers;
use emcc_policies::keepalive;
use emcc_policies::location::{Configured, Geolocation, effective};
use emcc_policies::login::compatibility::{LoginType, Pairing, judge};
use emcc_policies::login::{ClusterMode, Security, Version};
use emcc_policies::pstn_access::TrunkSide;
use emcc_policies::region::{CheckRate, PeerRegion, Region, SwitchedOff};
use emcc_policies::route::PeerKind;
use emcc_policies::route::{
    DevicePoolId, LocalRouteGroupId, LocalRouteGroups, Member, PeerId, RouteBook, RouteGroup, RouteGroupId, RouteList,
    TransformSpaces, Transformations,
};
use emcc_policies::search_space::{of_emcc_phone, of_phone};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

const VERSION: Version = Version { major: 12, minor: 0 };
const MAX_PHONES: u32 = 60_000;
const NO_RESPONSE_S: u32 = 4;
/// Timer C, just above the three minutes of RFC 3261, section 16.6.
const RING_S: u32 = 181;
const HEALTH_S: u32 = 30;
const HEALTH_TIMEOUT_S: u32 = 4;
const HEALTH_LOST: u32 = 3;
/// Longest wait of a draining node for its ordinary calls, seconds.
const DRAIN_S: u32 = 3_600;
/// The least session interval there is (RFC 4028 section 5).
pub(in crate::config) const MIN_SE_S: u32 = 90;
/// The session interval RFC 4028 section 4 recommends.
pub(in crate::config) const SESSION_EXPIRES_S: u32 = 1_800;
/// Minutes between checks for stale sessions.
const STALE_DEVICE_INTERVAL_MIN: u32 = 1_440;
/// Minutes between updates from remote clusters.
const REMOTE_CLUSTER_UPDATE_INTERVAL_MIN: u32 = 30;
const RSVP_RETRY_S: u32 = 60;
const RSVP_MID_CALL_RETRIES: u32 = 1;
const ADMIN_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9411);

/// Resolves a document; `dialing` is its dial plan. `cores` is how many workers serve the sockets unless the file says.
///
/// A document with errors gives some plan, in which what could not be resolved is missing; nobody may run it.
pub(in crate::config) fn build(document: &Document, mut dialing: Dialing<'_>, cores: usize) -> Plan {
    let ids = Ids::of(document);
    let transformations = transformations(document, &mut dialing).map(Arc::new);
    let feature = feature(document);
    let device_pools: Arc<[_]> = document.device_pools.iter().map(|pool| device_pool(pool, &ids, &dialing)).collect();
    let peers: Box<[_]> = document.peers.iter().map(peer).collect();
    let remote_clusters: Box<[_]> =
        document.remote_clusters.iter().map(|c| remote_cluster(c, document, &feature.region)).collect();
    let devices: Arc<[_]> = devices(document, &ids, &dialing).into();
    let users: Arc<[_]> = document.users.iter().map(|row| user(row, &dialing)).collect();
    let roaming = roaming_index(&feature.geolocation_filter, &device_pools);
    let sessions: Arc<[_]> = sessions(document, &ids, &roaming, &device_pools, &dialing).into();
    let indexes = Arc::new(indexes(&remote_clusters, &devices, &users, &sessions));
    let neighbours = owners(&peers, &remote_clusters, &Names::default());
    let sip = sip(document, cores);
    let trunk = document.emcc_trunk.as_ref();
    let trusts_everybody = document.sip.phones.is_empty()
        && peers.iter().all(|peer| peer.trust_identity)
        && remote_clusters.iter().all(|remote| remote.trust_identity)
        && peers
            .iter()
            .map(|peer| &peer.terms)
            .chain(remote_clusters.iter().map(|remote| &remote.terms))
            .all(|terms| terms.headers_removed.is_empty());
    let marked = peers.iter().map(|peer| &peer.device_header);
    let marked = marked.chain(remote_clusters.iter().map(|remote| &remote.device_header));
    let device_headers =
        Headers::listed(marked.filter(|header| **header != DeviceHeader::CallInfo).map(DeviceHeader::name));
    let routes = routes(document, &ids, transformations);
    Plan {
        device_headers,
        trusts_everybody,
        roaming: Arc::new(roaming),
        cluster: Cluster {
            id: document.cluster.id.as_ref().map(boxed).unwrap_or_default(),
            version: value(&document.cluster.version, VERSION),
            security_mode: value(&document.cluster.security_mode, ClusterMode::Mixed),
            max_phones: value(&document.cluster.max_phones, MAX_PHONES),
        },
        admin_listen: value(&document.admin_listen, ADMIN_LISTEN),
        admin_token_file: document.admin_token_file.as_ref().map(|at| at.value.clone()),
        profile: Profile {
            emcc: value(&document.profile.emcc, false),
            pstn_access: value(&document.profile.pstn_access, false),
            rsvp_agent: value(&document.profile.rsvp_agent, false),
        },
        trunk: TrunkSide {
            setting: value(&document.feature.pstn_access_css, Default::default()),
            css: trunk.and_then(|trunk| dialing.css(trunk.css.as_ref())),
            device_pool: trunk.and_then(|trunk| ids.pool(trunk.device_pool.as_ref())),
        },
        rsvp_trunk: document.rsvp_trunk.as_ref().map(|trunk| Trunk {
            css: dialing.css(trunk.css.as_ref()),
            device_pool: ids.pool(trunk.device_pool.as_ref()),
        }),
        template_pool: ids.pool(document.template_pool.as_ref()),
        emergency: Arc::clone(&routes.emergency),
        emergency_priority_kbps: value(&document.emergency.priority_kbps, 0),
        rsvp: Rsvp {
            retry_s: value(&document.rsvp.retry_s, RSVP_RETRY_S),
            mid_call: value(&document.rsvp.mid_call, MidCall::BestEffort),
            mid_call_retries: match &document.rsvp.mid_call_retries {
                None => Some(RSVP_MID_CALL_RETRIES),
                Some(at) => u32::try_from(at.value).ok(),
            },
        },
        routes: Arc::new(routes),
        device_pools,
        names: Arc::new(NameTables {
            partitions: dialing.partition_names.iter().map(|name| (*name).into()).collect(),
            spaces: document.spaces.iter().map(|space| boxed(&space.name)).collect(),
            route_lists: document.route_lists.iter().map(|list| boxed(&list.name)).collect(),
            route_groups: document.route_groups.iter().map(|group| boxed(&group.name)).collect(),
        }),
        dial_plan: Arc::new(dialing.plan),
        feature,
        peers,
        remote_clusters,
        devices,
        users,
        sessions,
        indexes,
        senders: Arc::new(Senders::new(&neighbours, &sip.phones)),
        led: [].into(),
        neighbours,
        sip,
    }
}

/// Names of rows to their ids; of two with one name, the first.
struct Ids<'d> {
    peers: AHashMap<&'d str, u32>,
    pools: AHashMap<&'d str, u32>,
    groups: AHashMap<&'d str, u32>,
    local_groups: AHashMap<&'d str, u32>,
    places: AHashMap<&'d str, Arc<Geolocation>>,
    clusters: AHashMap<&'d str, u32>,
    users: AHashMap<&'d str, u32>,
}

impl<'d> Ids<'d> {
    fn of(document: &'d Document) -> Self {
        let pools = &document.device_pools;
        let local = pools.iter().flat_map(|pool| pool.local_route_groups.iter().map(|(name, _)| name));
        Self {
            peers: numbered(document.peers.iter().map(|row| &row.name)),
            pools: numbered(pools.iter().map(|row| &row.name)),
            groups: numbered(document.route_groups.iter().map(|row| &row.name)),
            local_groups: numbered(local),
            places: document
                .geolocations
                .iter()
                .rev()
                .map(|row| (row.name.as_str(), Arc::new(row.location.clone())))
                .collect(),
            clusters: numbered(document.remote_clusters.iter().map(|row| &row.id)),
            users: numbered(document.users.iter().map(|row| &row.id)),
        }
    }

    fn pool(&self, name: Option<&Text>) -> Option<DevicePoolId> {
        self.pools.get(name?.as_str()).copied().map(DevicePoolId)
    }

    fn place(&self, name: Option<&Text>) -> Option<Arc<Geolocation>> {
        self.places.get(name?.as_str()).cloned()
    }

    /// What is chosen at one level (G-3, G-4); a place that is not there is none.
    fn chosen(&self, name: Option<&Text>) -> Configured<Arc<Geolocation>> {
        match (name, self.place(name)) {
            (None, _) => Configured::Inherit,
            (Some(_), None) => Configured::Unspecified,
            (Some(_), Some(place)) => Configured::At(place),
        }
    }

    fn group(&self, name: &Text) -> Option<RouteGroupId> {
        self.groups.get(name.as_str()).copied().map(RouteGroupId)
    }

    fn peers(&self, names: &[Text]) -> impl Iterator<Item = PeerId> {
        names.iter().filter_map(|name| self.peers.get(name.as_str()).copied().map(PeerId))
    }

    fn cluster(&self, name: Option<&Text>) -> Option<RemoteClusterId> {
        self.clusters.get(name?.as_str()).copied().map(RemoteClusterId)
    }

    fn user(&self, name: Option<&Text>) -> Option<UserId> {
        self.users.get(name?.as_str()).copied().map(UserId)
    }
}

/// Numbers names from 0; a name that comes again keeps its place, and takes one up all the same.
fn numbered<'d>(names: impl Iterator<Item = &'d Text>) -> AHashMap<&'d str, u32> {
    let mut found = AHashMap::new();
    for (number, name) in (0..).zip(names) {
        found.entry(name.as_str()).or_insert(number);
    }
    found
}

fn boxed(text: &Text) -> Box<str> {
    text.as_str().into()
}

fn value<T: Copy>(at: &Option<At<T>>, default: T) -> T {
    at.as_ref().map_or(default, |at| at.value)
}

fn sip(document: &Document, cores: usize) -> Sip {
    let advertise = document.sip.advertise.as_ref().map(|at| at.value);
    let listen = document.sip.listen.iter().map(|at| {
        let socket = at.value.socket;
        let advertised = match advertise {
            Some((ip, port)) => SocketAddr::new(ip, port.unwrap_or(socket.port())),
            None => socket,
        };
        Listen { address: at.value, advertised }
    });
    let workers = document.sip.workers.as_ref().and_then(|at| usize::try_from(at.value).ok());
    Sip {
        listen: listen.collect(),
        workers: workers.unwrap_or(cores).max(1),
        no_response_ms: u64::from(value(&document.sip.no_response_s, NO_RESPONSE_S)) * 1_000,
        ring_ms: u64::from(value(&document.sip.ring_s, RING_S)) * 1_000,
        dns: document.sip.dns.iter().map(|at| at.value).collect(),
        phones: phones(document),
        probes: ProbeTimes {
            interval_ms: u64::from(value(&document.sip.health_s, HEALTH_S)) * 1_000,
            timeout_ms: u64::from(value(&document.sip.health_timeout_s, HEALTH_TIMEOUT_S)) * 1_000,
            lost_max: u8::try_from(value(&document.sip.health_lost, HEALTH_LOST)).unwrap_or(u8::MAX),
        },
        drain_s: value(&document.sip.drain_s, DRAIN_S),
        session_timer: SessionTimer {
            min_se_s: value(&document.sip.min_se_s, MIN_SE_S),
            expires_s: value(&document.sip.session_expires_s, SESSION_EXPIRES_S),
        },
        tls: document.sip.tls.as_ref().and_then(tls_files),
    }
}

/// The networks of phones, less the addresses of the configured neighbours and of this node. A neighbour given by name is
/// asked for before the networks are ([`Plan::neighbour`]).
fn phones(document: &Document) -> PhoneNetworks {
    let networks = document.sip.phones.iter().filter_map(|at| Network::new(at.value.0, at.value.1));
    let peers = document.peers.iter().flat_map(|peer| &peer.addresses);
    let trunks = document.remote_clusters.iter().flat_map(|cluster| cluster.trunk.iter().chain(&cluster.rsvp_trunk));
    let own = document.sip.listen.iter();
    let configured = peers.chain(trunks).filter_map(|at| match &at.value {
        Place::Address(address) => Some(address.socket.ip()),
        Place::Named(_) => None,
    });
    PhoneNetworks::new(networks, configured.chain(own.map(|at| at.value.socket.ip())))
}

/// The reader refuses a table that lacks one of them.
fn tls_files(tls: &document::Tls) -> Option<Files> {
    let path = |at: &Option<At<PathBuf>>| at.as_ref().map(|at| at.value.clone());
    Some(Files { certificate: path(&tls.certificate)?, key: path(&tls.key)?, trust: path(&tls.trust)? })
}

fn feature(document: &Document) -> Feature {
    let (feature, default) = (&document.feature, Region::default());
    let rates = document.codecs.iter().filter_map(|codec| {
        Some(CheckRate { encoding: boxed(&codec.name), check_kbps: codec.check_kbps.as_ref()?.value })
    });
    let keepalive = feature.rsvp_keepalive_s.as_ref().and_then(|at| u16::try_from(at.value).ok());
    let filter = document
        .filters
        .iter()
        .find(|row| feature.geolocation_filter.as_ref().is_some_and(|n| n.value == row.name.value));
    Feature {
        geolocation_filter: filter.into_iter().flat_map(|row| row.fields.iter().map(|at| at.value)).collect(),
        region: Region {
            audio_kbps: value(&feature.region_max_audio_kbps, default.audio_kbps),
            video_kbps: value(&feature.region_max_video_kbps, default.video_kbps),
            link_loss: value(&feature.region_link_loss, default.link_loss),
            keeps_beyond: false,
            audio_caps: None,
            video_caps: None,
            variable_rate: value(&feature.variable_rate_codecs, default.variable_rate),
            switched_off: SwitchedOff {
                g722: !value(&feature.advertise_g722_codec, true),
                opus: !value(&feature.opus_codec, true),
            },
            check_rates: rates.collect(),
        },
        rsvp_keepalive_s: keepalive.unwrap_or(keepalive::INTERVAL_S_DEFAULT),
        login_tftp_servers: feature.login_tftp_servers.iter().map(boxed).collect(),
        geolocation_filter_name: feature.geolocation_filter.as_ref().map(boxed),
        enable_services: value(&feature.enable_services, false),
        stale_device_interval_min: value(&feature.stale_device_interval_min, STALE_DEVICE_INTERVAL_MIN),
        remote_cluster_update_servers: feature.remote_cluster_update_servers.iter().map(boxed).collect(),
        remote_cluster_update_interval_min: value(
            &feature.remote_cluster_update_interval_min,
            REMOTE_CLUSTER_UPDATE_INTERVAL_MIN,
        ),
    }
}

/// Addresses and names by priority, those of one priority as written.
fn sites(list: &[At<Place>], terms: &document::Terms) -> Arc<[Site]> {
    let number = |numbers: &[At<u32>], place: usize| {
        numbers.get(place).or_else(|| numbers.first().filter(|_| numbers.len() == 1)).map_or(0, |at| at.value)
    };
    let rank = |place| Rank {
        priority: number(&terms.priority, place),
        weight: u16::try_from(number(&terms.weight, place)).unwrap_or(u16::MAX),
    };
    let site = |(place, at): (usize, &At<Place>)| Site { place: at.value.clone(), rank: rank(place) };
    let mut sites: Vec<Site> = list.iter().enumerate().map(site).collect();
    sites.sort_by_key(|site| site.rank.priority);
    sites.into()
}

/// What is agreed with who is at these ranks.
fn terms(row: &document::Terms, ranks: Box<[Rank]>) -> Terms {
    let methods = row.methods.as_ref().map(|list| Methods::listed(list.iter().map(|token| token.as_str())));
    Terms {
        ranks,
        methods: methods.unwrap_or_default(),
        headers_removed: Headers::listed(row.headers_removed.iter().map(|name| name.as_str())),
        rate_per_s: row.rate_per_s.as_ref().map(|at| at.value),
        strict_stream: value(&row.strict_stream, false),
    }
}

fn peer(row: &document::Peer) -> Peer {
    let sites = sites(&row.addresses, &row.terms);
    let (addresses, ranks) = addresses(&sites, &Names::default());
    let certificate_names = certificate_names(&*sites, &Names::default());
    Peer {
        name: boxed(&row.name),
        // The reader refuses a peer without a kind; a gateway is who may do least.
        kind: value(&row.kind, PeerKind::Gateway),
        sites,
        addresses,
        terms: terms(&row.terms, ranks),
        tls_name: row.tls_name.as_ref().map(|at| at.value.clone()),
        certificate_names,
        srtp_keys: value(&row.srtp_keys, Default::default()),
        device_header: row.device_header.as_ref().map(|at| at.value.clone()).unwrap_or_default(),
        send_geolocation: value(&row.send_geolocation, false),
        // A gateway may take any parameter it does not know for a reason to refuse.
        overload_control: value(
            &row.overload_control,
            row.kind.as_ref().is_some_and(|kind| kind.value == PeerKind::CallControl),
        ),
        trust_identity: value(&row.trust_identity, true),
    }
}

fn remote_cluster(row: &document::RemoteCluster, document: &Document, ours: &Region) -> RemoteCluster {
    let theirs = PeerRegion {
        audio_kbps: value(&row.region_max_audio_kbps, ours.audio_kbps),
        video_kbps: value(&row.region_max_video_kbps, ours.video_kbps),
        link_loss: value(&row.region_link_loss, ours.link_loss),
    };
    let (region, region_differs) = ours.meet(Some(theirs));
    let offers = |service| row.offers(service, &document.feature);
    let policy = value(&row.rsvp_policy, Default::default());
    let trunk_sites = sites(&row.trunk, &row.terms);
    let rsvp_sites =
        if row.rsvp_trunk.is_empty() { trunk_sites.clone() } else { sites(&row.rsvp_trunk, &Default::default()) };
    let (trunk, ranks) = addresses(&trunk_sites, &Names::default());
    let certificate_names = certificate_names(trunk_sites.iter().chain(&*rsvp_sites), &Names::default());
    RemoteCluster {
        id: boxed(&row.id),
        version: value(&row.version, value(&document.cluster.version, VERSION)),
        security_mode: value(&row.security_mode, ClusterMode::Mixed),
        fqdn: row.fqdn.as_ref().map(|name| name.value.to_ascii_lowercase().into()),
        rsvp_trunk: addresses(&rsvp_sites, &Names::default()).0,
        sites: trunk_sites,
        rsvp_sites,
        addresses: trunk,
        terms: terms(&row.terms, ranks),
        services: Services {
            emcc: offers(Service::Emcc),
            pstn_access: offers(Service::PstnAccess),
            rsvp_agent: offers(Service::RsvpAgent) && !region_differs,
        },
        rsvp_policy: policy,
        pstn_access_rsvp_policy: value(&row.pstn_access_rsvp_policy, policy),
        link: Capacity {
            audio_kbps: row.link_audio_kbps.as_ref().map(|at| at.value),
            video_kbps: row.link_video_kbps.as_ref().map(|at| at.value),
        },
        emergency_region: region.of_emergency(),
        region,
        region_differs,
        tls_name: row.tls_name.as_ref().map(|at| at.value.clone()),
        certificate_names,
        device_header: row.device_header.as_ref().map(|at| at.value.clone()).unwrap_or_default(),
        send_geolocation: value(&row.send_geolocation, true),
        overload_control: value(&row.overload_control, true),
        trust_identity: value(&row.trust_identity, true),
    }
}

fn transformations(document: &Document, dialing: &mut Dialing<'_>) -> Option<Transformations> {
    let [calling, called] = dialing.take_transformations()?;
    let spaces = |row: &document::TransformSpaces| TransformSpaces {
        calling: dialing.css(row.calling.as_ref()),
        called: dialing.css(row.called.as_ref()),
    };
    let trunk = document.emcc_trunk.as_ref().map(|trunk| spaces(&trunk.transform_spaces)).unwrap_or_default();
    let peers = document.peers.iter().map(|peer| spaces(&peer.transform_spaces)).collect();
    Some(Transformations { calling, called, trunk, peers })
}

fn routes(document: &Document, ids: &Ids<'_>, transformations: Option<Arc<Transformations>>) -> RouteBook {
    let member = |name: &Text| match ids.group(name) {
        Some(group) => Some(Member::Group(group)),
        None if name.value == STANDARD_LOCAL_ROUTE_GROUP => Some(Member::Standard),
        None => ids.local_groups.get(name.as_str()).copied().map(LocalRouteGroupId).map(Member::Named),
    };
    let lists = document.route_lists.iter().map(|list| {
        let members = list.members.iter().filter_map(|name| {
            let own = list.transforms.iter().find(|(member, _)| member.value == name.value);
            Some((member(name)?, own.map(|(_, transform)| *transform)))
        });
        RouteList { members: members.collect() }
    });
    let groups = document.route_groups.iter().map(|group| RouteGroup {
        peers: ids.peers(&group.peers).collect(),
        distribution: value(&group.distribution, Default::default()),
    });
    RouteBook {
        lists: lists.collect(),
        groups: groups.collect(),
        peers: document.peers.iter().map(|row| peer(row).kind).collect(),
        last_resort: ids.peers(&document.emergency.last_resort).collect(),
        emergency: Arc::new(EmergencyNumbers {
            numbers: document.emergency.numbers.iter().map(|at| at.value).collect(),
            access_codes: document.emergency.access_codes.iter().map(|at| at.value).collect(),
        }),
        transformations,
    }
}

/// The routes of a document that is only looked at, as [`build`] makes them; without transformation patterns, which
/// change no destination.
pub(in crate::config) struct Routing<'d> {
    pub(in crate::config) book: RouteBook,
    ids: Ids<'d>,
    pools: Vec<LocalRouteGroups>,
}

impl<'d> Routing<'d> {
    pub(in crate::config) fn of(document: &'d Document) -> Self {
        let ids = Ids::of(document);
        let pools = document.device_pools.iter().map(|row| local_route_groups(row, &ids)).collect();
        Self { book: routes(document, &ids, None), pools, ids }
    }

    pub(in crate::config) fn pool(&self, name: Option<&Text>) -> Option<DevicePoolId> {
        self.ids.pool(name)
    }

    pub(in crate::config) fn local_route_groups(&self, pool: Option<DevicePoolId>) -> &LocalRouteGroups {
        static NONE: LocalRouteGroups = LocalRouteGroups { standard: None, named: Vec::new() };
        pool.and_then(|id| self.pools.get(id.0 as usize)).unwrap_or(&NONE)
    }
}

fn local_route_groups(row: &document::DevicePool, ids: &Ids<'_>) -> LocalRouteGroups {
    let mut groups = LocalRouteGroups::default();
    for (name, group) in &row.local_route_groups {
        let Some(group) = ids.group(group) else { continue };
        if name.value == STANDARD_LOCAL_ROUTE_GROUP {
            groups.standard = Some(group);
        } else if let Some(local) = ids.local_groups.get(name.as_str()) {
            groups.named.push((LocalRouteGroupId(*local), group));
        }
    }
    groups
}

fn device_pool(row: &document::DevicePool, ids: &Ids<'_>, dialing: &Dialing<'_>) -> DevicePool {
    DevicePool {
        name: boxed(&row.name),
        geolocation: ids.place(row.geolocation.as_ref()),
        adjunct_css: dialing.css(row.adjunct_css.as_ref()),
        local_route_groups: local_route_groups(row, ids),
    }
}

fn devices(document: &Document, ids: &Ids<'_>, dialing: &Dialing<'_>) -> Box<[Device]> {
    let default = ids.place(document.feature.default_geolocation.as_ref());
    let mut lines = AHashMap::new();
    for user in &document.users {
        if let Some(number) = &user.directory_number {
            lines.entry(number.as_str()).or_insert(dialing.css(user.line_css.as_ref()));
        }
    }
    let device = |row: &document::Device| {
        let css = dialing.css(row.css.as_ref());
        // The reader refuses a device without a pool, the name check one whose pool is not there.
        let device_pool = ids.pool(row.device_pool.as_ref()).unwrap_or(DevicePoolId(0));
        let of_pool = document.device_pools.get(device_pool.0 as usize).and_then(|pool| pool.geolocation.as_ref());
        let line = row.directory_numbers.first().and_then(|number| lines.get(number.as_str()).copied().flatten());
        Device {
            name: boxed(&row.name),
            css,
            search_space: of_phone(line, css),
            device_pool,
            geolocation: effective(ids.chosen(row.geolocation.as_ref()), ids.chosen(of_pool), default.clone()),
            security_mode: value(&row.security_mode, Security::NonSecure),
            directory_numbers: row.directory_numbers.iter().map(boxed).collect(),
        }
    };
    document.devices.iter().map(device).collect()
}

fn user(row: &document::User, dialing: &Dialing<'_>) -> User {
    User {
        id: boxed(&row.id),
        directory_number: row.directory_number.as_ref().map(boxed),
        line_css: dialing.css(row.line_css.as_ref()),
        emcc_css: dialing.css(row.emcc_css.as_ref()),
        emcc_enabled: row.emcc_enabled,
    }
}

fn sessions(
    document: &Document,
    ids: &Ids<'_>,
    index: &RoamingIndex,
    pools: &[DevicePool],
    dialing: &Dialing<'_>,
) -> Box<[EmccSession]> {
    if document.sessions.is_empty() {
        return Box::default();
    }
    let template = ids.pool(document.template_pool.as_ref());
    let phones: AHashMap<_, _> =
        document.devices.iter().rev().map(|device| (device.name.value.to_ascii_lowercase(), device)).collect();
    let session = |row: &document::Session| {
        let side = match ids.cluster(row.home_cluster.as_ref()) {
            Some(home) => Side::Visiting { home },
            None => {
                let user = ids.user(row.user.as_ref())?;
                let profile = document.users.get(user.0 as usize)?;
                let (line, emcc) = (dialing.css(profile.line_css.as_ref()), dialing.css(profile.emcc_css.as_ref()));
                let roaming = roaming_pool(index, template, row.geolocation.as_ref());
                let placed = roaming.device_pool.and_then(|id| pools.get(id.0 as usize));
                Side::Home {
                    user,
                    visiting: ids.cluster(row.visiting_cluster.as_ref())?,
                    geolocation: row.geolocation.clone().map(Arc::new),
                    roaming,
                    search_space: of_emcc_phone(placed.and_then(|pool| pool.adjunct_css), line, emcc),
                }
            }
        };
        let phone = phones.get(&row.device.value.to_ascii_lowercase()).copied();
        let security = session_security(document, row, phone, ids);
        Some(EmccSession { user: boxed(row.user.as_ref()?), device: boxed(&row.device), security, side })
    };
    document.sessions.iter().filter_map(session).collect()
}

/// The device pool that the phone of each session is placed in (G-6), as [`build`] places it, in the order of the sessions
/// of a document that is only looked at.
pub(in crate::config) fn roaming_pools(document: &Document) -> Vec<Option<DevicePoolId>> {
    if document.sessions.is_empty() {
        return Vec::new();
    }
    let ids = Ids::of(document);
    let place = |pool: &document::DevicePool| DevicePool {
        name: boxed(&pool.name),
        geolocation: ids.place(pool.geolocation.as_ref()),
        adjunct_css: None,
        local_route_groups: LocalRouteGroups::default(),
    };
    let pools: Vec<_> = document.device_pools.iter().map(place).collect();
    let index = roaming_index(&feature(document).geolocation_filter, &pools);
    let template = ids.pool(document.template_pool.as_ref());
    let placed = |session: &document::Session| roaming_pool(&index, template, session.geolocation.as_ref()).device_pool;
    document.sessions.iter().map(placed).collect()
}

/// Tables 6 to 8 on a session that stands: a guest's phone is ours, a phone abroad is what its cluster said of it. Where
/// they give no session, it is treated as the one without secrets.
fn session_security(
    document: &Document,
    row: &document::Session,
    phone: Option<&document::Device>,
    ids: &Ids<'_>,
) -> Security {
    let other = row.home_cluster.as_ref().or(row.visiting_cluster.as_ref());
    let other = ids.cluster(other).and_then(|id| document.remote_clusters.get(id.0 as usize));
    let is_guest = row.home_cluster.is_some();
    let phone =
        if is_guest { phone.and_then(|device| device.security_mode.as_ref()) } else { row.security_mode.as_ref() };
    security_between(document, other, is_guest, phone.map_or(Security::NonSecure, |at| at.value))
        .unwrap_or(Security::NonSecure)
}

/// What tables 6 to 8 make of a phone of that mode between this cluster and another, a cluster like this one unless
/// named: of a guest's here, or of one abroad. Nothing where they give no session.
pub(in crate::config) fn security_between(
    document: &Document,
    other: Option<&document::RemoteCluster>,
    is_guest: bool,
    phone: Security,
) -> Option<Security> {
    let ours = (value(&document.cluster.version, VERSION), value(&document.cluster.security_mode, ClusterMode::Mixed));
    let theirs =
        other.map_or(ours, |remote| (value(&remote.version, ours.0), value(&remote.security_mode, ClusterMode::Mixed)));
    let (visited, home) = if is_guest { (ours, theirs) } else { (theirs, ours) };
    let pairing = Pairing {
        vc_version: visited.0,
        hc_version: home.0,
        login_type: LoginType::None,
        hc_mode: home.1,
        vc_mode: visited.1,
        phone,
    };
    judge(&pairing).ok().and_then(|verdict| verdict.emcc)
}

fn indexes(clusters: &[RemoteCluster], devices: &[Device], users: &[User], sessions: &[EmccSession]) -> Indexes {
    let abroad = (0..).map(SessionId).zip(sessions).filter_map(|(id, session)| match session.side {
        Side::Home { user, .. } => Some((user, id)),
        Side::Visiting { .. } => None,
    });
    let numbers = (0..)
        .map(DeviceId)
        .zip(devices)
        .flat_map(|(id, device)| device.directory_numbers.iter().map(move |n| (&**n, id)));
    Indexes {
        devices: ByName::new(devices.iter().map(|device| &*device.name).zip((0..).map(DeviceId))),
        users: ByText::new(users.iter().map(|user| &*user.id).zip((0..).map(UserId))),
        sessions: ByName::new(sessions.iter().map(|session| &*session.device).zip((0..).map(SessionId))),
        sessions_of_users: by_user(abroad),
        users_by_number: ByText::new(
            (0..).map(UserId).zip(users).filter_map(|(id, user)| Some((user.directory_number.as_deref()?, id))),
        ),
        devices_by_number: ByText::new(numbers),
        clusters: ByText::new(clusters.iter().map(|row| &*row.id).zip((0..).map(RemoteClusterId))),
    }
}
