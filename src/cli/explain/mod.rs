//! `emcc-trunk explain`: a decision and the trail that led to it, by the very functions that decide live calls.

mod login;

use std::io::{self, Write};

use clap::Subcommand;

use super::finish;

/// What is asked.
#[derive(Subcommand)]
pub(super) enum Question {
    /// How a login between two clusters ends
    Login(login::Login),
}

/// Answers and gives back the exit code.
pub(super) fn run(question: &Question) -> u8 {
    match question {
        Question::Login(login) => finish(login.answer(), login.json),
    }
}

/// The trail, a line a step.
fn reasons(because: &[String], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "because:")?;
    because.iter().try_for_each(|step| writeln!(out, "  - {step}"))
}
