//! The log: lines for people, or JSON, on standard error.

use std::cell::Cell;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::str;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use thiserror::Error;
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::engine::effects::{CallRecord, Note};
use crate::limits::ENDED_WAITING_MAX;

/// Level and targets, as `tracing-subscriber` spells them; info when it is not set.
pub const LEVEL_VARIABLE: &str = "EMCC_LOG";
/// `json` for one object a line; anything else, or nothing, for people.
pub const FORMAT_VARIABLE: &str = "EMCC_LOG_FORMAT";

/// Why the log could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LogError {
    /// `EMCC_LOG` cannot be read.
    #[error("EMCC_LOG is not a level (error, warn, info, debug, trace) or a list of target=level")]
    Level,
    /// The process has a log already.
    #[error("the log is open already")]
    Open,
}

/// Opens the log of the process, as the environment says.
///
/// # Errors
/// [`LogError`]; nothing is changed then.
pub fn open() -> Result<(), LogError> {
    let level = std::env::var(LEVEL_VARIABLE).unwrap_or_default();
    let filter = filter(&level)?;
    let is_terminal = io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(is_terminal).with_writer(|| Lines);
    let opened = if std::env::var(FORMAT_VARIABLE).is_ok_and(|format| format == "json") {
        builder.json().flatten_event(true).finish().try_init()
    } else {
        builder.with_target(false).finish().try_init()
    };
    opened.map_err(|_| LogError::Open)
}

fn filter(level: &str) -> Result<EnvFilter, LogError> {
    EnvFilter::try_new(if level.is_empty() { "info" } else { level }).map_err(|_| LogError::Level)
}

/// Lines that wait to be written with others: a system call a call ended would cost as much as a message sent.
static WAITING: Mutex<Vec<u8>> = Mutex::new(Vec::new());
/// Octets of lines that wait; more are written at once.
const WAITING_BYTES_MAX: usize = 32_768;

thread_local! {
    /// Whether what this thread writes may wait for [`flush`].
    static MAY_WAIT: Cell<bool> = const { Cell::new(false) };
}

/// Standard error by way of the lines that wait.
struct Lines;

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut waiting = waiting();
        waiting.extend_from_slice(line);
        if !MAY_WAIT.get() || waiting.len() > WAITING_BYTES_MAX {
            write_out(&mut waiting);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn waiting() -> MutexGuard<'static, Vec<u8>> {
    WAITING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write_out(waiting: &mut Vec<u8>) {
    // A log nobody can be told of is no reason to stop serving.
    let _ = io::stderr().lock().write_all(waiting);
    waiting.clear();
}

/// Writes what waits.
pub fn flush() {
    let mut waiting = waiting();
    if !waiting.is_empty() {
        write_out(&mut waiting);
    }
}

/// Calls that ended and have no line yet. Their lines are made together: the code that makes one is as much as a call
/// itself needs, and between two calls others have the processor's caches.
#[derive(Debug, Default)]
pub struct Ended(Vec<CallRecord>);

impl Ended {
    /// Makes the lines of all calls that wait. They are written by [`flush`].
    pub fn make_lines(&mut self) {
        MAY_WAIT.set(true);
        self.0.drain(..).for_each(|record| write_call(&record));
        MAY_WAIT.set(false);
    }
}

/// Writes one note, or lets the line of a call wait in `ended`; whether it does. Counting it was its author's part.
pub fn write(note: Note, ended: &mut Ended) -> bool {
    match note {
        Note::CallEnded(record) => {
            ended.0.push(*record);
            if ended.0.len() >= ENDED_WAITING_MAX {
                ended.make_lines();
            }
            return true;
        }
        Note::Alarm { what, call_id, detail } => {
            tracing::warn!(call_id = text(call_id.as_ref()), detail = %detail.escape_debug(), "{what}");
        }
        Note::Debug { what, call_id } => tracing::debug!(call_id = text(call_id.as_ref()), "{what}"),
    }
    false
}

fn write_call(record: &CallRecord) {
    tracing::info!(
        call_id = text(Some(&record.call_id)),
        role = record.decision.role.word(),
        status = record.status,
        ended_by = record.ended_by,
        emergency = record.decision.emergency,
        lasted_ms = record.lasted_ms,
        answered_after_ms = record.answered_after_ms,
        because = %Plain(&record.decision.because(&record.plan)),
        "call ended"
    );
}

/// A text in which what would break a line is escaped.
struct Plain<T>(T);

impl<T: fmt::Display> fmt::Display for Plain<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        struct Escape<'a, 'f>(&'a mut fmt::Formatter<'f>);
        impl Write for Escape<'_, '_> {
            fn write_str(&mut self, part: &str) -> fmt::Result {
                // Nearly every part is a name or a number, and passes whole.
                // Every octet is looked at, which a processor does many at a time.
                let is_plain = part.bytes().fold(true, |is_plain, octet| {
                    is_plain & matches!(octet, b' '..=b'~') & (octet != b'\\') & (octet != b'"')
                });
                if is_plain { self.0.write_str(part) } else { write!(self.0, "{}", part.escape_debug()) }
            }
        }
        write!(Escape(f), "{}", self.0)
    }
}

/// A Call-ID as text; one that is none is left out rather than changed.
fn text(call_id: Option<&Bytes>) -> Option<&str> {
    call_id.and_then(|call_id| str::from_utf8(call_id).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;
    use crate::engine::decide::{Question, Source, Target, decide};
    use crate::engine::turns::Turns;
    use emcc_policies::digits::Digits;
    use emcc_policies::moment::Civil;
    use std::path::Path;
    use std::sync::Arc;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(level: &str, notes: impl IntoIterator<Item = Note>) -> Vec<serde_json::Value> {
        let page = Page::default();
        let writer = page.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(filter(level).unwrap())
            .with_writer(move || writer.clone())
            .json()
            .flatten_event(true)
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let mut ended = Ended::default();
            for note in notes {
                write(note, &mut ended);
            }
            ended.make_lines();
        });
        let bytes = page.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn notes() -> [Note; 3] {
        let call_id = Bytes::from_static(b"a84b4c76e66710@hq");
        let plan = load(Path::new("examples/pair/hq.toml")).unwrap().plan;
        let question = Question {
            source: Source::CallControl,
            device: Some(b"SEP001122334455"),
            session: None,
            registered_there: None,
            phone: None,
            on_selected_trunk: true,
            numbers: [None, None],
            aside: None,
            calling: None,
            target: Target::Digits(Digits::from_bytes(b"9911").unwrap()),
            named: Default::default(),
            is_routed: false,
            is_marked_emergency: false,
            is_believed: true,
            turns: Turns::at(0),
            at: Civil(0),
        };
        let record = CallRecord {
            call_id: call_id.clone(),
            status: 200,
            ended_by: "caller",
            lasted_ms: 61_000,
            answered_after_ms: Some(900),
            decision: Arc::new(decide(&plan, &question)),
            plan: Arc::new(plan),
        };
        [
            Note::CallEnded(Box::new(record)),
            Note::Alarm { what: "link-over-limit", call_id: Some(call_id), detail: "BR audio".to_owned() },
            Note::Debug { what: "stray response", call_id: None },
        ]
    }

    #[test]
    fn a_call_is_one_line_at_info_with_its_facts() {
        let lines = written("info", notes());
        assert_eq!(lines.len(), 2, "debug is left out: {lines:?}");
        let call = &lines[1];
        assert_eq!(call["level"], "INFO");
        assert_eq!(call["message"], "call ended");
        assert_eq!(call["call_id"], "a84b4c76e66710@hq");
        assert_eq!((&call["status"], &call["answered_after_ms"]), (&200.into(), &900.into()));
        assert_eq!((&call["role"], &call["emergency"]), (&"home".into(), &true.into()));
    }

    #[test]
    fn calls_wait_for_their_lines_until_there_are_enough_of_them() {
        let [Note::CallEnded(record), ..] = notes() else { panic!("a call") };
        let (page, mut ended) = (Page::default(), Ended::default());
        let writer = page.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
        let lines = || page.0.lock().unwrap().iter().filter(|octet| **octet == b'\n').count();
        tracing::subscriber::with_default(subscriber, || {
            for place in 1..=ENDED_WAITING_MAX + 1 {
                assert!(write(Note::CallEnded(record.clone()), &mut ended), "it waits");
                let made = if place < ENDED_WAITING_MAX { 0 } else { ENDED_WAITING_MAX };
                assert_eq!(lines(), made, "after {place}");
            }
            ended.make_lines();
            assert_eq!(lines(), ENDED_WAITING_MAX + 1);
        });
    }

    #[test]
    fn an_alarm_is_a_warning_and_a_debug_note_shows_at_debug() {
        let lines = written("debug", notes());
        assert_eq!(lines.len(), 3);
        assert_eq!((&lines[0]["level"], &lines[0]["message"]), (&"WARN".into(), &"link-over-limit".into()));
        assert_eq!(lines[0]["detail"], "BR audio");
        assert_eq!((&lines[1]["level"], &lines[1]["message"]), (&"DEBUG".into(), &"stray response".into()));
    }

    #[test]
    fn a_name_with_a_line_end_breaks_no_line() {
        assert_eq!(
            Plain("closest match: 9.1! in \"PT\"\nfake").to_string(),
            "closest match: 9.1! in \\\"PT\\\"\\nfake"
        );
        assert_eq!(Plain(format_args!("{}{}", "a b", 'é')).to_string(), "a bé");
    }

    #[test]
    fn lines_that_may_wait_are_written_together_and_others_at_once() {
        MAY_WAIT.set(true);
        Lines.write_all(b"").unwrap();
        let before = waiting().len();
        Lines.write_all(b"lines of a test that may wait\n").unwrap();
        assert_eq!(waiting().len(), before + 30);
        flush();
        MAY_WAIT.set(false);
        Lines.write_all(b"a line of a test that may not\n").unwrap();
        assert!(waiting().is_empty());
    }

    #[test]
    fn a_level_nobody_knows_is_an_error_and_none_is_info() {
        assert_eq!(filter("emcc_trunk=loud").unwrap_err(), LogError::Level);
        assert!(filter("").is_ok() && filter("warn,emcc_trunk=debug").is_ok());
    }
}
