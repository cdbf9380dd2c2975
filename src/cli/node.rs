//! A whole node: the engine on a plan, the rim that drives it, and the page that shows it.

use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;

use emcc_policies::admission::{Direction, Pool};
use thiserror::Error;
use tokio::sync::Notify;

use crate::admin::{Admin, AdminError, NeighbourAddress, Readiness, Status, View};
use crate::certificates::{self, Certificates, Material};
use crate::config::plan::{Parameter, Plan};
use crate::engine::running::Local;
use crate::engine::watch::Seen;
use crate::engine::{Bounds, Engine};
use crate::io::resolve::{self, Resolver};
use crate::io::{Clock, Node, PROC, Setup, StartError, StreamLimits};
use crate::metrics::{Exporter, Gauge};
use crate::neighbour::Address;

/// Why a node did not start. Nothing of it runs then.
#[derive(Debug, Error)]
pub(super) enum Fault {
    /// Of the SIP side.
    #[error("cannot start: {0}")]
    Sip(#[from] StartError),
    /// Of the files of TLS.
    #[error("cannot start: {0}")]
    Tls(#[from] certificates::Fault),
    /// Of the admin page.
    #[error("cannot start: {0}")]
    Admin(#[from] AdminError),
}

/// A running node. Dropping it stops it.
pub(super) struct Running {
    engine: Arc<Engine>,
    certificates: Option<Arc<Certificates>>,
    rim: Node,
    admin: Admin,
    /// Held for its thread.
    _resolver: Resolver,
}

impl Running {
    /// Binds every address of the plan and starts to serve. `asked` hears when somebody wants the node to drain over HTTP.
    pub(super) fn start(plan: Plan, asked: Arc<Notify>) -> Result<Self, Fault> {
        let clock = Clock::start();
        let started_s = u64::try_from(clock.now().civil.0).unwrap_or(0);
        let (exporter, counters) = Exporter::new();
        let listen: Vec<Address> = plan.sip.listen.iter().map(|listen| listen.address).collect();
        let locals = plan.sip.listen.iter().map(|listen| Local::new(listen.address, listen.advertised)).collect();
        let (workers, admin_listen) = (plan.sip.workers, plan.admin_listen);
        let token_file = plan.admin_token_file.clone();
        let material = plan.sip.tls.as_ref().map(Material::load).transpose()?;
        let certificates = material.map(|material| Arc::new(Certificates::new(material)));
        let engine = Engine::new(plan, locals, counters.clone(), Bounds::default(), started_s, random());
        let engine = Arc::new(engine);
        // Nobody is heard before it is known where calls go: the first one may be for help.
        resolve::look_up_first(&engine, &engine.plan(), clock).map_err(|error| StartError::Worker(error.kind()))?;
        let driver = Arc::clone(&engine);
        let rim = Node::start(Setup {
            listen,
            workers,
            driver,
            clock,
            counters,
            certificates: certificates.clone(),
            seed: random(),
            streams: StreamLimits::default(),
            proc: PROC.into(),
        })?;
        let resolver = Resolver::start(Arc::clone(&engine), clock).map_err(|error| StartError::Worker(error.kind()))?;
        let page = Page { engine: Arc::clone(&engine), certificates: certificates.clone(), clock, started_s, asked };
        let admin = Admin::start(admin_listen, exporter, Arc::new(page), token_file)?;
        Ok(Self { engine, certificates, rim, admin, _resolver: resolver })
    }

    pub(super) fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// What its TLS shows and trusts, where it has any.
    pub(super) fn certificates(&self) -> Option<&Arc<Certificates>> {
        self.certificates.as_ref()
    }

    /// Ends every ordinary call.
    pub(super) fn end_calls(&self) {
        self.rim.end_calls();
    }

    /// Where it listens for SIP.
    pub(super) fn listens(&self) -> &[Address] {
        self.rim.local()
    }

    /// Where it shows itself.
    pub(super) fn admin(&self) -> SocketAddr {
        self.admin.local()
    }
}

/// A seed nobody outside can guess: the standard library takes its hash keys from the system.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// What the admin page shows of an engine.
struct Page {
    engine: Arc<Engine>,
    certificates: Option<Arc<Certificates>>,
    clock: Clock,
    /// Unix seconds.
    started_s: u64,
    asked: Arc<Notify>,
}

impl Page {
    /// Share of new ordinary calls that is not let in now, 0 to 1.
    fn loss_ratio(&self) -> f64 {
        let overload = self.engine.overload();
        overload.settle(self.clock.now().moment);
        f64::from(overload.loss_percent()) / 100.0
    }
}

impl View for Page {
    fn gauges(&self) -> Vec<Gauge> {
        let plan = self.engine.plan();
        let plain = |name, value| Gauge { name, labels: Vec::new(), value };
        let build = vec![("version", VERSION.to_owned()), ("cluster", plan.cluster.id.to_string())];
        let mut gauges = vec![
            plain("emcc_calls", self.engine.calls() as f64),
            plain("emcc_registered_phones", self.engine.registered() as f64),
            plain("emcc_transactions", self.engine.transactions() as f64),
            plain("emcc_overload_loss_ratio", self.loss_ratio()),
            plain("emcc_ready", f64::from(u8::from(!self.engine.is_draining()))),
            plain("emcc_process_start_time_seconds", self.started_s as f64),
            Gauge { name: "emcc_build_info", labels: build, value: 1.0 },
        ];
        gauges.extend(
            self.certificates.iter().map(|certificates| {
                plain("emcc_tls_certificate_expiry_seconds", certificates.current().expires.0 as f64)
            }),
        );
        // Books outlive their cluster in the configuration; the text does not.
        let is_configured = |id: &str| plan.remote_clusters.iter().any(|remote| &*remote.id == id);
        for book in self.engine.links().books().iter().filter(|book| is_configured(&book.cluster)) {
            let pool = match book.pool {
                Pool::Audio => "audio",
                Pool::Video => "video",
            };
            let direction = match book.direction {
                Direction::Outward => "outward",
                Direction::Inward => "inward",
            };
            let labels = vec![
                ("cluster", book.cluster.to_string()),
                ("pool", pool.to_owned()),
                ("direction", direction.to_owned()),
            ];
            let capacity = book.capacity_kbps.map(|kbps| f64::from(kbps) * BITS_PER_KILOBIT);
            gauges.extend(capacity.map(|value| Gauge {
                name: "emcc_link_capacity_bits_per_second",
                labels: labels.clone(),
                value,
            }));
            let value = book.used_kbps as f64 * BITS_PER_KILOBIT;
            gauges.push(Gauge { name: "emcc_link_used_bits_per_second", labels, value });
        }
        let mut standings: BTreeMap<(Box<str>, &'static str), u32> = BTreeMap::new();
        for seen in self.engine.neighbours(self.clock.now().moment) {
            // Every state has its series from the start: one that comes and goes cannot be watched.
            for state in Seen::STATES {
                *standings.entry((seen.neighbour.clone(), state)).or_default() += u32::from(state == seen.state());
            }
        }
        gauges.extend(standings.into_iter().map(|((neighbour, state), addresses)| Gauge {
            name: "emcc_neighbour_addresses",
            labels: vec![("neighbour", neighbour.into()), ("state", state.to_owned())],
            value: f64::from(addresses),
        }));
        gauges
    }

    fn readiness(&self) -> Readiness {
        let is_draining = self.engine.is_draining();
        Readiness { ready: !is_draining, because: if is_draining { vec!["draining"] } else { Vec::new() } }
    }

    fn neighbours(&self) -> Vec<NeighbourAddress> {
        let seen = self.engine.neighbours(self.clock.now().moment).into_iter();
        seen.map(|seen| NeighbourAddress {
            address: seen.address.to_string(),
            state: seen.state(),
            rests_s: seen.rest.map(|rest| rest.as_secs_f64().ceil() as u64),
            neighbour: seen.neighbour.into(),
        })
        .collect()
    }

    fn parameters(&self) -> Vec<Parameter> {
        self.engine.plan().parameters().into()
    }

    fn drain(&self) {
        self.engine.drain();
        // Kept until it is heard, should the signals not be served yet.
        self.asked.notify_one();
    }

    fn status(&self) -> Status {
        Status {
            version: VERSION,
            cluster: self.engine.plan().cluster.id.to_string(),
            uptime_s: self.clock.now().moment.0 / 1_000,
            calls: self.engine.calls() as u64,
            draining: self.engine.is_draining(),
        }
    }
}

const VERSION: &str = env!("CARGO_PKG_VERSION");
const BITS_PER_KILOBIT: f64 = 1_000.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificates::Files;
    use crate::certificates::pki::{Authority, write};
    use crate::config;
    use crate::metrics::{Counters, Kind, METRICS};
    use std::path::Path;

    fn page() -> Page {
        let pair = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/pair/hq.toml");
        let plan = config::load(&pair).unwrap().plan;
        let engine = Arc::new(Engine::new(plan, Vec::new(), Counters::noop(), Bounds::default(), 0, 1));
        let authority = Authority::new("root");
        // One for each test: they run side by side.
        let by = std::thread::current().name().unwrap_or_default().replace(':', "-");
        let folder = std::env::temp_dir().join(format!("emcc-page-{}-{by}", std::process::id()));
        let [certificate, key, trust] = write(&folder, "hq", &authority.sign(&["hq"]), &authority.pem);
        let material = Material::load(&Files { certificate, key, trust }).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        let certificates = Some(Arc::new(Certificates::new(material)));
        Page { engine, certificates, clock: Clock::start(), started_s: 0, asked: Arc::default() }
    }

    #[test]
    fn every_gauge_is_shown_with_the_labels_of_the_table() {
        let shown = page().gauges();
        for gauge in METRICS.iter().filter(|metric| metric.kind == Kind::Gauge) {
            let found: Vec<_> = shown.iter().filter(|shown| shown.name == gauge.name).collect();
            assert!(!found.is_empty(), "{} is not shown", gauge.name);
            for Gauge { labels, .. } in found {
                let names: Vec<&str> = labels.iter().map(|(name, _)| *name).collect();
                assert_eq!(names.join(","), gauge.labels, "{}", gauge.name);
            }
        }
        let in_table = |name| METRICS.iter().any(|metric| metric.kind == Kind::Gauge && metric.name == name);
        assert!(shown.iter().all(|shown| in_table(shown.name)));
    }

    #[test]
    fn the_link_of_the_pair_shows_its_capacity_each_way() {
        let shown = page().gauges();
        let capacity: Vec<f64> = shown
            .iter()
            .filter(|gauge| gauge.name == "emcc_link_capacity_bits_per_second")
            .map(|gauge| gauge.value)
            .collect();
        assert_eq!(capacity, [2e6, 2e6, 4e6, 4e6]);
    }

    #[test]
    fn every_address_of_a_neighbour_is_up_at_the_start() {
        let page = page();
        let shown = page.neighbours();
        assert_eq!(shown.len(), 3, "{shown:?}");
        assert!(shown.iter().all(|shown| shown.state == "up" && shown.rests_s.is_none()));
        let gauge = |state: &str| {
            let of_state = |gauge: &&Gauge| {
                gauge.name == "emcc_neighbour_addresses" && gauge.labels.iter().any(|(_, value)| value == state)
            };
            page.gauges().iter().filter(of_state).map(|gauge| gauge.value).collect::<Vec<_>>()
        };
        assert_eq!((gauge("up"), gauge("down")), (vec![1.0; 3], vec![0.0; 3]));
    }

    #[test]
    fn a_draining_node_is_not_ready_and_says_so() {
        let page = page();
        assert!(page.readiness().ready && !page.status().draining);
        page.engine.drain();
        assert_eq!(page.readiness(), Readiness { ready: false, because: vec!["draining"] });
        assert!(page.status().draining);
    }
}
