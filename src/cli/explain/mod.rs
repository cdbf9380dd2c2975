//! `emcc-trunk explain`: a decision and the trail that led to it, by the very functions that decide live calls.

mod alternatives;
mod bulk;
mod call;
mod clusters;
mod codecs;
pub(super) mod instant;
mod login;
mod roaming;
mod walk;
mod who;

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use clap::Subcommand;

use super::finish;
use super::halt::Halt;
use crate::config::{self, plan::Plan};

/// What is asked.
#[derive(Subcommand)]
pub(super) enum Question {
    /// Where a call goes
    Call(call::Call),
    /// Which codecs of an offer leave, and in which order
    Codecs(codecs::Codecs),
    /// Which device pool a visiting phone is placed in
    Roaming(roaming::Roaming),
    /// How a login between two clusters ends
    Login(login::Login),
}

/// Answers and gives back the exit code.
pub(super) fn run(question: &Question) -> u8 {
    match question {
        Question::Call(call) => call.run(),
        Question::Codecs(codecs) => finish(codecs.answer(), codecs.json),
        Question::Roaming(roaming) => finish(roaming.answer(), roaming.json),
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
    config::load_watched(path, &|_| ()).map(|loaded| loaded.plan).map_err(Halt::refused)
}

/// The offer asked about.
fn offer(path: &Path) -> Result<Vec<u8>, Halt> {
    fs::read(path).map_err(|error| Halt::Unread(path.to_owned(), error))
}
