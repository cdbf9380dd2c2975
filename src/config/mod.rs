//! Configuration: TOML files into the typed plan the engine runs on, refused whole if anything in them is wrong.
//!
//! `section` reads one table and remembers what it was asked for; `reader` names every key and builds the
//! `document`, in which each value knows its place; `check` compares the values with each other; `plan` is what
//! the engine gets. Every problem of every stage goes to one list, so that one pass shows them all.

mod address;
mod check;
mod document;
pub mod plan;
mod problem;
mod reader;
mod report;
mod section;
mod source;
mod without_effect;
mod words;

pub use address::{Address, Transport};
pub use check::Probe;
pub use document::{MidCall, SrtpKeys};
pub use plan::Plan;
pub use problem::{Problem, Severity};

use check::Look;
use emcc_policies::moment::Civil;
use std::net::SocketAddr;
use std::path::Path;

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

/// Checks a configuration file and all it includes. What passes here is what [`load`] accepts.
#[must_use]
pub fn check(path: &Path, probe: Probe) -> Checked {
    checked(path, probe, None)
}

/// As [`check`], with the dates of certificates compared with `today`: one that has ended is an error here, although
/// the node would start with it, since its other calls go on.
#[must_use]
pub fn check_on(path: &Path, probe: Probe, today: Civil) -> Checked {
    checked(path, probe, Some(today))
}

fn checked(path: &Path, probe: Probe, today: Option<Civil>) -> Checked {
    let source = source::read(path);
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
    Checked { problems: inspected(source, probe, Look::At(today)).1, readable, names, listen, dns }
}

/// Loads a configuration file and all it includes.
///
/// # Errors
/// Every problem, warnings among them, if there is an error. A file that cannot be read is one problem on line 0.
pub fn load(path: &Path) -> Result<Loaded, Vec<Problem>> {
    loaded(source::read(path), Look::At(None))
}

/// Loads a configuration that the program carries itself; `name` stands for the file in problems. Files it names, as
/// those of TLS, are not looked at.
///
/// # Errors
/// As [`load`].
pub fn load_text(name: &str, text: &str) -> Result<Loaded, Vec<Problem>> {
    loaded(source::read_text(name, text), Look::Away)
}

/// The plan of a text that can be read, whatever a check would say of it: laws hold of such plans too.
#[cfg(test)]
pub(crate) fn unchecked(text: &str) -> Result<Plan, Vec<Problem>> {
    let source::Source { document, report, whole, .. } = source::read_text("test.toml", text);
    if whole && !report.has_errors() { Ok(plan::build(&document, 1)) } else { Err(report.into_problems()) }
}

fn loaded(source: source::Source, look: Look) -> Result<Loaded, Vec<Problem>> {
    match inspected(source, Probe::Offline, look) {
        (Some(plan), warnings) => Ok(Loaded { plan, warnings }),
        (None, problems) => Err(problems),
    }
}

/// The one way from files to a plan: no plan where there is an error.
fn inspected(source: source::Source, probe: Probe, look: Look) -> (Option<Plan>, Vec<Problem>) {
    let source::Source { document, report, whole, .. } = source;
    if whole {
        check::check(&document, probe, look, &report);
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let plan = (whole && !report.has_errors()).then(|| plan::build(&document, cores));
    (plan, report.into_problems())
}
