//! `emcc-trunk run`: the node, until a signal ends it.

use std::future::{Future, poll_fn};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use tokio::sync::Notify;

use super::halt::Halt;
use super::node::Running;
use super::progress::Progress;
use crate::certificates::Material;
use crate::config::plan::Plan;
use crate::config::{self, Problem, Severity};
use crate::io::resolve;
use crate::io::retire::Retired;
use crate::io::signals::{self, End, Operate};
use crate::io::{Clock, log};
use crate::metrics::Counters;

/// Runs the node of a configuration file until it is stopped or drained.
pub(super) fn run(path: &Path) -> Result<(), Halt> {
    log::open().map_err(Halt::Log)?;
    let progress = Progress::of_stages(true);
    let loaded = config::load_watched(path, &|stage| progress.at(&stage)).map_err(Halt::refused)?;
    drop(progress);
    tell(&loaded.warnings);
    let clock = Clock::start();
    let cluster = loaded.plan.cluster.id.clone();
    let asked = Arc::new(Notify::new());
    let node = Running::start(loaded.plan, Arc::clone(&asked)).map_err(Halt::Start)?;
    if let Some(ended) = node.certificates().filter(|certificates| has_ended(&certificates.current(), clock)) {
        let since_s = clock.now().civil.0 - ended.current().expires.0;
        tracing::error!("this node's TLS certificate ended {since_s} s ago: TLS neighbours will refuse it");
    }
    alarm_of_regions(&node.engine().plan(), node.engine().counters());
    let retired = Retired::start().map_err(Halt::System)?;
    let mut operator = Operator { node: &node, clock, path: path.to_owned(), retired };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Halt::System)?;
    let ended = runtime.block_on(async {
        let mut serving = pin!(signals::serve(&mut operator, &asked));
        // "ready" is said once the signals are heard: who reads it may send one at once.
        match poll_fn(|context| Poll::Ready(serving.as_mut().poll(context))).await {
            Poll::Ready(end) => end,
            Poll::Pending => {
                // Nobody who waits for the line, nobody who misses it: the node serves all the same.
                let _ = say_ready(&cluster, &node);
                serving.await
            }
        }
    });
    match ended.map_err(Halt::System)? {
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
    clock: Clock,
    path: PathBuf,
    retired: Retired,
}

impl Operate for Operator<'_> {
    fn reload(&mut self) {
        let runs = self.reloaded();
        self.node.engine().counters().reloaded(runs);
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

impl Operator<'_> {
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
        let fixed = changed_for_good(&self.node.engine().plan(), &loaded.plan);
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
        if let (Some(certificates), Some(material)) = (self.node.certificates(), material) {
            certificates.swap(material);
        }
        // On a thread of its own: this one waits in a runtime. Where the system gives none its names are looked up afterwards.
        let (engine, clock) = (self.node.engine(), self.clock);
        let _ = thread::scope(|scope| {
            let first = || resolve::look_up_first(engine, &loaded.plan, clock);
            thread::Builder::new().spawn_scoped(scope, first).map(thread::ScopedJoinHandle::join)
        });
        self.retired.keep(self.node.engine().plan().keep());
        self.node.engine().reload(loaded.plan);
        alarm_of_regions(&self.node.engine().plan(), self.node.engine().counters());
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
