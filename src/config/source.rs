//! Files into a document: reads the named file and what it includes, each once, within bounds.

use super::Stage;
use super::ahead::{self, Ahead, Form, Read, Taken, Unreadable};
use super::bulk::{BulkFile, BulkKind};
use super::document::{Document, Text};
use super::reader::Reader;
use super::report::{Place, Report, Slipped};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Files that include files that include files: deeper is a mistake.
const INCLUDE_DEPTH_MAX: usize = 8;
/// Files of one configuration.
const FILES_MAX: usize = 256;

/// What was read, with the report that its places belong to.
pub(super) struct Source {
    pub(super) document: Document,
    pub(super) report: Report,
    /// What of it could not be read.
    pub(super) unread: Unread,
    /// Whether the named file itself could be read at all.
    pub(super) readable: bool,
}

/// What could not be read, and may have what is missing elsewhere.
#[derive(Clone, Debug, Default)]
pub(super) struct Unread {
    /// The named file, or the whole of it.
    pub(super) main: bool,
    /// A file it includes, or the whole of it; nothing of that one is in the document. Or a value of any file.
    pub(super) tables: bool,
    /// CSV files, or rows of them, of these kinds.
    pub(super) rows: Vec<BulkKind>,
    /// Tables of which something was not understood: what is missing of them is, but who names it may name what slipped.
    pub(super) slipped: Vec<Slipped>,
}

impl Unread {
    /// Whether there is nothing: what is missing is missing.
    pub(super) fn is_nothing(&self) -> bool {
        !self.main && !self.tables && self.rows.is_empty()
    }

    /// Whether it may have a row of a table.
    pub(super) fn may_have(&self, table: &str) -> bool {
        let is_slipped = |slip: &Slipped| {
            // Local route groups are there where a pool maps them.
            slip.is_nameless && slip.table == table || slip.table == "device_pool" && table == "local_route_group"
        };
        let has_rows = || self.rows.iter().any(|kind| kind.has(table));
        self.main || self.tables || has_rows() || self.slipped.iter().any(is_slipped)
    }

    /// Whether something of the table was not understood.
    pub(super) fn is_slipped(&self, table: &str) -> bool {
        self.slipped.iter().any(|slip| slip.table == table)
    }

    /// Adds what slipped in what was read.
    fn add_slipped(&mut self, report: &Report) {
        self.slipped = report.slipped();
        // Which files there are is not known.
        self.tables |= self.is_slipped("csv");
    }

    /// Adds a file; `torn`: not even its tables are known.
    fn add(&mut self, form: Form, depth: usize, torn: bool) {
        match form {
            Form::Tables if depth == 0 && torn => self.main = true,
            Form::Tables => self.tables = true,
            Form::Rows(kind) => self.rows.push(kind),
        }
    }
}

/// Reads `path` and its includes, on so many threads. Never fails: what goes wrong is in the report.
pub(super) fn read(path: &Path, threads: usize, watched: &dyn Fn(Stage<'_>)) -> Source {
    let mut loader = Loader::new(threads, watched);
    let readable = loader.file(path, None, 0);
    let Loader { reader, report, mut unread, .. } = loader;
    unread.add_slipped(&report);
    let document = reader.into_document(&report, unread.is_nothing());
    Source { document, report, unread, readable }
}

/// Reads a text that is no file; what it includes is looked for where the process stands.
pub(super) fn read_text(name: &str, text: &str) -> Source {
    let mut loader = Loader::new(1, &|_| ());
    loader.take(Form::Tables, Path::new(name), Read { text: Arc::new(text.into()), flaw: None, apart: None }, 0);
    let Loader { reader, report, mut unread, .. } = loader;
    unread.add_slipped(&report);
    let document = reader.into_document(&report, unread.is_nothing());
    Source { document, report, unread, readable: true }
}

struct Loader<'w> {
    reader: Reader,
    report: Report,
    seen: HashSet<PathBuf>,
    unread: Unread,
    /// Of all files so far.
    octets: u64,
    /// Files whose turn has not come.
    ahead: Ahead,
    threads: usize,
    watched: &'w dyn Fn(Stage<'_>),
}

impl<'w> Loader<'w> {
    fn new(threads: usize, watched: &'w dyn Fn(Stage<'_>)) -> Self {
        let (reader, report) = (Reader::default(), Report::default());
        Self {
            reader,
            report,
            seen: HashSet::new(),
            unread: Unread::default(),
            octets: 0,
            ahead: Ahead::new(),
            threads,
            watched,
        }
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
        match self.read(Form::Tables, path) {
            Ok(read) => {
                self.take(Form::Tables, path, read, depth);
                true
            }
            Err(why) => {
                let message = format!("{} cannot be read: {why}", path.display());
                let fix = "Name a readable TOML file.";
                match from {
                    Some(place) => self.report.error(place, message, fix),
                    None => self.report.unreadable(path.display().to_string(), message, fix.into()),
                }
                self.unread.add(Form::Tables, depth, true);
                false
            }
        }
    }

    /// The file, which may have been read ahead.
    fn read(&mut self, form: Form, path: &Path) -> Result<Read, Unreadable> {
        let read = self.ahead.remove(&(form, path.to_path_buf())).unwrap_or_else(|| {
            (self.watched)(Stage::Reading { file: path, octets_before: self.octets });
            let (text, flaw) = ahead::text_of(path)?;
            Ok(Read { text, flaw, apart: None })
        })?;
        self.octets += read.text.len() as u64;
        Ok(read)
    }

    /// Adds what a file says, and all it includes.
    fn take(&mut self, form: Form, path: &Path, Read { text, flaw, apart }: Read, depth: usize) {
        let Taken { includes, bulk, whole, torn } = match apart {
            Some((reader, report, taken)) => {
                if !taken.torn {
                    self.reader.take_in(reader);
                }
                self.report.take_in(report);
                taken
            }
            None => {
                let file = self.report.add_file(path.display().to_string(), Arc::clone(&text));
                let keeps_torn = depth == 0;
                ahead::take(form, &text, flaw, keeps_torn, file, &mut self.reader, &self.report)
            }
        };
        if !whole {
            self.unread.add(form, depth, torn);
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        let included: Vec<_> = includes.into_iter().map(|include| (listed(folder, &include.value), include)).collect();
        self.read_ahead(&included, &bulk);
        for (listed, include) in included {
            for path in self.told(listed, &include) {
                self.file(&path, Some(&include.place), depth + 1);
            }
        }
        for BulkFile { kind, path } in bulk {
            match self.read(Form::Rows(kind), &path.value) {
                Ok(read) => self.take(Form::Rows(kind), &path.value, read, depth),
                Err(why) => {
                    let message = format!("{} cannot be read: {why}", path.value.display());
                    self.report.error(&path.place, message, "Name a readable CSV file.");
                    self.unread.add(Form::Rows(kind), depth, true);
                }
            }
        }
    }

    /// Reads what comes next, where several threads may and there are several files.
    fn read_ahead(&mut self, included: &[(Option<Vec<PathBuf>>, Text)], bulk: &[BulkFile]) {
        let tables = included.iter().flat_map(|(paths, _)| paths.iter().flatten());
        let rows = bulk.iter().map(|file| (Form::Rows(file.kind), file.path.value.clone()));
        let mut files: Vec<_> = tables.map(|path| (Form::Tables, path.clone())).chain(rows).collect();
        let mut met = HashSet::new();
        files.retain(|file| !self.ahead.contains_key(file) && met.insert(file.clone()));
        files.truncate(FILES_MAX);
        if self.threads < 2 || files.len() < 2 {
            return;
        }
        let (before, watched) = (self.octets, self.watched);
        let first = self.report.keep_numbers(files.len());
        self.ahead.extend(ahead::read(&files, first, self.threads, &|file, octets| {
            watched(Stage::Reading { file, octets_before: before + octets });
        }));
    }

    /// The files an include means; where there are none, that is told.
    fn told(&self, listed: Option<Vec<PathBuf>>, include: &Text) -> Vec<PathBuf> {
        let Some(paths) = listed else {
            let message = format!("\"{}\" names no files", include.value);
            let fix = "Write a path whose last part may have a *, as in \"more/*.toml\".";
            self.report.error(&include.place, message, fix);
            return Vec::new();
        };
        if paths.is_empty() {
            let message = format!("\"{}\" includes no file", include.value);
            self.report.warning(&include.place, message, "Put a file there, or remove the include.");
        }
        paths
    }
}

/// The files an include means, in byte order of their names; nothing where it means none that could be. `*` stands for
/// any characters of the last component.
fn listed(folder: &Path, include: &str) -> Option<Vec<PathBuf>> {
    let written = Path::new(include);
    let last = written.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let parent = written.parent().unwrap_or(Path::new(""));
    if parent.to_string_lossy().contains('*') || last.is_empty() {
        return None;
    }
    let folder = folder.join(parent);
    if !last.contains('*') {
        return Some(vec![folder.join(last)]);
    }
    let listing = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
    let entries = std::fs::read_dir(listing).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<_> = names.filter(|name| !name.starts_with('.') && fits(last, name)).collect();
    names.sort_unstable();
    names.truncate(FILES_MAX + 1);
    Some(names.into_iter().map(|name| folder.join(name)).collect())
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

    /// A folder of files, gone when it is dropped.
    struct Folder(PathBuf);

    impl Folder {
        fn of(name: &str, files: &[(&str, String)]) -> Self {
            let folder = std::env::temp_dir().join(format!("emcc-trunk-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&folder).unwrap();
            for (name, text) in files {
                std::fs::write(folder.join(name), text).unwrap();
            }
            Self(folder)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _gone = std::fs::remove_dir_all(&self.0);
        }
    }

    /// Every pattern and device with its place, and every problem in its order.
    fn said(path: &Path, threads: usize) -> (Vec<String>, Vec<crate::config::Problem>, bool) {
        let Source { document, report, unread, .. } = read(path, threads, &|_| ());
        let at = |place: &Place| report.problem_at(place).to_string() + &place.key();
        let patterns =
            document.patterns.iter().map(|row| row.pattern.value.text().to_owned() + &at(&row.pattern.place));
        let devices = document.devices.iter().flat_map(|row| row.directory_numbers.iter().chain([&row.name]));
        let said = patterns.chain(devices.map(|text| text.value.clone() + &at(&text.place))).collect();
        (said, report.into_problems(), unread.is_nothing())
    }

    /// Of mistakes beyond the bound the first are listed; which these are must not depend on who was faster.
    #[test]
    fn what_is_read_and_every_problem_is_the_same_on_any_number_of_threads() {
        let rows = |wrong: usize, first: usize| -> String {
            let row = |number: usize| {
                let pattern = if number < wrong { "12Y".to_owned() } else { (first + number).to_string() };
                format!("[[route_pattern]]\npattern = \"{pattern}\"\nroute_list = \"RL\"\n")
            };
            (0..700).map(row).collect()
        };
        let main = "include = [\"a-*.toml\", \"none-*.toml\", \"b.toml\", \"lost.toml\", \"more/*/x.toml\", \"a-1.toml\"]\n\
                    [cluster]\nid = \"HQ\"\n[sip]\nlisten = [\"udp:127.0.0.1:5060\"]\nlisen = 1\n\
                    [csv]\ndevices = \"devices.csv\"\npatterns = \"patterns.csv\"\nusers = \"lost.csv\"\n";
        let again = "include = [\"nested.toml\"]\n[sip]\nring_s = \"no\"\n[emcc_trunk]\ncss = \"A\"\n".to_owned();
        let nested = "[[emcc_trunk]]\n[[emcc_trunk]]\n[[device]]\nname = \"SEP1\"\n".to_owned();
        let files = [
            ("main.toml", main.to_owned()),
            ("a-1.toml", rows(600, 1_000)),
            ("a-2.toml", again + &rows(3, 2_000)),
            ("a-3.toml", "[[device]]\nname = 7\n[[device]\nname = \"SEP2\"\n".to_owned()),
            ("b.toml", "include = [\"a-1.toml\", \"c.toml\", \"d.toml\"]\n".to_owned() + &rows(600, 3_000)),
            ("c.toml", rows(2, 4_000)),
            ("d.toml", rows(1, 5_000)),
            ("nested.toml", nested),
            ("devices.csv", "name,device_pool,directory_numbers\nSEP3,DP,100;101\nSEP 4,DP,\nSEP5,,\"10".to_owned()),
            ("patterns.csv", "kind,pattern,route_list\nroute,5XXX,RL\nrout,6XXX,RL\nroute,@,RL\n".to_owned()),
        ];
        for bound in [true, false] {
            // With fewer mistakes than are listed, and with more.
            let fewer = |(name, text): &(&'static str, String)| (*name, text.replacen("12Y", "12", 550));
            let files: Vec<_> = if bound { files.to_vec() } else { files.iter().map(fewer).collect() };
            let folder = Folder::of(&format!("threads-{bound}"), &files);
            let main = folder.0.join("main.toml");
            let alone = said(&main, 1);
            assert!(alone.0.len() > 2_000 && !alone.2, "{} rows", alone.0.len());
            assert_eq!(alone.1.last().is_some_and(|last| last.message.contains("more problems")), bound);
            for threads in 2..=4 {
                let several = said(&main, threads);
                assert_eq!(alone.1, several.1, "{threads} threads");
                assert_eq!(alone, several, "{threads} threads");
            }
        }
    }

    /// Who waits sees each file begin, and how much is done.
    #[test]
    fn every_file_is_told_of_on_one_thread_and_on_several() {
        let devices = "[[device]]\nname = \"SEP1\"\n".to_owned();
        let main = "include = [\"x.toml\", \"y.toml\"]\n[csv]\ndevices = \"z.csv\"\n".to_owned();
        let rows = "name,device_pool\nSEP2,DP\n".to_owned();
        let files = [("main.toml", main.clone()), ("x.toml", devices.clone()), ("y.toml", devices), ("z.csv", rows)];
        let folder = Folder::of("told", &files);
        for threads in [1, 3] {
            let told = std::cell::RefCell::new(Vec::new());
            read(&folder.0.join("main.toml"), threads, &|stage| {
                let Stage::Reading { file, octets_before } = stage else { return };
                told.borrow_mut().push((file.file_name().unwrap().to_owned(), octets_before));
            });
            let mut told = told.into_inner();
            assert_eq!(told[0], ("main.toml".into(), 0), "{threads} threads");
            assert!(told[1..].iter().all(|(_, before)| *before >= main.len() as u64), "{told:?}");
            told.sort();
            let names: Vec<_> = told.iter().map(|(name, _)| name.clone()).collect();
            assert_eq!(names, ["main.toml", "x.toml", "y.toml", "z.csv"], "{threads} threads");
        }
    }

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
