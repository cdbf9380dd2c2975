//! Files into a document: reads the named file and what it includes, each once, within bounds.

use super::Stage;
use super::bulk::{self, BulkFile, BulkKind};
use super::document::Document;
use super::reader::Reader;
use super::report::{At, Place, Report};
use super::section::Section;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use toml::de::DeTable;

/// Files that include files that include files: deeper is a mistake.
const INCLUDE_DEPTH_MAX: usize = 8;
/// Files of one configuration.
const FILES_MAX: usize = 256;
/// Bytes of one file.
const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// What was read, with the report that its places belong to.
pub(super) struct Source {
    pub(super) document: Document,
    pub(super) report: Report,
    /// Whether every file parsed: in a torn one, what is missing may stand in the part that was skipped.
    pub(super) whole: bool,
    /// Whether the named file itself could be read at all.
    pub(super) readable: bool,
}

/// Reads `path` and its includes. Never fails: what goes wrong is in the report.
pub(super) fn read(path: &Path, watched: &dyn Fn(Stage<'_>)) -> Source {
    let mut loader = Loader::new(watched);
    let readable = loader.file(path, None, 0);
    let Loader { reader, report, whole, .. } = loader;
    let document = reader.into_document(&report, whole && readable);
    Source { document, report, whole: whole && readable, readable }
}

/// Reads a text that is no file; what it includes is looked for where the process stands.
pub(super) fn read_text(name: &str, text: &str) -> Source {
    let mut loader = Loader::new(&|_| ());
    loader.text(Path::new(name), text.into(), 0);
    let Loader { reader, report, whole, .. } = loader;
    let document = reader.into_document(&report, whole);
    Source { document, report, whole, readable: true }
}

struct Loader<'w> {
    reader: Reader,
    report: Report,
    seen: HashSet<PathBuf>,
    whole: bool,
    /// Of all files so far.
    octets: u64,
    watched: &'w dyn Fn(Stage<'_>),
}

impl<'w> Loader<'w> {
    fn new(watched: &'w dyn Fn(Stage<'_>)) -> Self {
        let (reader, report) = (Reader::default(), Report::default());
        Self { reader, report, seen: HashSet::new(), whole: true, octets: 0, watched }
    }

    /// Whether the file could be read. `from` is the include that names it; without one it is the main file.
    fn file(&mut self, path: &Path, from: Option<&Place>, depth: usize) -> bool {
        let real = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        if let Some(place) = from {
            if depth > INCLUDE_DEPTH_MAX {
                self.report.error(
                    place,
                    format!("files include each other more than {INCLUDE_DEPTH_MAX} deep"),
                    "Include fewer levels.",
                );
                return false;
            }
            if self.seen.len() >= FILES_MAX {
                self.report.error(place, format!("more than {FILES_MAX} files"), "Put several files into one.");
                return false;
            }
            if self.seen.contains(&real) {
                let message = format!("{} is included a second time", path.display());
                self.report.error(place, message, "Include every file once, and no file from itself.");
                return false;
            }
        }
        self.seen.insert(real);
        (self.watched)(Stage::Reading { file: path, octets_before: self.octets });
        match text_of(path) {
            Ok(text) => {
                self.octets += text.len() as u64;
                self.text(path, text.into(), depth);
                true
            }
            Err(why) => {
                let message = format!("{} cannot be read: {why}", path.display());
                let fix = "Name a readable TOML file.";
                match from {
                    Some(place) => self.report.error(place, message, fix),
                    None => self.report.unreadable(path.display().to_string(), message, fix.into()),
                }
                self.whole = false;
                false
            }
        }
    }

    fn text(&mut self, path: &Path, text: Rc<str>, depth: usize) {
        let file = self.report.add_file(path.display().to_string(), text.clone());
        let (tree, mistakes) = DeTable::parse_recoverable(&text);
        for mistake in &mistakes {
            let offset = mistake.span().map_or(text.len(), |span| span.start);
            let place = Place::new(file, offset, "");
            self.report.error(&place, format!("not TOML: {}", mistake.message()), syntax_fix(mistake.message()));
        }
        self.whole &= mistakes.is_empty();
        let root = Section::root(&tree, file, !mistakes.is_empty(), &self.report);
        let (includes, bulk) = self.reader.read(root, &self.report);
        // A large tree is gone before the next is made.
        drop(tree);
        let folder = path.parent().unwrap_or(Path::new(""));
        for include in includes {
            for path in self.included(folder, &include) {
                self.file(&path, Some(&include.place), depth + 1);
            }
        }
        for BulkFile { kind, path } in bulk {
            self.rows(kind, &path);
        }
    }

    /// Reads a CSV file.
    fn rows(&mut self, kind: BulkKind, path: &At<PathBuf>) {
        match text_of(&path.value) {
            Ok(text) => {
                let text: Rc<str> = text.into();
                let file = self.report.add_file(path.value.display().to_string(), text.clone());
                self.whole &= bulk::read(kind, &text, file, &mut self.reader, &self.report);
            }
            Err(why) => {
                let message = format!("{} cannot be read: {why}", path.value.display());
                self.report.error(&path.place, message, "Name a readable CSV file.");
                self.whole = false;
            }
        }
    }

    /// The files an include means, in byte order of their names. `*` stands for any characters of the last component.
    fn included(&self, folder: &Path, include: &At<String>) -> Vec<PathBuf> {
        let written = Path::new(&include.value);
        let last = written.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let parent = written.parent().unwrap_or(Path::new(""));
        if parent.to_string_lossy().contains('*') || last.is_empty() {
            let message = format!("\"{}\" names no files", include.value);
            self.report.error(
                &include.place,
                message,
                "Write a path whose last part may have a *, as in \"more/*.toml\".",
            );
            return Vec::new();
        }
        let folder = folder.join(parent);
        if !last.contains('*') {
            return vec![folder.join(last)];
        }
        let listing = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
        let entries = std::fs::read_dir(listing).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<_> = names.filter(|name| !name.starts_with('.') && fits(last, name)).collect();
        names.sort_unstable();
        if names.is_empty() {
            let message = format!("\"{}\" includes no file", include.value);
            self.report.warning(&include.place, message, "Put a file there, or remove the include.");
        }
        names.truncate(FILES_MAX + 1);
        names.into_iter().map(|name| folder.join(name)).collect()
    }
}

fn text_of(path: &Path) -> Result<String, Unreadable> {
    let bytes = std::fs::metadata(path)?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(Unreadable::TooLong);
    }
    String::from_utf8(std::fs::read(path)?).map_err(|_| Unreadable::NotText)
}

/// Why there is no text to parse.
#[derive(Debug, thiserror::Error)]
enum Unreadable {
    #[error("{0}")]
    System(#[from] std::io::Error),
    #[error("it is longer than {} MiB", FILE_BYTES_MAX >> 20)]
    TooLong,
    #[error("it is not UTF-8 text")]
    NotText,
}

fn syntax_fix(message: &str) -> &'static str {
    if message.contains("duplicate") {
        return "Keep one of the two; several of a kind are written [[name]], with two brackets.";
    }
    if message.contains("string") || message.contains('"') {
        return "Put texts in double quotes, closed on the same line.";
    }
    "Write name = value, with texts in double quotes; [name] begins a table, [[name]] one of several."
}

/// Whether a name fits a pattern in which `*` stands for any characters.
fn fits(pattern: &str, name: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(head) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let Some(tail) = parts.pop() else { return true };
    for part in parts {
        let Some(at) = name.find(part) else { return false };
        name = name.get(at + part.len()..).unwrap_or_default();
    }
    name.ends_with(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, name, want) in [
            ("*.toml", "a.toml", true),
            ("*.toml", "a.tom", false),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "ac", false),
            ("*", "anything", true),
            ("a.toml", "a.toml", true),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(fits(pattern, name), want, "{pattern} against {name}");
        }
    }
}
