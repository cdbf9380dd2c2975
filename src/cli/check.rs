//! `emcc-trunk check`: every mistake of a configuration at once.

use super::progress::Progress;
use crate::config::{self, Checked, Probe, Problem, Severity};
use crate::io::Clock;
use crate::io::resolve::{self, NoWay, Reach};
use anstyle::{AnsiColor, Style};
use serde::Serialize;
use std::io::{self, Write};
use std::path::Path;

/// Exit code where the file has no error; it may have warnings.
const RIGHT: u8 = 0;
/// Exit code where it has errors.
const WRONG: u8 = 1;
/// Exit code where the file cannot be read.
const OUT_OF_REACH: u8 = 3;

/// What `--json` prints.
#[derive(Serialize)]
struct Answer<'a> {
    ok: bool,
    problems: &'a [Problem],
}

/// Checks the file at `path` and prints what it found: with `json` one JSON object on standard output, else text for
/// people on standard error, coloured only on a terminal. `offline` leaves this host alone: no address is bound and no name looked up.
/// Gives back the exit code: 0 without errors, 1 with, 3 if the file cannot be read.
///
/// # Errors
/// Where standard output or standard error cannot be written.
pub fn run(path: &Path, json: bool, offline: bool) -> io::Result<u8> {
    let probe = if offline { Probe::Offline } else { Probe::Bind };
    let progress = Progress::of_stages(!json);
    let now = Clock::start().now().civil;
    let mut checked = config::check_watched(path, probe, now, &|stage| progress.at(&stage));
    drop(progress);
    if !offline {
        look_up(&mut checked)?;
    }
    if json {
        object(&checked, &mut io::stdout().lock())?
    } else {
        text(&checked, &mut anstream::stderr().lock())?
    }
    Ok(exit_code(&checked))
}

/// Looks up every name of a neighbour and adds what was not found. The node starts all the same and goes on asking; but a
/// name that the DNS does not have is most probably a mistake.
fn look_up(checked: &mut Checked) -> io::Result<()> {
    let names: Vec<_> = checked.names.iter().map(|written| written.name.clone()).collect();
    if names.is_empty() {
        return Ok(());
    }
    let reach = Reach::new(&checked.dns, checked.listen.iter().copied());
    for (written, answer) in checked.names.iter().zip(resolve::look_up(&names, &reach)?) {
        let Err(why) = answer else { continue };
        let (severity, fix) = match why {
            NoWay::Unknown => (Severity::Error, "Mend the name or the DNS, or check with --offline."),
            NoWay::Unanswered | NoWay::NoServer => {
                (Severity::Warning, "See to the DNS servers of [sip] dns or of this host, or check with --offline.")
            }
        };
        let message = format!("{}: {why}", written.name);
        checked.problems.push(Problem { severity, message, fix: fix.into(), ..written.at.clone() });
    }
    checked.problems.sort();
    Ok(())
}

fn exit_code(checked: &Checked) -> u8 {
    match (checked.readable, checked.is_ok()) {
        (false, _) => OUT_OF_REACH,
        (true, false) => WRONG,
        (true, true) => RIGHT,
    }
}

fn object(checked: &Checked, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &Answer { ok: checked.is_ok(), problems: &checked.problems })?;
    writeln!(out)
}

fn text(checked: &Checked, out: &mut impl Write) -> io::Result<()> {
    let bold = Style::new().bold();
    for problem in &checked.problems {
        let Problem { file, line, column, severity, message, fix, .. } = problem;
        let colour = match severity {
            Severity::Error => AnsiColor::Red.on_default().bold(),
            Severity::Warning => AnsiColor::Yellow.on_default().bold(),
        };
        writeln!(out, "{bold}{file}:{line}:{column}:{bold:#} {colour}{severity}:{colour:#} {message}\n  fix: {fix}")?;
    }
    let errors = checked.problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    writeln!(out, "{}, {}", count(errors, "error"), count(checked.problems.len() - errors, "warning"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(severity: Severity) -> Problem {
        Problem {
            file: "hq.toml".into(),
            line: 3,
            column: 7,
            severity,
            key: "sip.listen[0]".into(),
            message: "no \"port\"".into(),
            fix: "Write a port.".into(),
            devices: None,
        }
    }

    #[test]
    fn the_json_answer_is_one_object_with_every_promised_key() {
        let checked = Checked { problems: vec![problem(Severity::Error)], readable: true, ..Checked::default() };
        let mut out = Vec::new();
        object(&checked, &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            concat!(
                r#"{"ok":false,"problems":[{"file":"hq.toml","line":3,"column":7,"severity":"error","#,
                r#""key":"sip.listen[0]","message":"no \"port\"","fix":"Write a port."}]}"#,
                "\n"
            )
        );
    }

    #[test]
    fn text_names_place_severity_message_and_fix_and_counts() {
        let checked = Checked { problems: vec![problem(Severity::Warning)], readable: true, ..Checked::default() };
        let mut out = anstream::StripStream::new(Vec::new());
        text(&checked, &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out.into_inner()).unwrap(),
            "hq.toml:3:7: warning: no \"port\"\n  fix: Write a port.\n0 errors, 1 warning\n"
        );
    }

    #[test]
    fn the_exit_code_tells_right_wrong_and_out_of_reach_apart() {
        for (problems, readable, want) in [
            (vec![], true, RIGHT),
            (vec![problem(Severity::Warning)], true, RIGHT),
            (vec![problem(Severity::Warning), problem(Severity::Error)], true, WRONG),
            (vec![problem(Severity::Error)], false, OUT_OF_REACH),
        ] {
            assert_eq!(exit_code(&Checked { problems, readable, ..Checked::default() }), want);
        }
    }
}
