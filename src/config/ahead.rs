//! Files read before their turn, several at once. Each is read apart from all others, into a document and a report of its
//! own, and added to what came before it when its turn comes: what is read, and every problem's place in the list, is the
//! same however many threads there are.

use super::bulk::{self, BulkFile, BulkKind, NotUtf8};
use super::document::Text;
use super::pieces::{self, Pieces};
use super::reader::{Reader, TRUNK_TWICE};
use super::report::{Place, Report};
use super::section::{Section, TRUNKS};
use super::spaced;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use toml::de::DeTable;

/// Bytes of one file.
const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Form {
    /// TOML.
    Tables,
    /// CSV.
    Rows(BulkKind),
}

/// What a file says beside its rows.
pub(super) struct Taken {
    pub(super) includes: Vec<Text>,
    pub(super) bulk: Vec<BulkFile>,
    /// Whether all of it was read.
    pub(super) whole: bool,
    /// Whether it did not parse: of tables, those that were skipped may have anything.
    pub(super) torn: bool,
}

/// A file whose text is here.
pub(super) struct Read {
    pub(super) text: Arc<String>,
    /// What is no text in it: all else is read all the same.
    pub(super) flaw: Option<NotUtf8>,
    /// Its rows and problems. Nothing where it must be read in its turn: it has tables that exist once.
    pub(super) apart: Option<(Reader, Report, Taken)>,
}

/// Files by form and name.
pub(super) type Ahead = HashMap<(Form, PathBuf), Result<Read, Unreadable>>;

/// Where reading has come to.
enum News {
    Begun(usize),
    Done(usize, Box<Result<Read, Unreadable>>),
}

/// Reads files on so many threads. They are numbered from `first`; `watched` is told of each that begins, and how many
/// octets those have that are done. What no thread could be had for is missing.
pub(super) fn read(files: &[(Form, PathBuf)], first: u16, threads: usize, watched: &dyn Fn(&Path, u64)) -> Ahead {
    let next = AtomicUsize::new(0);
    let (tell, told) = mpsc::channel();
    let mut ahead = Ahead::new();
    thread::scope(|scope| {
        for _ in 0..threads.min(files.len()) {
            let (tell, next) = (tell.clone(), &next);
            let work = move || {
                while let Some((at, (form, path))) = numbered(files, next.fetch_add(1, Ordering::Relaxed)) {
                    let number = first.saturating_add(u16::try_from(at).unwrap_or(u16::MAX));
                    // Who hears it waits for all of them.
                    let _heard = tell.send(News::Begun(at));
                    let _heard = tell.send(News::Done(at, Box::new(read_apart(*form, path, number))));
                }
            };
            let _spawned = thread::Builder::new().name("config".to_owned()).spawn_scoped(scope, work);
        }
        drop(tell);
        let mut octets = 0;
        for news in told {
            match news {
                News::Begun(at) => files.get(at).into_iter().for_each(|(_, path)| watched(path, octets)),
                News::Done(at, read) => {
                    if let Ok(read) = &*read {
                        octets += read.text.len() as u64;
                    }
                    ahead.extend(files.get(at).map(|file| (file.clone(), *read)));
                }
            }
        }
    });
    ahead
}

fn numbered<T>(files: &[T], at: usize) -> Option<(usize, &T)> {
    files.get(at).map(|file| (at, file))
}

fn read_apart(form: Form, path: &Path, number: u16) -> Result<Read, Unreadable> {
    let (text, flaw) = text_of(path)?;
    let (mut reader, report) =
        (Reader::default(), Report::apart(number, path.display().to_string(), Arc::clone(&text)));
    let taken = take(form, &text, flaw, true, number, &mut reader, &report);
    let apart = reader.is_of_rows().then_some((reader, report, taken));
    Ok(Read { text, flaw, apart })
}

/// Reads a text into the reader's document; tables that do not parse only where these are kept, for in the part that was
/// skipped may stand what they lack. Every mistake goes to the report.
pub(super) fn take(
    form: Form,
    text: &str,
    flaw: Option<NotUtf8>,
    keeps_torn: bool,
    file: u16,
    reader: &mut Reader,
    report: &Report,
) -> Taken {
    match form {
        Form::Tables => tables(text, flaw, keeps_torn, file, reader, report),
        Form::Rows(kind) => {
            let whole = bulk::read(kind, text, flaw, file, reader, report);
            Taken { includes: Vec::new(), bulk: Vec::new(), whole, torn: false }
        }
    }
}

fn tables(
    text: &str,
    flaw: Option<NotUtf8>,
    keeps_torn: bool,
    file: u16,
    reader: &mut Reader,
    report: &Report,
) -> Taken {
    if let Some(flaw) = flaw {
        flaw.tell(file, report);
        // Another encoding altogether, as the mark at its beginning says.
        if text.starts_with(NotUtf8::REPLACED) {
            return Taken { includes: Vec::new(), bulk: Vec::new(), whole: false, torn: true };
        }
    } else if let Some(Pieces { first, others }) = pieces::of(text, file) {
        let (includes, bulk) = reader.read_before(Section::root(&first, file, false, report), others, report);
        return Taken { includes, bulk, whole: true, torn: false };
    }
    let (mut tree, mut mistakes) = DeTable::parse_recoverable(text);
    let offsets = mistakes.iter().map(|mistake| mistake.span().map_or(text.len(), |span| span.start));
    let spaced = if flaw.is_none() { spaced::names(text, offsets) } else { Vec::new() };
    let joined;
    if !spaced.is_empty() {
        // What the parser says of the rest is true once these are words.
        joined = spaced::joined(text, &spaced);
        (tree, mistakes) = DeTable::parse_recoverable(&joined);
    }
    for name in &spaced {
        let (offset, name) = (name.start, text.get(name.clone()).unwrap_or_default());
        let message = format!("not TOML: \"{name}\" has spaces and no quotes");
        report.error(&Place::new(file, offset, ""), message, spaced::fix(name));
    }
    // Where the last table that is there twice begins: its keys are read into the first.
    let mut twice = None;
    for mistake in &mistakes {
        let offset = mistake.span().map_or(text.len(), |span| span.start);
        let line = line_at(text, offset);
        // What such an octet made of its line is one mistake, not two.
        if flaw.is_some() && line.contains(NotUtf8::REPLACED) {
            continue;
        }
        if mistake.message().contains("duplicate") {
            let is_header = line.trim_start().starts_with('[');
            let between = twice.filter(|_| !is_header).and_then(|begins| text.get(begins..offset));
            // Keys of such a table are that one mistake, not several.
            if between.is_some_and(|between| !between.contains("\n[")) {
                continue;
            }
            twice = Some(offset).filter(|_| is_header);
        }
        let (why, fix) = syntax_fix(mistake.message(), line);
        report.error(&Place::new(file, offset, ""), format!("not TOML: {}{why}", mistake.message()), fix);
    }
    let torn = !(mistakes.is_empty() && spaced.is_empty());
    let root = Section::root(&tree, file, torn, report).with_lost_octets(flaw.is_some());
    let (includes, bulk) =
        if !torn || keeps_torn { reader.read(root, report) } else { reader.read_beside(root, report) };
    Taken { includes, bulk, whole: !torn && flaw.is_none(), torn }
}

fn line_at(text: &str, offset: usize) -> &str {
    let (before, behind) = text.split_at_checked(offset).unwrap_or((text, ""));
    let (begins, ends) = (before.rfind('\n').map_or(0, |end| end + 1), behind.find('\n').unwrap_or(behind.len()));
    text.get(begins..before.len() + ends).unwrap_or_default()
}

/// The text of a file, read around octets that are no text, of which the first is given back.
///
/// # Errors
/// Why there is none.
pub(super) fn text_of(path: &Path) -> Result<(Arc<String>, Option<NotUtf8>), Unreadable> {
    let file = std::fs::metadata(path)?;
    // Nobody may ever write into a pipe, and some devices never end.
    if !file.is_file() && !file.is_dir() {
        return Err(Unreadable::NoFile);
    }
    if file.len() > FILE_BYTES_MAX {
        return Err(Unreadable::TooLong);
    }
    match String::from_utf8(std::fs::read(path)?) {
        Ok(text) => Ok((Arc::new(text), None)),
        Err(error) => {
            let offset = error.utf8_error().valid_up_to();
            let octet = error.as_bytes().get(offset).copied().unwrap_or_default();
            let is_utf16 = [[0xff, 0xfe], [0xfe, 0xff]].iter().any(|mark| error.as_bytes().starts_with(mark));
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            Ok((Arc::new(text), Some(NotUtf8 { octet, offset, is_utf16 })))
        }
    }
}

/// Why there is no text to parse.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("{0}")]
    System(#[from] std::io::Error),
    #[error("it is longer than {} MiB", FILE_BYTES_MAX >> 20)]
    TooLong,
    #[error("it is a pipe, a device or a socket, and no file")]
    NoFile,
}

/// What more there is to say of a mistake, and what to do.
fn syntax_fix(message: &str, line: &str) -> (&'static str, &'static str) {
    let header = line.trim().trim_matches(['[', ']', ' ']);
    if message.contains("duplicate") && line.trim_start().starts_with('[') && TRUNKS.contains(&header) {
        return (": a cluster has at most two EMCC trunks, one of each name (R-8)", TRUNK_TWICE);
    }
    let fix = if message.contains("duplicate") {
        "Keep one of the two; several of a kind are written [[name]], with two brackets."
    } else if message.contains("string") || message.contains('"') {
        "Put texts in double quotes, closed on the same line."
    } else {
        "Write name = value, with texts in double quotes; [name] begins a table, [[name]] one of several."
    };
    ("", fix)
}
