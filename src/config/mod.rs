//! Configuration: TOML files into the typed plan the engine runs on, refused whole if anything in them is wrong.
//!
//! `section` reads one table and remembers what it was asked for; `reader` names every key and builds the
//! `document`, in which each value knows its place; `check` compares the values with each other; `plan` is what
//! the engine gets. Every problem of every stage goes to one list, so that one pass shows them all.

mod address;
mod ahead;
mod bulk;
mod check;
mod civic;
mod document;
mod pieces;
mod places;
pub mod plan;
mod problem;
mod reader;
mod report;
mod section;
mod slips;
mod source;
mod spaced;
mod without_effect;
mod words;

pub use address::{Address, Transport};
pub use check::Probe;
pub use document::{MidCall, SrtpKeys};
pub use places::Places;
pub use plan::Plan;
pub use problem::{Devices, Problem, Severity};

use check::Look;
use emcc_policies::moment::Civil;
use std::fmt;
use std::net::SocketAddr;
use std::path::Path;

use crate::limits::CONFIGURATION_THREADS_MAX;
use crate::neighbour::locate::Named;

/// What checking a file found.
#[derive(Debug, Default)]
pub struct Checked {
    /// Every problem, sorted by file and position.
    pub problems: Vec<Problem>,
    /// Whether the named file could be read at all.
    pub readable: bool,
    /// Names of neighbours, each where it is first written.
    pub names: Vec<Written>,
    /// Where the node would listen.
    pub listen: Vec<Address>,
    /// The DNS servers it would ask; none: those of the host.
    pub dns: Vec<SocketAddr>,
}

/// A name of a neighbour, and where it is written.
#[derive(Clone, Debug)]
pub struct Written {
    /// It.
    pub name: Named,
    /// File, line, column and key, with nothing said yet.
    pub at: Problem,
}

impl Checked {
    /// Whether the node starts with this file: there may be warnings, there is no error.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.problems.iter().all(|problem| problem.severity == Severity::Warning)
    }
}

/// A configuration that is right.
#[derive(Debug)]
pub struct Loaded {
    /// What the engine runs on.
    pub plan: Plan,
    /// What its author should look at, sorted by file and position.
    pub warnings: Vec<Problem>,
}

/// Where reading a configuration has come to: for who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage<'a> {
    /// A file is read.
    Reading {
        /// It.
        file: &'a Path,
        /// Octets of the files before it.
        octets_before: u64,
    },
    /// What was read is compared with itself.
    Comparing {
        /// Patterns read.
        patterns: usize,
        /// Devices read.
        devices: usize,
    },
    /// The plan is made.
    Making,
}

impl fmt::Display for Stage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reading { file, octets_before: 0 } => write!(f, "reading {}", file.display()),
            Self::Reading { file, octets_before } => {
                write!(f, "reading {}, {} MB before it", file.display(), octets_before / 1_000_000)
            }
            Self::Comparing { patterns, devices } => write!(f, "comparing {patterns} patterns and {devices} devices"),
            Self::Making => f.write_str("making the plan"),
        }
    }
}

/// Checks a configuration file and all it includes. What passes here is what [`load`] accepts.
#[must_use]
pub fn check(path: &Path, probe: Probe) -> Checked {
    checked(path, probe, None, &|_| ())
}

/// As [`check`], with the dates of certificates compared with `today`: one that has ended is an error here, although
/// the node would start with it, since its other calls go on.
#[must_use]
pub fn check_on(path: &Path, probe: Probe, today: Civil) -> Checked {
    check_watched(path, probe, today, &|_| ())
}

/// As [`check_on`]; `watched` is told how far it is.
#[must_use]
pub fn check_watched(path: &Path, probe: Probe, today: Civil, watched: &dyn Fn(Stage<'_>)) -> Checked {
    checked(path, probe, Some(today), watched)
}

fn checked(path: &Path, probe: Probe, today: Option<Civil>, watched: &dyn Fn(Stage<'_>)) -> Checked {
    let threads = threads();
    let source = source::read(path, threads, watched);
    let readable = source.readable;
    let (document, report) = (&source.document, &source.report);
    let mut names: Vec<Written> = Vec::new();
    for place in document.places() {
        if let Some(name) = place.value.named().filter(|name| names.iter().all(|written| written.name != **name)) {
            names.push(Written { name: name.clone(), at: report.problem_at(&place.place) });
        }
    }
    let listen = document.sip.listen.iter().map(|at| at.value).collect();
    let dns = document.sip.dns.iter().map(|at| at.value).collect();
    Checked {
        problems: inspected(source, probe, Look::At(today), None, threads, watched).1,
        readable,
        names,
        listen,
        dns,
    }
}

/// How many threads may read a configuration for somebody who waits for it.
fn threads() -> usize {
    cores().min(CONFIGURATION_THREADS_MAX)
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Loads a configuration file and all it includes, on this thread alone: a node that reloads leaves the other cores to its
/// calls.
///
/// # Errors
/// Every problem, warnings among them, if there is an error. A file that cannot be read is one problem on line 0.
pub fn load(path: &Path) -> Result<Loaded, Vec<Problem>> {
    loaded(source::read(path, 1, &|_| ()), Look::At(None), 1, &|_| ())
}

/// As [`load`], on several threads; `watched` is told how far it is.
///
/// # Errors
/// As [`load`].
pub fn load_watched(path: &Path, watched: &dyn Fn(Stage<'_>)) -> Result<Loaded, Vec<Problem>> {
    let threads = threads();
    loaded(source::read(path, threads, watched), Look::At(None), threads, watched)
}

/// As [`load_watched`], and where the rows of the plan were written.
///
/// # Errors
/// As [`load`].
pub fn load_with_places(path: &Path, watched: &dyn Fn(Stage<'_>)) -> Result<(Loaded, Places), Vec<Problem>> {
    let threads = threads();
    let source = source::read(path, threads, watched);
    // Where there are errors, nobody asks.
    let places =
        if source.unread.is_nothing() { Places::of(&source.document, &source.report) } else { Places::default() };
    loaded(source, Look::At(None), threads, watched).map(|loaded| (loaded, places))
}

/// Loads a configuration that the program carries itself; `name` stands for the file in problems. Files it names, as
/// those of TLS, are not looked at.
///
/// # Errors
/// As [`load`].
pub fn load_text(name: &str, text: &str) -> Result<Loaded, Vec<Problem>> {
    loaded(source::read_text(name, text), Look::Away, 1, &|_| ())
}

/// The plan of a text that can be read, whatever a check would say of it: laws hold of such plans too.
#[cfg(test)]
pub(crate) fn unchecked(text: &str) -> Result<Plan, Vec<Problem>> {
    let source::Source { document, report, unread, .. } = source::read_text("test.toml", text);
    if unread.is_nothing() && !report.has_errors() {
        Ok(plan::build(&document, plan::dial_plan::Dialing::of(&document), 1))
    } else {
        Err(report.into_problems())
    }
}

fn loaded(
    source: source::Source,
    look: Look,
    threads: usize,
    watched: &dyn Fn(Stage<'_>),
) -> Result<Loaded, Vec<Problem>> {
    match inspected(source, Probe::Offline, look, Some(cores()), threads, watched) {
        (Some(plan), warnings) => Ok(Loaded { plan, warnings }),
        (None, problems) => Err(problems),
    }
}

/// The one way from files to a plan: none where there is an error, or no `cores` it would run on.
fn inspected(
    source: source::Source,
    probe: Probe,
    look: Look,
    cores: Option<usize>,
    threads: usize,
    watched: &dyn Fn(Stage<'_>),
) -> (Option<Plan>, Vec<Problem>) {
    let source::Source { document, report, unread, .. } = source;
    let mut plan = None;
    if !unread.is_nothing() {
        check::partly(&document, probe, look, &unread, &report);
    } else {
        watched(Stage::Comparing { patterns: document.patterns.len(), devices: document.devices.len() });
        let dialing = check::check(&document, probe, look, threads, &unread, &report);
        if let Some(cores) = cores.filter(|_| !report.has_errors()) {
            watched(Stage::Making);
            plan = Some(plan::build(&document, dialing, cores));
        }
    }
    (plan, report.into_problems())
}
