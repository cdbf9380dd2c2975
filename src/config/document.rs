//! What the files say, key by key, each value with its place. Nothing here is resolved or defaulted: absent is `None`.
//!
//! Keys without effect in this version are checked while reading and not kept.

use super::address::Address;
use super::report::{At, Place as Position};
use crate::neighbour::CertificateName;
use crate::neighbour::locate::Place;
use crate::neighbour::mark::DeviceHeader;
use emcc_codecs::catalogue::LinkLoss;
use emcc_policies::admission::RsvpPolicy;
use emcc_policies::digits::{Digits, Pattern, RowTransform, Transform};
use emcc_policies::location::{Field, Geolocation as Civic};
use emcc_policies::login::{ClusterMode, Security, Version};
use emcc_policies::pstn_access::PstnAccessCss;
use emcc_policies::region::VariableRate;
use emcc_policies::route::{Distribution, Party, PeerKind};
use jiff::tz::TimeZone;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

pub(crate) type Text = At<String>;

/// What follows when a reservation is lost during a call (V-11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MidCall {
    /// The call goes on without a reservation.
    BestEffort,
    /// The call ends when the retries are used up.
    Fail,
}

/// Where SRTP keys may pass to and from a peer of this cluster (S-3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SrtpKeys {
    /// On every transport.
    #[default]
    Any,
    /// On TLS alone.
    Tls,
}

/// An intercluster service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Service {
    Emcc,
    PstnAccess,
    RsvpAgent,
}

#[derive(Default)]
pub(crate) struct Document {
    pub(crate) cluster: Cluster,
    pub(crate) sip: Sip,
    pub(crate) admin_listen: Option<At<SocketAddr>>,
    pub(crate) admin_token_file: Option<At<PathBuf>>,
    pub(crate) profile: Profile,
    pub(crate) feature: Feature,
    pub(crate) emcc_trunk: Option<Trunk>,
    pub(crate) rsvp_trunk: Option<Trunk>,
    pub(crate) template_pool: Option<Text>,
    pub(crate) emergency: Emergency,
    pub(crate) rsvp: Rsvp,
    pub(crate) peers: Vec<Peer>,
    pub(crate) remote_clusters: Vec<RemoteCluster>,
    pub(crate) geolocations: Vec<Geolocation>,
    pub(crate) filters: Vec<Filter>,
    pub(crate) device_pools: Vec<DevicePool>,
    pub(crate) spaces: Vec<SearchSpace>,
    pub(crate) partitions: Vec<Partition>,
    pub(crate) schedules: Vec<Schedule>,
    pub(crate) patterns: Pieces<PatternRow>,
    pub(crate) transformations: Vec<TransformationRow>,
    pub(crate) route_lists: Vec<RouteList>,
    pub(crate) route_groups: Vec<RouteGroup>,
    pub(crate) codecs: Vec<Codec>,
    pub(crate) devices: Vec<Device>,
    pub(crate) users: Vec<User>,
    pub(crate) sessions: Vec<Session>,
}

/// Rows in the pieces they were read in: a million are never copied to lie together.
pub(crate) struct Pieces<T>(Vec<Vec<T>>);

/// Rows of a piece that grows.
const PIECE_ROWS: usize = 1_024;

impl<T> Default for Pieces<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Pieces<T> {
    pub(crate) fn len(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> + Clone {
        self.0.iter().flatten()
    }

    pub(super) fn append(&mut self, other: &mut Self) {
        self.0.append(&mut other.0);
    }
}

impl<T> Extend<T> for Pieces<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, rows: I) {
        for row in rows {
            match self.0.last_mut().filter(|piece| piece.len() < PIECE_ROWS) {
                Some(piece) => piece.push(row),
                None => {
                    // Who has more than one piece has many: no other grows by being copied.
                    let mut piece = Vec::with_capacity(if self.0.is_empty() { 1 } else { PIECE_ROWS });
                    piece.push(row);
                    self.0.push(piece);
                }
            }
        }
    }
}

impl<T> IntoIterator for Pieces<T> {
    type Item = T;
    type IntoIter = std::iter::Flatten<std::vec::IntoIter<Vec<T>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter().flatten()
    }
}

impl<'p, T> IntoIterator for &'p Pieces<T> {
    type Item = &'p T;
    type IntoIter = std::iter::Flatten<std::slice::Iter<'p, Vec<T>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter().flatten()
    }
}

#[derive(Default)]
pub(crate) struct Cluster {
    pub(crate) id: Option<Text>,
    pub(crate) version: Option<At<Version>>,
    pub(crate) security_mode: Option<At<ClusterMode>>,
    pub(crate) max_phones: Option<At<u32>>,
}

#[derive(Default)]
pub(crate) struct Sip {
    pub(crate) listen: Vec<At<Address>>,
    pub(crate) advertise: Option<At<(IpAddr, Option<u16>)>>,
    pub(crate) workers: Option<At<u32>>,
    pub(crate) no_response_s: Option<At<u32>>,
    pub(crate) ring_s: Option<At<u32>>,
    pub(crate) dns: Vec<At<SocketAddr>>,
    pub(crate) phones: Vec<At<(IpAddr, u8)>>,
    pub(crate) health_s: Option<At<u32>>,
    pub(crate) health_timeout_s: Option<At<u32>>,
    pub(crate) health_lost: Option<At<u32>>,
    pub(crate) drain_s: Option<At<u32>>,
    pub(crate) min_se_s: Option<At<u32>>,
    pub(crate) session_expires_s: Option<At<u32>>,
    pub(crate) tls: Option<Tls>,
}

/// PEM files, found from the folder of the file that names them.
pub(crate) struct Tls {
    pub(crate) certificate: Option<At<PathBuf>>,
    pub(crate) key: Option<At<PathBuf>>,
    pub(crate) trust: Option<At<PathBuf>>,
}

#[derive(Default)]
pub(crate) struct Profile {
    pub(crate) emcc: Option<At<bool>>,
    pub(crate) pstn_access: Option<At<bool>>,
    pub(crate) rsvp_agent: Option<At<bool>>,
}

#[derive(Default)]
pub(crate) struct Feature {
    pub(crate) pstn_access_css: Option<At<PstnAccessCss>>,
    pub(crate) geolocation_filter: Option<Text>,
    pub(crate) region_max_audio_kbps: Option<At<u32>>,
    pub(crate) region_max_video_kbps: Option<At<u32>>,
    pub(crate) region_link_loss: Option<At<LinkLoss>>,
    pub(crate) variable_rate_codecs: Option<At<VariableRate>>,
    pub(crate) advertise_g722_codec: Option<At<bool>>,
    pub(crate) opus_codec: Option<At<bool>>,
    pub(crate) default_geolocation: Option<Text>,
    pub(crate) rsvp_keepalive_s: Option<At<u32>>,
    pub(crate) login_tftp_servers: Vec<Text>,
    pub(crate) enable_services: Option<At<bool>>,
    pub(crate) stale_device_interval_min: Option<At<u32>>,
    pub(crate) remote_cluster_update_interval_min: Option<At<u32>>,
    pub(crate) remote_cluster_update_servers: Vec<Text>,
}

pub(crate) struct Trunk {
    pub(crate) place: Position,
    pub(crate) css: Option<Text>,
    pub(crate) device_pool: Option<Text>,
    /// Of the first trunk.
    pub(crate) transform_spaces: TransformSpaces,
}

#[derive(Default)]
pub(crate) struct Emergency {
    pub(crate) numbers: Vec<At<Digits>>,
    pub(crate) access_codes: Vec<At<Digits>>,
    pub(crate) last_resort: Vec<Text>,
    pub(crate) priority_kbps: Option<At<u32>>,
}

#[derive(Default)]
pub(crate) struct Rsvp {
    pub(crate) retry_s: Option<At<u32>>,
    pub(crate) mid_call: Option<At<MidCall>>,
    pub(crate) mid_call_retries: Option<At<i64>>,
}

impl Document {
    /// Adds the rows of another behind its own. What there is once is not looked at.
    pub(super) fn take_in(&mut self, other: Self) {
        let Self {
            cluster: _,
            sip: _,
            admin_listen: _,
            admin_token_file: _,
            profile: _,
            feature: _,
            emcc_trunk: _,
            rsvp_trunk: _,
            template_pool: _,
            emergency: _,
            rsvp: _,
            mut peers,
            mut remote_clusters,
            mut geolocations,
            mut filters,
            mut device_pools,
            mut spaces,
            mut partitions,
            mut schedules,
            mut patterns,
            mut transformations,
            mut route_lists,
            mut route_groups,
            mut codecs,
            mut devices,
            mut users,
            mut sessions,
        } = other;
        self.peers.append(&mut peers);
        self.remote_clusters.append(&mut remote_clusters);
        self.geolocations.append(&mut geolocations);
        self.filters.append(&mut filters);
        self.device_pools.append(&mut device_pools);
        self.spaces.append(&mut spaces);
        self.partitions.append(&mut partitions);
        self.schedules.append(&mut schedules);
        self.patterns.append(&mut patterns);
        self.transformations.append(&mut transformations);
        self.route_lists.append(&mut route_lists);
        self.route_groups.append(&mut route_groups);
        self.codecs.append(&mut codecs);
        self.devices.append(&mut devices);
        self.users.append(&mut users);
        self.sessions.append(&mut sessions);
    }

    /// Search spaces of transformation patterns, of the trunk and of every peer.
    pub(crate) fn transform_spaces(&self) -> impl Iterator<Item = &TransformSpaces> {
        let trunk = self.emcc_trunk.iter().map(|trunk| &trunk.transform_spaces);
        trunk.chain(self.peers.iter().map(|peer| &peer.transform_spaces))
    }

    /// Every address of a neighbour, peers first.
    pub(crate) fn places(&self) -> impl Iterator<Item = &At<Place>> {
        let peers = self.peers.iter().flat_map(|peer| &peer.addresses);
        peers.chain(self.remote_clusters.iter().flat_map(|cluster| cluster.trunk.iter().chain(&cluster.rsvp_trunk)))
    }
}

/// What is agreed with a neighbour of either kind.
#[derive(Default)]
pub(crate) struct Terms {
    /// One for all addresses, or one for each.
    pub(crate) priority: Vec<At<u32>>,
    /// One for all addresses, or one for each.
    pub(crate) weight: Vec<At<u32>>,
    pub(crate) methods: Option<Vec<Text>>,
    pub(crate) headers_removed: Vec<Text>,
    pub(crate) rate_per_s: Option<At<u32>>,
    pub(crate) strict_stream: Option<At<bool>>,
}

pub(crate) struct Peer {
    pub(crate) name: Text,
    pub(crate) kind: Option<At<PeerKind>>,
    pub(crate) addresses: Vec<At<Place>>,
    pub(crate) tls_name: Option<At<CertificateName>>,
    pub(crate) srtp_keys: Option<At<SrtpKeys>>,
    pub(crate) send_geolocation: Option<At<bool>>,
    pub(crate) overload_control: Option<At<bool>>,
    pub(crate) trust_identity: Option<At<bool>>,
    pub(crate) device_header: Option<At<DeviceHeader>>,
    pub(crate) transform_spaces: TransformSpaces,
    pub(crate) terms: Terms,
}

/// Search spaces of transformation patterns (D-24).
#[derive(Default)]
pub(crate) struct TransformSpaces {
    pub(crate) calling: Option<Text>,
    pub(crate) called: Option<Text>,
}

pub(crate) struct RemoteCluster {
    pub(crate) id: Text,
    pub(crate) terms: Terms,
    pub(crate) version: Option<At<Version>>,
    pub(crate) security_mode: Option<At<ClusterMode>>,
    pub(crate) fqdn: Option<Text>,
    pub(crate) trunk: Vec<At<Place>>,
    pub(crate) rsvp_trunk: Vec<At<Place>>,
    pub(crate) services: Option<Vec<At<Service>>>,
    pub(crate) rsvp_policy: Option<At<RsvpPolicy>>,
    pub(crate) pstn_access_rsvp_policy: Option<At<RsvpPolicy>>,
    pub(crate) link_audio_kbps: Option<At<u32>>,
    pub(crate) link_video_kbps: Option<At<u32>>,
    pub(crate) region_max_audio_kbps: Option<At<u32>>,
    pub(crate) region_max_video_kbps: Option<At<u32>>,
    pub(crate) region_link_loss: Option<At<LinkLoss>>,
    pub(crate) tls_name: Option<At<CertificateName>>,
    pub(crate) send_geolocation: Option<At<bool>>,
    pub(crate) overload_control: Option<At<bool>>,
    pub(crate) trust_identity: Option<At<bool>>,
    pub(crate) device_header: Option<At<DeviceHeader>>,
}

impl RemoteCluster {
    /// Whether our record of it has the service; one that lists none has all or nothing, as new clusters do (L-33).
    pub(crate) fn offers(&self, service: Service, feature: &Feature) -> bool {
        match &self.services {
            Some(services) => services.iter().any(|listed| listed.value == service),
            None => feature.enable_services.as_ref().is_some_and(|flag| flag.value),
        }
    }
}

pub(crate) struct Geolocation {
    pub(crate) name: Text,
    pub(crate) location: Civic,
}

pub(crate) struct Filter {
    pub(crate) name: Text,
    pub(crate) fields: Vec<At<Field>>,
}

pub(crate) struct DevicePool {
    pub(crate) name: Text,
    pub(crate) geolocation: Option<Text>,
    pub(crate) adjunct_css: Option<Text>,
    pub(crate) location: Option<Text>,
    /// Local route group and the route group it stands for.
    pub(crate) local_route_groups: Vec<(Text, Text)>,
}

pub(crate) struct SearchSpace {
    pub(crate) name: Text,
    pub(crate) partitions: Vec<Text>,
}

pub(crate) struct Partition {
    pub(crate) name: Text,
    pub(crate) schedule: Option<Text>,
}

/// When partitions can be reached.
pub(crate) struct Schedule {
    pub(crate) name: Text,
    pub(crate) zone: Option<At<TimeZone>>,
    pub(crate) periods: Vec<Period>,
}

pub(crate) struct Period {
    /// Monday is 0.
    pub(crate) days: Vec<At<u8>>,
    /// Minute of the day.
    pub(crate) from: At<u16>,
    /// Minute of the day, that of the next day where it does not come after `from`.
    pub(crate) to: At<u16>,
}

/// Which table a pattern was written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum PatternKind {
    Route,
    Translation,
    DirectoryNumber,
}

pub(crate) struct PatternRow {
    pub(crate) kind: PatternKind,
    pub(crate) pattern: At<Pattern>,
    pub(crate) partition: Option<Text>,
    pub(crate) block: bool,
    pub(crate) urgent: bool,
    pub(crate) emergency: bool,
    /// The route list, the translation's CSS or the directory number's peer, by `kind`.
    pub(crate) target: Option<Text>,
    pub(crate) originator_css: bool,
    pub(crate) intercom: bool,
    pub(crate) transform: RowTransform,
}

/// A transformation pattern (D-24, D-25).
pub(crate) struct TransformationRow {
    pub(crate) party: Party,
    pub(crate) pattern: At<Pattern>,
    pub(crate) partition: Option<Text>,
    /// Its parts for the called number work on whichever number it is for.
    pub(crate) transform: RowTransform,
}

pub(crate) struct RouteList {
    pub(crate) name: Text,
    pub(crate) members: Vec<Text>,
    /// Transforms of one member, by the member's name.
    pub(crate) transforms: Vec<(Text, Transform)>,
}

pub(crate) struct RouteGroup {
    pub(crate) name: Text,
    pub(crate) peers: Vec<Text>,
    pub(crate) distribution: Option<At<Distribution>>,
}

pub(crate) struct Codec {
    pub(crate) name: Text,
    pub(crate) check_kbps: Option<At<u32>>,
}

pub(crate) struct Device {
    pub(crate) name: Text,
    pub(crate) css: Option<Text>,
    pub(crate) device_pool: Option<Text>,
    pub(crate) security_mode: Option<At<Security>>,
    pub(crate) directory_numbers: Vec<Text>,
    pub(crate) geolocation: Option<Text>,
    pub(crate) location: Option<Text>,
}

pub(crate) struct User {
    pub(crate) id: Text,
    pub(crate) directory_number: Option<Text>,
    pub(crate) line_css: Option<Text>,
    pub(crate) emcc_css: Option<Text>,
    pub(crate) emcc_enabled: bool,
}

pub(crate) struct Session {
    pub(crate) user: Option<Text>,
    pub(crate) device: Text,
    pub(crate) visiting_cluster: Option<Text>,
    pub(crate) home_cluster: Option<Text>,
    /// Of the phone, as the visiting cluster sent it (L-7).
    pub(crate) security_mode: Option<At<Security>>,
    /// As the visiting cluster sent it.
    pub(crate) geolocation: Option<Civic>,
}
