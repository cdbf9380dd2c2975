//! The tree of one file into the document, table by table. Every key of every table is named here, those of
//! geolocations in `civic`, and nowhere else.

use super::address::{address, advertised, dns_server, place, socket_address};
use super::bulk::{BulkFile, BulkKind};
use super::civic::{read_filter, read_geolocation, read_location};
use super::document::{
    Cluster, Codec, Device, DevicePool, Document, Emergency, Feature, Partition, PatternKind, PatternRow, Peer, Period,
    Pieces, Profile, RemoteCluster, RouteGroup, RouteList, Rsvp, Schedule, SearchSpace, Session, Sip, SrtpKeys, Terms,
    Text, Tls, TransformSpaces, TransformationRow, Trunk, User,
};
use super::plan::schedule::DAY_MIN;
use super::report::{At, Place, Report};
use super::section::{Section, TRUNKS};
use super::slips::{row, rows, watched};
use super::words;
use emcc_policies::digits::{Digits, RowTransform, Transform};
use std::collections::HashMap;
use std::path::PathBuf;

/// Most kilobits per second a link may be given.
const LINK_KBPS_MAX: u32 = 100_000_000;

/// What to do where one of the two EMCC trunks is written a second time.
pub(super) const TRUNK_TWICE: &str =
    "Keep one; the other trunk, that of the RSVP agent service, is written as [emcc_rsvp_trunk].";

/// Tables of which a file may have very many rows.
pub(super) const BULKY: [&str; 8] = [
    "route_pattern",
    "translation_pattern",
    "directory_number",
    "transformation_pattern",
    "device",
    "user",
    "emcc_session",
    "device_pool",
];

/// A table that a row of a CSV file can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bulk {
    Device,
    User,
    Session,
    DevicePool,
    RoutePattern,
    TranslationPattern,
    DirectoryNumber,
    TransformationPattern,
}

impl Bulk {
    /// The kinds of patterns, as a file of patterns names them.
    pub(super) const PATTERNS: [(&'static str, Self); 3] = [
        ("route", Self::RoutePattern),
        ("translation", Self::TranslationPattern),
        ("directory-number", Self::DirectoryNumber),
    ];

    /// What the table is called in TOML.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::User => "user",
            Self::Session => "emcc_session",
            Self::DevicePool => "device_pool",
            Self::RoutePattern => "route_pattern",
            Self::TranslationPattern => "translation_pattern",
            Self::DirectoryNumber => "directory_number",
            Self::TransformationPattern => "transformation_pattern",
        }
    }
}

/// Gathers the tables of all files. A table that exists once may be written in any of them.
#[derive(Default)]
pub(super) struct Reader {
    document: Document,
    /// Patterns of the file that is read: by kind they come into the document, however many pieces it is read in.
    of_file: [Pieces<PatternRow>; 3],
    /// Where each table that exists once was first written.
    single: HashMap<&'static str, Place>,
    trunks: usize,
}

impl Reader {
    /// Reads one file; gives back what it includes, and the CSV files it names.
    pub(super) fn read(&mut self, root: Section<'_, '_>, report: &Report) -> (Vec<Text>, Vec<BulkFile>) {
        let read = self.read_piece(root, report);
        self.end_file();
        read
    }

    fn end_file(&mut self) {
        self.of_file.iter_mut().for_each(|rows| self.document.patterns.append(rows));
    }

    /// As [`Self::read`], of a file that goes on.
    pub(super) fn read_piece(&mut self, mut root: Section<'_, '_>, report: &Report) -> (Vec<Text>, Vec<BulkFile>) {
        let includes = root.parsed_list("include", words::line).unwrap_or_default();
        self.tables_of_the_node(&mut root, report);
        self.tables_without_effect(&mut root, report);
        let bulk = self.read_csv(&mut root, report);
        self.read_trunks(&mut root, report);
        let document = &mut self.document;
        document.peers.extend(rows(&mut root, "peer", report, read_peer));
        document.remote_clusters.extend(rows(&mut root, "remote_cluster", report, read_remote_cluster));
        document.geolocations.extend(rows(&mut root, "geolocation", report, read_geolocation));
        document.filters.extend(rows(&mut root, "geolocation_filter", report, read_filter));
        document.device_pools.extend(rows(&mut root, "device_pool", report, read_device_pool));
        document.spaces.extend(rows(&mut root, "css", report, read_css));
        document.partitions.extend(rows(&mut root, "partition", report, read_partition));
        document.schedules.extend(rows(&mut root, "schedule", report, |s| read_schedule(s, report)));
        for ((key, kind), of_kind) in [
            ("route_pattern", PatternKind::Route),
            ("translation_pattern", PatternKind::Translation),
            ("directory_number", PatternKind::DirectoryNumber),
        ]
        .into_iter()
        .zip(&mut self.of_file)
        {
            of_kind.extend(rows(&mut root, key, report, |section| read_pattern(section, kind, report)));
        }
        document.transformations.extend(rows(&mut root, "transformation_pattern", report, read_transformation));
        document.route_lists.extend(rows(&mut root, "route_list", report, read_route_list));
        document.route_groups.extend(rows(&mut root, "route_group", report, read_route_group));
        document.codecs.extend(rows(&mut root, "codec", report, read_codec));
        document.devices.extend(rows(&mut root, "device", report, read_device));
        document.users.extend(rows(&mut root, "user", report, read_user));
        document.sessions.extend(rows(&mut root, "emcc_session", report, |s| read_session(s, report)));
        root.finish();
        (includes, bulk)
    }

    /// As [`Self::read`], and keeps none of it but that tables which exist once were there.
    pub(super) fn read_beside(&mut self, root: Section<'_, '_>, report: &Report) -> (Vec<Text>, Vec<BulkFile>) {
        let mut beside = Self { single: std::mem::take(&mut self.single), trunks: self.trunks, ..Self::default() };
        let read = beside.read(root, report);
        (self.single, self.trunks) = (beside.single, beside.trunks);
        read
    }

    /// Whether nothing was read but rows: tables that exist once depend on what was read before.
    pub(super) fn is_of_rows(&self) -> bool {
        self.single.is_empty() && self.trunks == 0
    }

    /// As [`Self::read`], of a file of which the rows of a reader that has [nothing else](Self::is_of_rows) come after.
    pub(super) fn read_before(
        &mut self,
        root: Section<'_, '_>,
        mut rows: Self,
        report: &Report,
    ) -> (Vec<Text>, Vec<BulkFile>) {
        let read = self.read_piece(root, report);
        self.document.take_in(rows.document);
        self.of_file.iter_mut().zip(&mut rows.of_file).for_each(|(first, others)| first.append(others));
        self.end_file();
        read
    }

    /// Adds the rows of a reader that has [nothing else](Self::is_of_rows).
    pub(super) fn take_in(&mut self, rows: Self) {
        self.document.take_in(rows.document);
    }

    /// Reads one row of a CSV file.
    pub(super) fn row(&mut self, kind: Bulk, section: Section<'_, '_>, report: &Report) {
        let document = &mut self.document;
        let key = kind.key();
        match kind {
            Bulk::Device => document.devices.extend(row(section, key, report, read_device)),
            Bulk::User => document.users.extend(row(section, key, report, read_user)),
            Bulk::Session => document.sessions.extend(row(section, key, report, |s| read_session(s, report))),
            Bulk::DevicePool => document.device_pools.extend(row(section, key, report, read_device_pool)),
            Bulk::TransformationPattern => {
                document.transformations.extend(row(section, key, report, read_transformation));
            }
            Bulk::RoutePattern | Bulk::TranslationPattern | Bulk::DirectoryNumber => {
                let kind = match kind {
                    Bulk::TranslationPattern => PatternKind::Translation,
                    Bulk::DirectoryNumber => PatternKind::DirectoryNumber,
                    _ => PatternKind::Route,
                };
                document.patterns.extend(row(section, key, report, |s| read_pattern(s, kind, report)));
            }
        }
    }

    /// The CSV files of `[csv]`, found from the folder of the file that names them.
    fn read_csv(&mut self, root: &mut Section<'_, '_>, report: &Report) -> Vec<BulkFile> {
        let Some(mut csv) = self.single(root, "csv", report) else { return Vec::new() };
        let (mut files, before) = (Vec::new(), report.errors());
        for (key, kind) in BulkKind::ALL {
            let path = csv.parsed(key, words::line);
            files.extend(path.map(|At { value, place }| BulkFile {
                kind,
                path: At { value: report.folder(&place).join(value), place },
            }));
        }
        csv.finish();
        if report.errors() > before {
            report.slip("csv", true);
        }
        files
    }

    /// The document, once every file is read. `whole`: nothing was skipped, so what is missing is missing.
    pub(super) fn into_document(self, report: &Report, whole: bool) -> Document {
        if whole {
            for (table, fix) in [
                ("cluster", "Write [cluster] with the id of this cluster: id = \"HQ\"."),
                ("sip", "Write [sip] with a listening address: listen = [\"udp:127.0.0.1:5060\"]."),
            ] {
                let is_there =
                    self.single.contains_key(table) || report.slipped().iter().any(|slip| slip.table == table);
                if !is_there {
                    report.error(&Place::new(0, 0, table), format!("the table [{table}] is missing"), fix);
                }
            }
        }
        self.document
    }

    /// A table that exists once; a second one, in this file or another, is an error at the second.
    fn single<'a, 'i>(
        &mut self,
        root: &mut Section<'a, 'i>,
        key: &'static str,
        report: &Report,
    ) -> Option<Section<'a, 'i>> {
        let section = watched(key, report, true, || root.table(key))?;
        if let Some(first) = self.single.get(key) {
            let (file, line, _) = report.locate(first);
            let message = format!("[{key}] is written a second time; the first is at {file}:{line}");
            report.error(&section.place, message, "Put all its keys into one of the two.");
            report.slip(key, true);
            return None;
        }
        self.single.insert(key, section.place.clone());
        Some(section)
    }

    fn tables_of_the_node(&mut self, root: &mut Section<'_, '_>, report: &Report) {
        if let Some(section) = self.single(root, "cluster", report) {
            self.document.cluster = watched("cluster", report, false, || read_cluster(section));
        }
        if let Some(section) = self.single(root, "sip", report) {
            self.document.sip = watched("sip", report, false, || read_sip(section));
        }
        if let Some(section) = self.single(root, "admin", report) {
            (self.document.admin_listen, self.document.admin_token_file) = read_admin(section);
        }
        if let Some(section) = self.single(root, "intercluster_service_profile", report) {
            self.document.profile = watched("intercluster_service_profile", report, false, || read_profile(section));
        }
        if let Some(section) = self.single(root, "feature", report) {
            self.document.feature = watched("feature", report, false, || read_feature(section));
        }
        if let Some(mut section) = self.single(root, "emcc_template", report) {
            self.document.template_pool = watched("emcc_template", report, false, || {
                section.require("device_pool", "Name the device pool of visiting phones that match no other (G-8).");
                section.parsed("description", words::line);
                let pool = section.parsed("device_pool", words::name);
                section.finish();
                pool
            });
        }
        if let Some(section) = self.single(root, "emergency", report) {
            self.document.emergency = watched("emergency", report, false, || read_emergency(section));
        }
        if let Some(section) = self.single(root, "rsvp", report) {
            self.document.rsvp = read_rsvp(section);
        }
    }

    fn tables_without_effect(&mut self, root: &mut Section<'_, '_>, report: &Report) {
        if let Some(mut media) = self.single(root, "media", report) {
            media.parsed("ports", words::ports);
            media.parsed_list("addresses", words::ip_address);
            media.number("learn_ms", 0..=60_000);
            media.word("over_rate", &[("drop", ()), ("count", ())]);
            media.number("silence_s", 0..=86_400);
            media.word("on_silence", &[("report", ()), ("end", ())]);
            media.finish();
        }
        if let Some(mut store) = self.single(root, "store", report) {
            store.parsed("path", words::line);
            store.parsed("redis", words::line);
            store.finish();
        }
    }

    /// At most two EMCC trunks, one table each.
    fn read_trunks(&mut self, root: &mut Section<'_, '_>, report: &Report) {
        for key in TRUNKS {
            let before = report.errors();
            let sections: Vec<_> =
                if root.is_array(key) { root.tables(key).collect() } else { root.table(key).into_iter().collect() };
            for mut section in sections {
                let trunk = Trunk {
                    css: section.parsed("css", words::name),
                    device_pool: section.parsed("device_pool", words::name),
                    transform_spaces: match key {
                        "emcc_trunk" => read_transform_spaces(&mut section),
                        _ => TransformSpaces::default(),
                    },
                    place: section.place.clone(),
                };
                section.finish();
                self.trunks += 1;
                let slot =
                    if key == "emcc_trunk" { &mut self.document.emcc_trunk } else { &mut self.document.rsvp_trunk };
                if self.trunks > 2 {
                    let fix =
                        "Remove it; a cluster has at most two EMCC trunks, [emcc_trunk] and [emcc_rsvp_trunk] (R-8).";
                    report.error(&trunk.place, "a third EMCC trunk: a cluster has at most two (R-8)", fix);
                } else if slot.is_some() {
                    let message =
                        format!("a second [{key}]: a cluster has at most two EMCC trunks, one of each name (R-8)");
                    report.error(&trunk.place, message, TRUNK_TWICE);
                }
                slot.get_or_insert(trunk);
            }
            if report.errors() > before {
                report.slip(key, true);
            }
        }
    }
}

fn read_cluster(mut section: Section<'_, '_>) -> Cluster {
    section.require("id", "Write the cluster ID that the other clusters know this one by, as in id = \"HQ\" (R-5).");
    let cluster = Cluster {
        id: section.parsed("id", words::token),
        version: section.parsed("version", words::version),
        security_mode: section.word("security_mode", words::CLUSTER_MODES),
        max_phones: section.number("max_phones", 1..=60_000),
    };
    section.finish();
    cluster
}

fn read_sip(mut section: Section<'_, '_>) -> Sip {
    section.require("listen", "Write the addresses to listen on, as in listen = [\"udp:127.0.0.1:5060\"].");
    let sip = Sip {
        listen: section.filled_list("listen", address, "Write an address to listen on, as in \"udp:127.0.0.1:5060\"."),
        advertise: section.parsed("advertise", advertised),
        workers: section.number("workers", 1..=words::WORKERS_MAX),
        no_response_s: section.number("no_response_s", 1..=32),
        ring_s: section.number("ring_s", 1..=3_600),
        dns: section.parsed_list("dns", dns_server).unwrap_or_default(),
        phones: section.parsed_list("phones", words::network).unwrap_or_default(),
        health_s: section.number("health_s", 0..=3_600),
        health_timeout_s: section.number("health_timeout_s", 1..=32),
        health_lost: section.number("health_lost", 1..=10),
        drain_s: section.number("drain_s", 0..=86_400),
        min_se_s: section.number("min_se_s", 1..=86_400),
        session_expires_s: section.number("session_expires_s", 0..=86_400),
        tls: section.table("tls").map(read_tls),
    };
    section.finish();
    sip
}

fn read_tls(mut section: Section<'_, '_>) -> Tls {
    section.require("certificate", "Name the PEM file with this node's certificate and those between it and a root.");
    section.require("key", "Name the PEM file with the certificate's private key.");
    section.require("trust", "Name the PEM file with the root certificates that neighbours' certificates come from.");
    let tls = Tls { certificate: section.file("certificate"), key: section.file("key"), trust: section.file("trust") };
    section.finish();
    tls
}

fn read_admin(mut section: Section<'_, '_>) -> (Option<At<std::net::SocketAddr>>, Option<At<PathBuf>>) {
    let listen = section.parsed("listen", socket_address);
    let token_file = section.file("token_file");
    if let Some(mut tls) = section.table("tls") {
        for key in ["certificate", "key", "trust"] {
            tls.parsed(key, words::line);
        }
        tls.finish();
    }
    section.finish();
    (listen, token_file)
}

fn read_profile(mut section: Section<'_, '_>) -> Profile {
    let profile = Profile {
        emcc: section.flag("emcc"),
        pstn_access: section.flag("pstn_access"),
        rsvp_agent: section.flag("rsvp_agent"),
    };
    section.finish();
    profile
}

/// Ranges of seed table 2 (domain 1.2).
fn read_feature(mut section: Section<'_, '_>) -> Feature {
    let feature = Feature {
        pstn_access_css: section.word("pstn_access_css", words::PSTN_ACCESS_CSS),
        geolocation_filter: section.parsed("geolocation_filter", words::name),
        region_max_audio_kbps: section.number("region_max_audio_kbps", 6..=510),
        region_max_video_kbps: section.number("region_max_video_kbps", 0..=8_128),
        region_link_loss: section.word("region_link_loss", words::LOSSES),
        variable_rate_codecs: section.word("variable_rate_codecs", words::VARIABLES),
        advertise_g722_codec: section.flag("advertise_g722_codec"),
        opus_codec: section.flag("opus_codec"),
        default_geolocation: section.parsed("default_geolocation", words::name),
        rsvp_keepalive_s: section.number("rsvp_keepalive_s", 1..=600),
        login_tftp_servers: section.parsed_list("login_tftp_servers", words::server).unwrap_or_default(),
        enable_services: section.flag("enable_services_on_new_remote_cluster"),
        stale_device_interval_min: section.number("stale_device_interval_min", 10..=1_440),
        remote_cluster_update_interval_min: section.number("remote_cluster_update_interval_min", 15..=10_080),
        remote_cluster_update_servers: section
            .parsed_list("remote_cluster_update_servers", words::server)
            .unwrap_or_default(),
    };
    section.finish();
    feature
}

fn read_emergency(mut section: Section<'_, '_>) -> Emergency {
    let emergency = Emergency {
        numbers: section.parsed_list("numbers", words::digits).unwrap_or_default(),
        access_codes: section.parsed_list("access_codes", words::digits).unwrap_or_default(),
        last_resort: section.parsed_list("last_resort", words::name).unwrap_or_default(),
        priority_kbps: section.number("priority_kbps", 0..=LINK_KBPS_MAX),
    };
    section.finish();
    emergency
}

fn read_rsvp(mut section: Section<'_, '_>) -> Rsvp {
    let rsvp = Rsvp {
        retry_s: section.number("retry_s", 0..=86_400),
        mid_call: section.word("mid_call", words::MID_CALLS),
        mid_call_retries: section.integer("mid_call_retries", -1..=1_000),
    };
    for key in ["dscp_audio", "dscp_video", "dscp_failed"] {
        section.number(key, 0..=63);
    }
    section.finish();
    rsvp
}

/// Keys that a peer and a remote cluster share.
fn read_terms(section: &mut Section<'_, '_>) -> Terms {
    section.parsed("description", words::line);
    Terms {
        priority: section.numbers("priority", 0..=65_535),
        weight: section.numbers("weight", 0..=65_535),
        methods: section.parsed_list("methods", words::method),
        headers_removed: section.parsed_list("headers_removed", words::removable_header).unwrap_or_default(),
        rate_per_s: section.number("rate_per_s", 1..=1_000_000),
        strict_stream: section.flag("strict_stream"),
    }
}

fn read_peer(mut section: Section<'_, '_>) -> Option<Peer> {
    section.require("name", "Give the peer a name, as in name = \"gw-1\".");
    section.require("kind", "Write kind = \"gateway\" or kind = \"call-control\".");
    section.require("addresses", "Write its addresses, as in addresses = [\"udp:127.0.0.1:5060\"].");
    let name = section.parsed("name", words::name);
    let kind = section.word("kind", words::PEER_KINDS);
    let addresses = section.filled_list("addresses", place, "Write its address, as in \"udp:127.0.0.1:5060\".");
    let tls_name = section.parsed("tls_name", words::certificate_name);
    let srtp_keys = section.word("srtp_keys", &[("any", SrtpKeys::Any), ("tls", SrtpKeys::Tls)]);
    let send_geolocation = section.flag("send_geolocation");
    let overload_control = section.flag("overload_control");
    let trust_identity = section.flag("trust_identity");
    let device_header = section.parsed("device_header", words::device_header);
    let transform_spaces = read_transform_spaces(&mut section);
    let terms = read_terms(&mut section);
    section.finish();
    Some(Peer {
        name: name?,
        kind,
        addresses,
        tls_name,
        srtp_keys,
        send_geolocation,
        trust_identity,
        overload_control,
        device_header,
        transform_spaces,
        terms,
    })
}

fn read_remote_cluster(mut section: Section<'_, '_>) -> Option<RemoteCluster> {
    section.require("id", "Write the cluster ID of the other cluster, as in id = \"BR\" (R-5).");
    section.require("trunk", "Write the addresses of its EMCC trunk, as in trunk = [\"udp:127.0.2.1:5060\"].");
    let id = section.parsed("id", words::token);
    let mut cluster = RemoteCluster {
        version: section.parsed("version", words::version),
        security_mode: section.word("security_mode", words::CLUSTER_MODES),
        fqdn: section.parsed("fqdn", words::name),
        trunk: section.filled_list("trunk", place, "Write its address, as in \"udp:127.0.2.1:5060\"."),
        rsvp_trunk: section.parsed_list("rsvp_trunk", place).unwrap_or_default(),
        services: section.words("services", words::SERVICES),
        rsvp_policy: section.word("rsvp_policy", words::RSVP_POLICIES),
        pstn_access_rsvp_policy: section.word("pstn_access_rsvp_policy", words::RSVP_POLICIES),
        link_audio_kbps: section.number("link_audio_kbps", 0..=LINK_KBPS_MAX),
        link_video_kbps: section.number("link_video_kbps", 0..=LINK_KBPS_MAX),
        region_max_audio_kbps: section.number("region_max_audio_kbps", 6..=510),
        region_max_video_kbps: section.number("region_max_video_kbps", 0..=8_128),
        region_link_loss: section.word("region_link_loss", words::LOSSES),
        tls_name: section.parsed("tls_name", words::certificate_name),
        send_geolocation: section.flag("send_geolocation"),
        overload_control: section.flag("overload_control"),
        trust_identity: section.flag("trust_identity"),
        device_header: section.parsed("device_header", words::device_header),
        terms: read_terms(&mut section),
        id: At { value: String::new(), place: section.place.clone() },
    };
    section.word("media", &[("relay", ()), ("direct", ())]);
    section.finish();
    cluster.id = id?;
    Some(cluster)
}

fn read_device_pool(mut section: Section<'_, '_>) -> Option<DevicePool> {
    section.require("name", "Give the device pool a name, as in name = \"DP-London\".");
    let name = section.parsed("name", words::name);
    let geolocation = section.parsed("geolocation", words::name);
    let adjunct_css = section.parsed("adjunct_css", words::name);
    let local_route_groups =
        section.table("local_route_groups").map(|mut groups| groups.named_texts()).unwrap_or_default();
    let location = section.parsed("location", words::name);
    section.parsed("description", words::line);
    section.finish();
    Some(DevicePool { name: name?, geolocation, adjunct_css, location, local_route_groups })
}

fn read_css(mut section: Section<'_, '_>) -> Option<SearchSpace> {
    section.require("name", "Give the calling search space a name, as in name = \"CSS-Phone\".");
    section.require("partitions", "List its partitions, nearest first; partitions = [] for none.");
    let name = section.parsed("name", words::name);
    let partitions = section.parsed_list("partitions", words::name).unwrap_or_default();
    section.parsed("description", words::line);
    section.finish();
    Some(SearchSpace { name: name?, partitions })
}

fn read_partition(mut section: Section<'_, '_>) -> Option<Partition> {
    section.require("name", "Name the partition, as patterns do in their key partition.");
    let name = section.parsed("name", words::name);
    let schedule = section.parsed("schedule", words::name);
    section.parsed("description", words::line);
    section.finish();
    Some(Partition { name: name?, schedule })
}

fn read_schedule(mut section: Section<'_, '_>, report: &Report) -> Option<Schedule> {
    section.require("name", "Give the schedule a name, as in name = \"office-hours\".");
    section.require("periods", "Write periods = [{days = [\"mon\"], from = \"08:00\", to = \"17:00\"}].");
    let name = section.parsed("name", words::name);
    let zone = section.parsed("zone", words::zone);
    let written: Vec<_> = section.tables("periods").collect();
    if written.is_empty()
        && let Some(place) = section.place_of_key("periods").filter(|_| section.is_array("periods"))
    {
        let fix =
            "Write at least one period, or remove the schedule from the partition: without one it is always open.";
        report.error(&place, "a schedule without periods is never open", fix);
    }
    let periods = written.into_iter().filter_map(|period| read_period(period, report)).collect();
    section.parsed("description", words::line);
    section.finish();
    Some(Schedule { name: name?, zone, periods })
}

fn read_period(mut section: Section<'_, '_>, report: &Report) -> Option<Period> {
    for key in ["days", "from", "to"] {
        section.require(key, "Write {days = [\"mon\"], from = \"08:00\", to = \"17:00\"}.");
    }
    let days = section.words("days", words::DAYS);
    let (from, to) = (section.parsed("from", words::time_of_day), section.parsed("to", words::time_of_day));
    if let Some(place) = section.place_of_key("days").filter(|_| days.as_ref().is_some_and(Vec::is_empty)) {
        // A day misspelt has been told already.
        if section.is_empty_array("days") {
            report.error(&place, "a period has no days", "Write its days, as in days = [\"mon\", \"tue\"].");
        }
    }
    section.finish();
    let period = Period { days: days?, from: from?, to: to? };
    if period.from.value == period.to.value {
        let fix = "Write from = \"00:00\", to = \"24:00\" for whole days; a period that ends before it begins goes on \
                   into the next day.";
        report.error(&period.to.place, "a period ends when it begins", fix);
    } else if period.from.value == DAY_MIN {
        report.error(
            &period.from.place,
            "a period begins when the day is over",
            "Write from = \"00:00\" of the next day.",
        );
    }
    Some(period)
}

fn read_transform(section: &mut Section<'_, '_>) -> Transform {
    let discard = section.parsed("discard_digits", words::discard).and_then(|at| at.value);
    let mask = |section: &mut Section<'_, '_>, key| section.parsed(key, words::mask).map(|at| at.value);
    Transform {
        discard,
        called_mask: mask(section, "called_mask"),
        prefix: read_prefix(section, "prefix_digits"),
        calling_mask: mask(section, "calling_mask"),
        calling_prefix: read_prefix(section, "calling_prefix"),
    }
}

fn read_prefix(section: &mut Section<'_, '_>, key: &'static str) -> Digits {
    section.doubted(key, words::digits, words::plus_in_prefix).map_or(Digits::EMPTY, |at| at.value)
}

/// Reports a pattern's keys that exclude each other, at the second of the two.
fn exclude(section: &Section<'_, '_>, report: &Report, first: &'static str, second: &'static str) {
    if let Some(place) = section.place_of_key(second).filter(|_| section.place_of_key(first).is_some()) {
        let message = format!("{first} and {second} exclude each other");
        report.error(&place, message, format!("Keep {first} or {second}, not both."));
    }
}

fn read_pattern(mut section: Section<'_, '_>, kind: PatternKind, report: &Report) -> Option<PatternRow> {
    section.require("pattern", "Write the pattern, as in pattern = \"9.911\".");
    let pattern = section.parsed("pattern", words::pattern);
    let partition = section.parsed("partition", words::name);
    section.parsed("description", words::line);
    let flag = |section: &mut Section<'_, '_>, key| section.flag(key).is_some_and(|flag| flag.value);
    let (mut block, mut emergency, mut originator_css, mut intercom) = (false, false, false, false);
    let mut transform = RowTransform::default();
    let urgent = flag(&mut section, "urgent");
    if kind != PatternKind::DirectoryNumber {
        block = flag(&mut section, "block");
        emergency = flag(&mut section, "emergency");
        transform = read_transform(&mut section).into();
    }
    // What is neither true nor false says so alone.
    let is_told = section.is_no_flag("block") || section.is_no_flag("originator_css");
    let target = match kind {
        PatternKind::Route => {
            let target = section.parsed("route_list", words::name);
            if block {
                exclude(&section, report, "block", "route_list");
            } else if !is_told {
                section.require("route_list", "Name the route list calls take, or write block = true.");
            }
            target
        }
        PatternKind::Translation => {
            let target = section.parsed("css", words::name);
            originator_css = flag(&mut section, "originator_css");
            if originator_css {
                exclude(&section, report, "css", "originator_css");
            } else if !block && !is_told {
                section
                    .require("css", "Name the CSS the new digits are looked up with, or write originator_css = true.");
            }
            target
        }
        PatternKind::DirectoryNumber => {
            section.require("peer", "Name the call-control peer that has the number.");
            intercom = flag(&mut section, "intercom");
            section.parsed("peer", words::name)
        }
    };
    section.finish();
    let pattern = pattern?;
    Some(PatternRow { kind, pattern, partition, block, urgent, emergency, target, originator_css, intercom, transform })
}

fn read_transform_spaces(section: &mut Section<'_, '_>) -> TransformSpaces {
    TransformSpaces {
        calling: section.parsed("calling_transform_css", words::name),
        called: section.parsed("called_transform_css", words::name),
    }
}

fn read_transformation(mut section: Section<'_, '_>) -> Option<TransformationRow> {
    section.require("kind", "Write kind = \"calling\" or kind = \"called\": the number it is for.");
    section.require("pattern", "Write the pattern, as in pattern = \"5XXX\".");
    let party = section.word("kind", words::PARTIES);
    let pattern = section.parsed("pattern", words::pattern);
    let partition = section.parsed("partition", words::name);
    let transform = Transform {
        discard: section.parsed("discard_digits", words::discard).and_then(|at| at.value),
        called_mask: section.parsed("mask", words::mask).map(|at| at.value),
        prefix: read_prefix(&mut section, "prefix_digits"),
        ..Transform::NONE
    };
    section.parsed("description", words::line);
    section.finish();
    Some(TransformationRow { party: party?.value, pattern: pattern?, partition, transform: transform.into() })
}

fn read_route_list(mut section: Section<'_, '_>) -> Option<RouteList> {
    section.require("name", "Give the route list a name, as in name = \"RL-Local\".");
    section.require("members", "List its route groups in the order they are tried, as in members = [\"RG-1\"].");
    let name = section.parsed("name", words::name);
    let members = section.parsed_list("members", words::name).unwrap_or_default();
    let mut transforms = Vec::new();
    for (member, mut below) in section.table("transform").map(|mut t| t.named_tables()).unwrap_or_default() {
        transforms.push((member, read_transform(&mut below)));
        below.finish();
    }
    section.parsed("description", words::line);
    section.finish();
    Some(RouteList { name: name?, members, transforms })
}

fn read_route_group(mut section: Section<'_, '_>) -> Option<RouteGroup> {
    section.require("name", "Give the route group a name, as in name = \"RG-London\".");
    section.require("peers", "List its gateways in the order they are tried, as in peers = [\"gw-1\"].");
    let name = section.parsed("name", words::name);
    let peers = section.parsed_list("peers", words::name).unwrap_or_default();
    let distribution = section.word("distribution", words::DISTRIBUTIONS);
    section.parsed("description", words::line);
    section.finish();
    Some(RouteGroup { name: name?, peers, distribution })
}

fn read_codec(mut section: Section<'_, '_>) -> Option<Codec> {
    section.require("name", "Write the codec's SDP encoding name, as in name = \"PCMU\".");
    section.require("check_kbps", "Write the rate compared with the cap, as in check_kbps = 64.");
    let name = section.parsed("name", words::codec_name);
    let check_kbps = section.number("check_kbps", 1..=10_000);
    section.parsed("description", words::line);
    section.finish();
    Some(Codec { name: name?, check_kbps })
}

fn read_device(mut section: Section<'_, '_>) -> Option<Device> {
    section.require("name", "Write the device name, as in name = \"SEP001122334455\".");
    section.require("device_pool", "Name the device's device pool: it decides which local route group calls take.");
    let name = section.parsed("name", words::token);
    let css = section.parsed("css", words::name);
    let device_pool = section.parsed("device_pool", words::name);
    let security_mode = section.word("security_mode", words::PHONE_MODES);
    let directory_numbers = section.parsed_list("directory_numbers", words::number).unwrap_or_default();
    let geolocation = section.parsed("geolocation", words::name);
    let location = section.parsed("location", words::name);
    section.parsed("description", words::line);
    section.finish();
    Some(Device { name: name?, css, device_pool, security_mode, directory_numbers, geolocation, location })
}

fn read_user(mut section: Section<'_, '_>) -> Option<User> {
    section.require("id", "Write the user id, as in id = \"alice\".");
    let id = section.parsed("id", words::user_id);
    let directory_number = section.parsed("directory_number", words::number);
    let line_css = section.parsed("line_css", words::name);
    let emcc_css = section.parsed("emcc_css", words::name);
    let emcc_enabled = section.flag("emcc_enabled").is_some_and(|flag| flag.value);
    section.text("pin_hash");
    section.parsed_list("profiles", words::name);
    section.parsed("description", words::line);
    section.finish();
    Some(User { id: id?, directory_number, line_css, emcc_css, emcc_enabled })
}

fn read_session(mut section: Section<'_, '_>, report: &Report) -> Option<Session> {
    section.require("user", "Write who is logged in, as in user = \"alice\".");
    section.require("device", "Write the phone's device name, as in device = \"SEP001122334455\".");
    let user = section.parsed("user", words::user_id);
    let device = section.parsed("device", words::token);
    let visiting_cluster = section.parsed("visiting_cluster", words::token);
    let home_cluster = section.parsed("home_cluster", words::token);
    if section.place_of_key("home_cluster").is_some() {
        exclude(&section, report, "home_cluster", "visiting_cluster");
    } else {
        section
            .require("visiting_cluster", "Write visiting_cluster for a user of ours abroad, home_cluster for a guest.");
    }
    let security_mode = section.word("security_mode", words::PHONE_MODES);
    let geolocation = section.table("geolocation").map(|mut below| {
        let location = read_location(&mut below);
        below.finish();
        location
    });
    section.finish();
    Some(Session { user, device: device?, visiting_cluster, home_cluster, security_mode, geolocation })
}
