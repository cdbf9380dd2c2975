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
pub use problem::{Problem, Severity};
