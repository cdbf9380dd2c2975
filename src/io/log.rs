//! The log: lines for people, or JSON, on standard error.

use std::str;

use bytes::Bytes;
use thiserror::Error;
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::engine::effects::{CallRecord, Note};

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
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
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

/// Writes one note. Counting it was its author's part.
pub fn write(note: &Note) {
    match note {
        Note::CallEnded(record) => write_call(record),
        Note::Alarm { what, call_id, detail } => {
            tracing::warn!(call_id = text(call_id.as_ref()), detail = %detail.escape_debug(), "{what}");
        }
        Note::Debug { what, call_id } => tracing::debug!(call_id = text(call_id.as_ref()), "{what}"),
    }
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
        because = %record.decision.because(&record.plan).escape_debug(),
        "call ended"
    );
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
    use emcc_policies::digits::Digits;
    use emcc_policies::moment::Civil;
    use std::io::{self, Write};
    use std::path::Path;
    use std::sync::{Arc, Mutex};

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

    fn written(level: &str, notes: &[Note]) -> Vec<serde_json::Value> {
        let page = Page::default();
        let writer = page.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(filter(level).unwrap())
            .with_writer(move || writer.clone())
            .json()
            .flatten_event(true)
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            notes.iter().for_each(write);
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
            on_selected_trunk: true,
            numbers: [None, None],
            calling: None,
            target: Target::Digits(Digits::from_bytes(b"9911").unwrap()),
            named: None,
            is_routed: false,
            is_marked_emergency: false,
            is_believed: true,
            turn: 0,
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
        let lines = written("info", &notes());
        assert_eq!(lines.len(), 2, "debug is left out: {lines:?}");
        let call = &lines[0];
        assert_eq!(call["level"], "INFO");
        assert_eq!(call["message"], "call ended");
        assert_eq!(call["call_id"], "a84b4c76e66710@hq");
        assert_eq!((&call["status"], &call["answered_after_ms"]), (&200.into(), &900.into()));
        assert_eq!((&call["role"], &call["emergency"]), (&"home".into(), &true.into()));
    }

    #[test]
    fn an_alarm_is_a_warning_and_a_debug_note_shows_at_debug() {
        let lines = written("debug", &notes());
        assert_eq!(lines.len(), 3);
        assert_eq!((&lines[1]["level"], &lines[1]["message"]), (&"WARN".into(), &"link-over-limit".into()));
        assert_eq!(lines[1]["detail"], "BR audio");
        assert_eq!((&lines[2]["level"], &lines[2]["message"]), (&"DEBUG".into(), &"stray response".into()));
    }

    #[test]
    fn a_level_nobody_knows_is_an_error_and_none_is_info() {
        assert_eq!(filter("emcc_trunk=loud").unwrap_err(), LogError::Level);
        assert!(filter("").is_ok() && filter("warn,emcc_trunk=debug").is_ok());
    }
}
