//! Configuration: TOML files into the typed plan the engine runs on, refused whole if anything in them is wrong.
//!
//! `section` reads one table and remembers what it was asked for; `reader` names every key and builds the
//! `document`, in which each value knows its place; `check` compares the values with each other; `plan` is what
//! the engine gets. Every problem of every stage goes to one list, so that one pass shows them all.

mod address;
mod check;
mod document;
mod problem;
mod reader;
mod report;
mod section;
mod source;
mod without_effect;
mod words;

pub use address::{Address, Transport};
pub use check::Probe;
pub use problem::{Problem, Severity};

use std::path::Path;

/// What checking a file found.
#[derive(Debug)]
pub struct Checked {
    /// Every problem, sorted by file and position.
    pub problems: Vec<Problem>,
    /// Whether the named file could be read at all.
    pub readable: bool,
}

impl Checked {
    /// Whether the node starts with this file: there may be warnings, there is no error.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.problems.iter().all(|problem| problem.severity == Severity::Warning)
    }
}

/// Checks a configuration file and all it includes. What passes here is what [`load`] accepts.
#[must_use]
pub fn check(path: &Path, probe: Probe) -> Checked {
    let source = source::read(path);
    let readable = source.readable;
    Checked { problems: inspect(source, probe), readable }
}

fn inspect(source: source::Source, probe: Probe) -> Vec<Problem> {
    if source.whole {
        check::check(&source.document, probe, &source.report);
    }
    source.report.into_problems()
}
