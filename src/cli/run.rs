//! `emcc-trunk run`: the node, until a signal ends it.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use super::halt::Halt;
use super::node::Running;
use super::progress::Progress;
use crate::certificates::{Certificates, Material};
use crate::config::plan::Plan;
use crate::config::{self, Problem, Severity};
use crate::engine::Engine;
use crate::io::resolve;
use crate::io::retire::Retired;
use crate::io::signals::{self, End, Hangup, Operate, Signals};
use crate::io::{Clock, log};
use crate::metrics::Counters;

/// Runs the node of a configuration file until it is stopped or drained.
pub(super) fn run(path: &Path) -> Result<(), Halt> {
    // Before anything slow: a reload may be asked for as soon as the process is there, and has to find the file as it is then.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Halt::System)?;
    let hangup = Hangup::hear(&runtime).map_err(Halt::System)?;
    log::open().map_err(Halt::Log)?;
    let progress = Progress::of_stages(true);
    let loaded = config::load_watched(path, &|stage| progress.at(&stage)).map_err(Halt::refused)?;
    drop(progress);
    tell(&loaded.warnings);
    let clock = Clock::start();
    let cluster = loaded.plan.cluster.id.clone();
    let asked = Arc::new(Notify::new());
    // From here on calls may come: no signal may cost them anything before it is served.
    let signals = Signals::hear(&runtime, hangup).map_err(Halt::System)?;
    let node = Running::start(loaded.plan, Arc::clone(&asked)).map_err(Halt::Start)?;
    if let Some(ended) = node.certificates().filter(|certificates| has_ended(&certificates.current(), clock)) {
        let since_s = clock.now().civil.0 - ended.current().expires.0;
        tracing::error!("this node's TLS certificate ended {since_s} s ago: TLS neighbours will refuse it");
    }
    alarm_of_regions(&node.engine().plan(), node.engine().counters());
    let retired = Retired::start().map_err(Halt::System)?;
    let again = Arc::new(Again {
        engine: Arc::clone(node.engine()),
        certificates: node.certificates().cloned(),
        clock,
        path: path.to_owned(),
        retired,
    });
    // Nobody who waits for the line, nobody who misses it: the node serves all the same.
    let _ = say_ready(&cluster, &node);
    let ended = runtime.block_on(signals::serve(signals, &mut Operator { node: &node, again }, &asked));
    match ended {
        End::Drained => tracing::info!("stopped: every call has ended"),
        End::DrainBound => tracing::warn!("stopped: calls that outlasted the drain were ended"),
        End::Stopped => tracing::info!(calls = node.engine().calls(), "stopped at once"),
    }
    Ok(())
}

/// One line for people and scripts that wait for it, whatever the log's level is.
fn say_ready(cluster: &str, node: &Running) -> io::Result<()> {
    let listens: Vec<String> = node.listens().iter().map(ToString::to_string).collect();
    writeln!(
        io::stderr().lock(),
        "ready: cluster {cluster} on {}; admin on http://{}",
        listens.join(", "),
        node.admin()
    )
}

/// What signals do to the node.
struct Operator<'n> {
    node: &'n Running,
    again: Arc<Again>,
}

impl Operate for Operator<'_> {
    fn reload(&mut self) -> oneshot::Receiver<()> {
        let (done, reload) = oneshot::channel();
        let again = Arc::clone(&self.again);
        // On a thread of its own: a file may be long and a name server silent, and signals are heard meanwhile.
        let begun = thread::Builder::new().name("reload".to_owned()).stack_size(RELOAD_STACK_BYTES).spawn(move || {
            again.engine.counters().reloaded(again.reloaded());
            // Nobody waits for it where the node has ended.
            let _ = done.send(());
        });
        if let Err(error) = begun {
            tracing::error!("reload refused: the system has no thread for it: {error}");
            self.node.engine().counters().reloaded(false);
        }
        reload
    }

    fn leave_unread(&mut self) {
        tracing::warn!("the configuration is not read again: the node drains, and the one that runs goes on");
    }

    fn drain(&mut self) {
        let engine = self.node.engine();
        engine.drain();
        tracing::info!(calls = engine.calls(), "draining: new calls are refused, emergency calls are not");
    }

    fn drain_bound(&self) -> Duration {
        Duration::from_secs(self.node.engine().plan().sip.drain_s.into())
    }

    fn end_calls(&mut self) {
        tracing::warn!(
            calls = self.node.engine().calls(),
            "calls outlasted the drain: all but emergency calls are ended"
        );
        self.node.end_calls();
    }

    fn is_drained(&self) -> bool {
        self.node.engine().calls() == 0
    }
}

/// What a reload needs.
struct Again {
    engine: Arc<Engine>,
    certificates: Option<Arc<Certificates>>,
    clock: Clock,
    path: PathBuf,
    retired: Retired,
}

impl Again {
    /// Whether the file's new content runs now. Anything wrong with it changes nothing.
    fn reloaded(&self) -> bool {
        let loaded = match config::load(&self.path) {
            Ok(loaded) => loaded,
            Err(problems) => {
                tell(&problems);
                tracing::error!("reload refused: the configuration has errors; the one that runs goes on");
                return false;
            }
        };
        tell(&loaded.warnings);
        let fixed = changed_for_good(&self.engine.plan(), &loaded.plan);
        if !fixed.is_empty() {
            let keys = fixed.join(", ");
            tracing::error!(
                "reload refused: {keys} cannot change while the node runs; restart it, or change them back"
            );
            return false;
        }
        // Read before anything changes; handshakes under way and connections that stand keep what they began with.
        let material = match loaded.plan.sip.tls.as_ref().map(Material::load).transpose() {
            Ok(material) => material,
            Err(fault) => {
                tracing::error!("reload refused: {fault}; the configuration and the certificate that run go on");
                return false;
            }
        };
        if material.as_ref().is_some_and(|material| has_ended(material, self.clock)) {
            tracing::error!("reload refused: the TLS certificate has ended; the configuration that runs goes on");
            return false;
        }
        if let (Some(certificates), Some(material)) = (&self.certificates, material) {
            certificates.swap(material);
        }
        // Where the system gives no reactor its names are looked up afterwards.
        let _ = resolve::look_up_first(&self.engine, &loaded.plan, self.clock);
        self.retired.keep(self.engine.plan().keep());
        self.engine.reload(loaded.plan);
        alarm_of_regions(&self.engine.plan(), self.engine.counters());
        tracing::info!("reloaded: new calls follow the new configuration");
        true
    }
}

/// Names every cluster whose region parameters are not ours: its calls get the lower cap and our own codec order, and no
/// RSVP agent serves them (M-8, L-31).
fn alarm_of_regions(plan: &Plan, counters: &Counters) {
    for remote in plan.remote_clusters.iter().filter(|remote| remote.region_differs) {
        counters.alarm(REGION_DIFFERS);
        let (audio_kbps, video_kbps) = (remote.region.audio_kbps, remote.region.video_kbps);
        tracing::warn!(
            alarm = REGION_DIFFERS,
            cluster = &*remote.id,
            audio_kbps,
            video_kbps,
            "its region parameters differ from ours: the lower cap counts and no RSVP agent serves its calls"
        );
    }
}

/// Stack of the thread that reads the configuration again: as much as the first reading has on most systems.
const RELOAD_STACK_BYTES: usize = 8 << 20;

const REGION_DIFFERS: &str = "region parameters differ";

/// Whether a certificate of ours is past its end.
fn has_ended(material: &Material, clock: Clock) -> bool {
    material.expires <= clock.now().civil
}

/// Keys that differ and that a running node cannot follow: its sockets, its threads, and whose node it is.
fn changed_for_good(runs: &Plan, wanted: &Plan) -> Vec<&'static str> {
    let pairs = [
        ("cluster.id", runs.cluster.id == wanted.cluster.id),
        ("sip.listen or sip.advertise", runs.sip.listen == wanted.sip.listen),
        ("sip.workers", runs.sip.workers == wanted.sip.workers),
        ("admin.listen", runs.admin_listen == wanted.admin_listen),
        ("admin.token_file", runs.admin_token_file == wanted.admin_token_file),
    ];
    pairs.into_iter().filter(|(_, is_same)| !is_same).map(|(key, _)| key).collect()
}

/// Writes every problem to the log.
fn tell(problems: &[Problem]) {
    for Problem { file, line, column, severity, message, fix, .. } in problems {
        match severity {
            Severity::Error => tracing::error!("{file}:{line}:{column}: {message}; fix: {fix}"),
            Severity::Warning => tracing::warn!("{file}:{line}:{column}: {message}; fix: {fix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(name: &str) -> Plan {
        let pair = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/pair");
        config::load(&pair.join(name)).unwrap().plan
    }

    #[test]
    fn what_cannot_change_while_the_node_runs_is_named() {
        let (home, mut wanted) = (plan("hq.toml"), plan("hq.toml"));
        assert_eq!(changed_for_good(&home, &wanted), Vec::<&str>::new());
        wanted.sip.workers += 1;
        assert_eq!(changed_for_good(&home, &wanted), ["sip.workers"]);
        wanted.sip.no_response_ms += 1;
        assert_eq!(changed_for_good(&home, &wanted), ["sip.workers"]);
        let other = changed_for_good(&home, &plan("br.toml"));
        assert_eq!(other, ["cluster.id", "sip.listen or sip.advertise", "admin.listen"]);
    }
}
