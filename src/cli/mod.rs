//! The commands, one file each: arguments in, an object or lines out, and an exit code.
//!
//! With `--json` standard output carries exactly one JSON object; everything for people goes to standard error. Exit
//! codes: 0 done, 1 checked and wrong, 2 usage, 3 cannot reach what it needs, 64 and up internal, 141 nobody reads on.

pub mod check;
mod demo;
mod diff;
mod explain;
mod halt;
mod ladder;
mod named;
mod node;
mod progress;
mod run;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use serde::Serialize;

use self::halt::Halt;

/// An inline SIP trunk between two call-control clusters, for Extension Mobility Cross Cluster.
#[derive(Parser)]
#[command(name = "emcc-trunk", version, arg_required_else_help = true, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 checked and wrong, 2 usage, 3 cannot reach what it needs, 64 and up internal, 141 nobody reads on.";

#[derive(Subcommand)]
enum Command {
    /// Run the node: SIGHUP reloads, SIGTERM drains, a second SIGTERM stops
    Run(Run),
    /// Say every mistake of a configuration at once: where, what, and how to mend it
    Check(Check),
    /// Say what would be decided and why, without a call
    #[command(subcommand)]
    Explain(Box<explain::Question>),
    /// Say which numbers another configuration would decide otherwise, and for whom
    Diff(diff::Diff),
    /// Show two clusters, phones and gateways at work on loopback: real calls, decisions and ladders
    Demo(Demo),
}

#[derive(Args)]
struct Run {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

#[derive(Args)]
struct Demo {
    /// Print one JSON object on standard output, and nothing else
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Check {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Print one JSON object on standard output
    #[arg(long)]
    json: bool,
    /// Leave this host alone: no address is bound, no name is looked up
    #[arg(long)]
    offline: bool,
}

/// Does what the process's arguments say. Usage errors, `--help` and `--version` end the process here.
#[must_use]
pub fn start() -> ExitCode {
    ExitCode::from(match Arguments::parse().command {
        Command::Run(Run { config }) => run::run(&config).map_or_else(|halt| complain(&halt), |()| 0),
        Command::Check(Check { config, json, offline }) => {
            check::run(&config, json, offline).unwrap_or_else(|error| complain(&Halt::Output(error)))
        }
        Command::Explain(question) => explain::run(&question),
        Command::Diff(diff) => diff::run(&diff),
        Command::Demo(Demo { json }) => demo::run(json),
    })
}

/// An answer in both its forms.
trait Answer: Serialize {
    /// The lines for people.
    fn tell(&self, out: &mut dyn Write) -> io::Result<()>;
}

/// Prints what a question led to and gives back the exit code.
fn finish(answer: Result<impl Answer, Halt>, json: bool) -> u8 {
    let printed = match answer {
        Ok(answer) if json => object(&answer),
        Ok(answer) => answer.tell(&mut anstream::stderr().lock()),
        Err(halt) => return failed(&halt, json),
    };
    printed.map_or_else(|error| complain(&Halt::Output(error)), |()| 0)
}

/// Says why a command ends early, and gives back its exit code. Who asked for an object gets one, whatever happened.
fn failed(halt: &Halt, json: bool) -> u8 {
    if json
        && !matches!(halt, Halt::Output(_))
        && let Err(error) = object(halt)
    {
        return complain(&Halt::Output(error));
    }
    complain(halt)
}

fn object(value: &impl Serialize) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, value)?;
    writeln!(out)?;
    out.flush()
}

/// Says on standard error why a command ends, and gives back its exit code.
fn complain(halt: &Halt) -> u8 {
    if !halt.is_quiet()
        && let Err(error) = writeln!(anstream::stderr().lock(), "emcc-trunk: {halt}")
    {
        return Halt::Output(error).exit_code();
    }
    halt.exit_code()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_commands_and_flags_do_not_contradict_each_other() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn what_is_left_out_or_unknown_is_a_usage_error() {
        for line in [
            "emcc-trunk",
            "emcc-trunk fly",
            "emcc-trunk check",
            "emcc-trunk check --config",
            "emcc-trunk check --config a.toml --loud",
            "emcc-trunk diff",
            "emcc-trunk diff --config a.toml",
            "emcc-trunk diff --config a.toml --candidate b.toml --at noon",
            "emcc-trunk explain",
            "emcc-trunk explain login --vc-version 12.0",
            "emcc-trunk explain login --vc-version twelve --hc-version 12.0",
            "emcc-trunk explain login --vc-version 12.0 --hc-version 12.0 --login-type uid",
            "emcc-trunk explain login --vc-version 12.0 --hc-version 12.0 --phone-mode mixed",
        ] {
            let error = Arguments::try_parse_from(line.split(' ')).err().expect(line);
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn help_and_version_are_no_errors() {
        for line in ["emcc-trunk --help", "emcc-trunk --version", "emcc-trunk help explain"] {
            let shown = Arguments::try_parse_from(line.split(' ')).err().expect(line);
            assert_eq!(shown.exit_code(), 0, "{line}");
        }
    }
}
