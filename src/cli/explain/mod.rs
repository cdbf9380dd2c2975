//! `emcc-trunk explain`: a decision and the trail that led to it, by the very functions that decide live calls.

mod codecs;
mod login;

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use clap::Subcommand;

use super::finish;
use super::halt::Halt;
use crate::config::plan::Plan;
use crate::config::{self, Probe};

/// What is asked.
#[derive(Subcommand)]
pub(super) enum Question {
    /// Which codecs of an offer leave, and in which order
    Codecs(codecs::Codecs),
    /// How a login between two clusters ends
    Login(login::Login),
}

/// Answers and gives back the exit code.
pub(super) fn run(question: &Question) -> u8 {
    match question {
        Question::Codecs(codecs) => finish(codecs.answer(), codecs.json),
        Question::Login(login) => finish(login.answer(), login.json),
    }
}

/// The trail, a line a step.
fn reasons(because: &[String], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "because:")?;
    because.iter().try_for_each(|step| writeln!(out, "  - {step}"))
}

/// The configuration asked about; it need not be one this host could run.
fn plan(path: &Path) -> Result<Plan, Halt> {
    match config::load(path, Probe::Offline) {
        Ok(loaded) => Ok(loaded.plan),
        Err(checked) => Err(Halt::refused(checked)),
    }
}

/// The offer asked about.
fn offer(path: &Path) -> Result<Vec<u8>, Halt> {
    fs::read(path).map_err(|error| Halt::Unread(path.to_owned(), error))
}
