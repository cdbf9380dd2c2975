//! Places SIP calls through a node and takes them at its far side, counts what becomes of them and reports only what
//! it has shown it can carry itself. See [`arguments::USAGE`].

mod arguments;
mod drive;
mod exchange;
mod line;
mod read;
mod system;
mod tally;
mod write;

use std::process::ExitCode;

use arguments::{RATE_MAX, Run, USAGE};

/// How much faster than the load the generator must be by itself.
const PROOF_FACTOR: u32 = 2;
/// Tries of the self test: another program may have had the CPU.
const PROOF_TRIES: u32 = 3;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == "--help" || word == "-h") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let Some(run) = Run::read(words) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    system::prepare();
    match measure(&run) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("load: {} or {}: {error}", run.caller, run.called);
            ExitCode::from(3)
        }
    }
}

fn measure(run: &Run) -> std::io::Result<ExitCode> {
    let mark = std::process::id();
    // Where the highest rate is looked for, it is known only afterwards.
    let is_proven_before = run.self_test && !run.until_repeated;
    let mut proven = None;
    if is_proven_before {
        proven = prove(run, run.rate_max(), mark)?;
    }
    if is_proven_before && proven.is_none() {
        return Ok(unproven(run.rate_max()));
    }
    let mut tally = drive::drive(run, mark.wrapping_add(1))?;
    if run.self_test && run.until_repeated && !system::is_stopped() {
        let carried = tally.steps.iter().filter(|step| step.started > 0).map(|step| step.rate).max().unwrap_or(1);
        proven = prove(run, carried, mark)?;
        if proven.is_none() {
            return Ok(unproven(carried));
        }
    }
    println!("{}", tally.report(proven));
    Ok(ExitCode::SUCCESS)
}

/// Calls itself at twice the rate. Gives back that rate if every call was flawless.
fn prove(run: &Run, rate: u32, mark: u32) -> std::io::Result<Option<u32>> {
    let rate = rate.saturating_mul(PROOF_FACTOR).min(RATE_MAX);
    for attempt in 0..PROOF_TRIES {
        let tally = drive::drive(&run.of_itself(rate), mark.wrapping_add(2 + attempt))?;
        if tally.is_flawless() {
            return Ok(Some(rate));
        }
    }
    Ok(None)
}

fn unproven(rate: u32) -> ExitCode {
    eprintln!("load: the self test failed at {PROOF_FACTOR} times {rate} calls a second: nothing is reported");
    ExitCode::from(4)
}
