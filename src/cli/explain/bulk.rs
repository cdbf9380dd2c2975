//! `explain call --bulk`: a file of calls, each explained in one row. A row that cannot be explained says why in its own
//! row; the others go on.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use csv::Writer;
use emcc_policies::digits::Digits;
use emcc_policies::moment::Civil;
use serde::Serialize;

use super::call::{dialed, digits};
use super::clusters::Clusters;
use super::walk::{Asked, CallAnswer};
use super::{instant, who};
use crate::cli::halt::{EXIT_WRONG, Halt};
use crate::cli::progress::Progress;
use crate::limits::{BULK_BYTES_MAX, BULK_CALLERS_MAX};
use crate::rows::{Row, Rows};

/// What the rows are asked with, where they do not say otherwise.
pub(super) struct Calls<'a> {
    pub(super) clusters: Clusters,
    pub(super) via: &'a str,
    pub(super) calling: Option<Digits>,
    pub(super) offer: Option<Vec<u8>>,
    pub(super) at: Civil,
}

/// Columns a file of calls may have; the first two it must have.
const COLUMNS: [&str; 5] = ["from", "to", "via", "calling", "at"];
const FROM: usize = 0;
const TO: usize = 1;
const VIA: usize = 2;
const CALLING: usize = 3;
const AT: usize = 4;

/// Columns of the answer.
const ANSWER: [&str; 20] = [
    "line",
    "from",
    "to",
    "cluster",
    "role",
    "emergency",
    "outcome",
    "status",
    "called",
    "calling",
    "pattern",
    "partition",
    "kind",
    "rule",
    "next_hops",
    "codecs",
    "remote_outcome",
    "remote_next_hops",
    "because",
    "error",
];

/// What a row with such a quote is told.
const OPEN_QUOTE: &str = "a quote opened here is never closed: close it in the same row, or remove it";

/// Rows between two moves of the progress bar.
const ROWS_PER_TICK: u64 = 1_024;

/// One row of the answer as an object.
#[derive(Serialize)]
struct Told<'a> {
    line: u32,
    from: &'a str,
    to: &'a str,
    #[serde(flatten)]
    answer: Option<&'a CallAnswer>,
    error: Option<&'a str>,
}

/// Explains every row of `file` (`-`: standard input) on standard output. Gives back the exit code: 1 where a row could
/// not be explained.
///
/// # Errors
/// The file cannot be read or its header is none, or standard output is gone.
pub(super) fn run(calls: &Calls<'_>, file: &Path, json: bool) -> Result<u8, Halt> {
    let text = text_of(file)?;
    let mut rows = Rows::of(&text);
    let columns = header(rows.next()).map_err(|why| Halt::Calls(file.to_owned(), why))?;
    let progress = Progress::over(text.len());
    let mut out = Out::new(json).map_err(Halt::Output)?;
    let mut callers = Callers::default();
    let (mut read, mut wrong) = (0_u64, 0_u64);
    while let Some(row) = rows.next() {
        let open = row.open_quote();
        let call = CallRow { row, columns: &columns };
        let answer = if open.is_some() { Err(OPEN_QUOTE.into()) } else { call.explained(calls, &mut callers) };
        wrong += u64::from(answer.is_err());
        // What stands behind the quote are other rows.
        let text = |column| call.text(column).ok().filter(|_| open.is_none()).unwrap_or_default();
        let (from, to) = (text(FROM), text(TO));
        let (explained, error) = (answer.as_ref().ok(), answer.as_ref().err().map(|why| &**why));
        out.row(&Told { line: row.line, from, to, answer: explained, error }).map_err(Halt::Output)?;
        if let Some(quote) = open {
            rows.go_on_below(quote);
        }
        read += 1;
        if read % ROWS_PER_TICK == 0 {
            progress.done(rows.read());
        }
    }
    out.finish().map_err(Halt::Output)?;
    drop(progress);
    if wrong == 0 {
        return Ok(0);
    }
    let words = format!("{wrong} of {read} rows could not be explained; their column \"error\" says why");
    writeln!(anstream::stderr().lock(), "emcc-trunk: {}: {words}", file.display()).map_err(Halt::Output)?;
    Ok(EXIT_WRONG)
}

/// The whole file, or standard input to its end.
fn text_of(file: &Path) -> Result<Vec<u8>, Halt> {
    let unread = |error| Halt::Unread(file.to_owned(), error);
    let input: Box<dyn Read> = if file.as_os_str() == "-" {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(file).map_err(unread)?)
    };
    let mut text = Vec::new();
    input.take(BULK_BYTES_MAX + 1).read_to_end(&mut text).map_err(unread)?;
    if u64::try_from(text.len()).is_ok_and(|bytes| bytes <= BULK_BYTES_MAX) {
        Ok(text)
    } else {
        Err(Halt::Calls(file.to_owned(), format!("it is longer than {BULK_BYTES_MAX} bytes; split it")))
    }
}

/// The header row, as [`columns`] reads it.
fn header(row: Option<Row<'_>>) -> Result<[Option<usize>; COLUMNS.len()], String> {
    match row {
        Some(row) if row.open_quote().is_some() => Err(format!("line {}: {OPEN_QUOTE}", row.line)),
        row => columns(row),
    }
}

/// Where each of [`COLUMNS`] stands in the file.
fn columns(header: Option<Row<'_>>) -> Result<[Option<usize>; COLUMNS.len()], String> {
    let mut found = [None; COLUMNS.len()];
    let is_known = |name: &str| COLUMNS.iter().any(|column| column.eq_ignore_ascii_case(name));
    if let Some(separator) = header.and_then(|header| header.other_separator(is_known)) {
        return Err(format!("{separator} stand between the fields of the header, where a comma has to"));
    }
    for (place, name) in header.iter().flat_map(Row::fields).enumerate() {
        let name = String::from_utf8_lossy(name);
        let known = COLUMNS.iter().position(|column| column.eq_ignore_ascii_case(&name));
        match known.and_then(|at| found.get_mut(at)) {
            None => {
                let known = COLUMNS.join(", ");
                return Err(format!("the header's column {} is called '{name}'; columns are {known}", place + 1));
            }
            Some(Some(_)) => return Err(format!("the header's column {} is '{name}' a second time", place + 1)),
            Some(column) => *column = Some(place),
        }
    }
    match found {
        [Some(_), Some(_), ..] => Ok(found),
        _ => Err("the header needs the columns from and to".into()),
    }
}

/// A row of the file.
struct CallRow<'a> {
    row: Row<'a>,
    columns: &'a [Option<usize>; COLUMNS.len()],
}

impl CallRow<'_> {
    /// The field of a column; empty where the file has no such column or the row is shorter.
    fn text(&self, column: usize) -> Result<&str, String> {
        let place = self.columns.get(column).copied().flatten();
        let name = COLUMNS.get(column).copied().unwrap_or_default();
        let field = place.map(|place| self.row.field(place)).unwrap_or_default();
        std::str::from_utf8(field).map_err(|_| format!("{name}: it is not UTF-8"))
    }

    /// The field of a column as `read` understands it; none where it is empty.
    fn read<T>(&self, column: usize, read: impl Fn(&str) -> Result<T, &'static str>) -> Result<Option<T>, String> {
        let text = self.text(column)?;
        if text.is_empty() {
            return Ok(None);
        }
        let name = COLUMNS.get(column).copied().unwrap_or_default();
        read(text).map(Some).map_err(|why| format!("{name}: '{text}': {why}"))
    }

    fn explained(&self, calls: &Calls<'_>, callers: &mut Callers) -> Result<CallAnswer, String> {
        if self.row.len() > self.columns.iter().flatten().count() {
            return Err("it has more fields than the header".into());
        }
        let from = self.text(FROM)?;
        if from.is_empty() {
            return Err("from: it is empty".into());
        }
        let to = self.read(TO, dialed)?.ok_or("to: it is empty")?;
        let via = Some(self.text(VIA)?).filter(|via| !via.is_empty()).unwrap_or(calls.via);
        let calling = self.read(CALLING, digits)?.or(calls.calling);
        let at = self.read(AT, instant::parse)?.unwrap_or(calls.at);
        let caller = callers.find(calls, from, via)?;
        let offer = calls.offer.clone();
        let over = None;
        let asked =
            Asked { caller, over, to, calling, offer, is_marked_emergency: false, with_alternatives: false, at };
        calls.clusters.follow(asked).map_err(|_| "the offer is no session description".into())
    }
}

/// Callers found before: a file asks of the same ones again and again, and some take a walk over all sessions to find.
#[derive(Default)]
struct Callers(HashMap<(Box<str>, Box<str>), who::Caller>);

impl Callers {
    fn find(&mut self, calls: &Calls<'_>, who: &str, via: &str) -> Result<who::Caller, String> {
        let key = (who.into(), via.into());
        if let Some(caller) = self.0.get(&key) {
            return Ok(caller.clone());
        }
        let caller = who::find(&calls.clusters.here.plan, who, via).map_err(|halt| halt.to_string())?;
        if self.0.len() >= BULK_CALLERS_MAX {
            self.0.clear();
        }
        self.0.insert(key, caller.clone());
        Ok(caller)
    }
}

/// What keeps standard output from being written to, as the system said it.
fn unwritten(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

/// Standard output in either form.
enum Out {
    Json(BufWriter<io::StdoutLock<'static>>),
    Csv(Box<Writer<io::StdoutLock<'static>>>),
}

impl Out {
    fn new(json: bool) -> io::Result<Self> {
        let out = io::stdout().lock();
        if json {
            return Ok(Self::Json(BufWriter::with_capacity(1 << 16, out)));
        }
        let mut writer = Writer::from_writer(out);
        writer.write_record(ANSWER).map_err(unwritten)?;
        Ok(Self::Csv(Box::new(writer)))
    }

    fn row(&mut self, told: &Told<'_>) -> io::Result<()> {
        match self {
            Self::Json(out) => {
                serde_json::to_writer(&mut *out, told)?;
                out.write_all(b"\n")
            }
            Self::Csv(out) => out.write_record(fields(told)).map_err(unwritten),
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Json(out) => out.flush(),
            Self::Csv(out) => out.flush(),
        }
    }
}

/// The fields of a row, in the order of [`ANSWER`].
fn fields(told: &Told<'_>) -> [String; ANSWER.len()] {
    let Told { line, from, to, answer, error } = told;
    let mut fields: [String; ANSWER.len()] = Default::default();
    let mut put = |column: &str, text: String| {
        let place = ANSWER.iter().position(|name| *name == column);
        if let Some(field) = place.and_then(|place| fields.get_mut(place)) {
            *field = text;
        }
    };
    put("line", line.to_string());
    put("from", (*from).into());
    put("to", (*to).into());
    put("error", error.unwrap_or_default().into());
    let Some(answer) = answer else { return fields };
    put("cluster", answer.cluster.clone());
    put("role", answer.role.into());
    put("emergency", answer.emergency.to_string());
    put("outcome", answer.outcome.into());
    put("status", answer.status.map(|status| status.to_string()).unwrap_or_default());
    put("called", answer.called.clone().unwrap_or_default());
    put("calling", answer.calling.clone().unwrap_or_default());
    if let Some(matched) = &answer.matched {
        put("pattern", matched.pattern.clone());
        put("partition", matched.partition.clone().unwrap_or_default());
        put("kind", matched.kind.into());
    }
    put("rule", answer.rules.last().map(|rule| format!("{}:{}", rule.file, rule.line)).unwrap_or_default());
    put("next_hops", hops(answer));
    put("codecs", answer.codecs.as_ref().map(|codecs| codecs.join(" ")).unwrap_or_default());
    if let Some(remote) = &answer.remote {
        put("remote_outcome", remote.outcome.into());
        put("remote_next_hops", hops(remote));
    }
    put("because", answer.because.join("; "));
    fields
}

/// The hops as `number@name`, in order.
fn hops(answer: &CallAnswer) -> String {
    let hops = answer.next_hops.iter().map(|hop| match &hop.called {
        Some(called) => format!("{called}@{}", hop.name),
        None => hop.name.clone(),
    });
    hops.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: &str) -> Result<[Option<usize>; COLUMNS.len()], String> {
        columns(Rows::of(header.as_bytes()).next())
    }

    #[test]
    fn columns_stand_in_any_order_and_case_and_strange_ones_are_named() {
        assert_eq!(read("to, FROM "), Ok([Some(1), Some(0), None, None, None]));
        assert_eq!(read("\u{feff}from,to,at"), Ok([Some(0), Some(1), None, None, Some(2)]));
        for (header, part) in [
            ("from", "needs the columns from and to"),
            ("from,to,name", "column 3 is called 'name'; columns are from, to, via, calling, at"),
            ("from,to,to", "column 3 is 'to' a second time"),
        ] {
            let why = read(header).unwrap_err();
            assert!(why.contains(part), "{header}: {why}");
        }
    }
}
