//! The files read, places in them, and the list of problems that grows while they are read.

use super::problem::{Devices, Problem, Severity};
use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Problems kept of one load; the rest are only counted, so that a file of a million mistakes stays readable.
pub(super) const PROBLEMS_MAX: usize = 1_000;

/// How a person would name a value: the dotted path to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Path {
    /// Written out.
    Text(Arc<str>),
    /// Something of a row of the file's tables, written out when somebody asks: a configuration has millions.
    Row {
        /// What the rows are called.
        table: &'static str,
        /// Rows before it.
        row: u32,
        /// The key in the row; empty: the row itself.
        key: &'static str,
        /// Which element of the key's array, or [`NO_ELEMENT`].
        element: u32,
    },
}

/// No element of an array, but what is there altogether.
const NO_ELEMENT: u32 = u32::MAX;

impl Path {
    fn text(path: &str) -> Self {
        Self::Text(path.into())
    }

    /// The path to a key of ours in what this is the path to.
    fn then(&self, key: &'static str) -> Self {
        match self {
            Self::Row { table, row, key: "", .. } => Self::Row { table, row: *row, key, element: NO_ELEMENT },
            Self::Text(owner) if owner.is_empty() => Self::text(key),
            _ => Self::Text(format!("{self}.{key}").into()),
        }
    }

    /// The path to a name that the author chose.
    fn then_named(&self, name: &str) -> Self {
        let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        match (plain, self) {
            (true, Self::Text(owner)) if owner.is_empty() => Self::text(name),
            (false, Self::Text(owner)) if owner.is_empty() => Self::Text(format!("{name:?}").into()),
            (true, _) => Self::Text(format!("{self}.{name}").into()),
            (false, _) => Self::Text(format!("{self}.{name:?}").into()),
        }
    }

    /// The path to an element of the array that this is the path to.
    fn element(&self, index: usize) -> Self {
        match (self, u32::try_from(index)) {
            (Self::Row { table, row, key, element: NO_ELEMENT }, Ok(element)) if !key.is_empty() => {
                Self::Row { table, row: *row, key, element }
            }
            _ => Self::Text(format!("{self}[{index}]").into()),
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Row { table, row, key: "", .. } => write!(f, "{table}[{row}]"),
            Self::Row { table, row, key, element: NO_ELEMENT } => write!(f, "{table}[{row}].{key}"),
            Self::Row { table, row, key, element } => write!(f, "{table}[{row}].{key}[{element}]"),
        }
    }
}

/// A value's place: where it stands and how a person would name it.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Which of the files read.
    file: u16,
    /// Byte offset in that file.
    offset: u32,
    path: Path,
}

impl Place {
    pub(super) fn new(file: u16, offset: usize, path: &str) -> Self {
        Self::at(file, offset, Path::text(path))
    }

    /// A row of a file's tables, or of a CSV file.
    pub(super) fn row(file: u16, offset: usize, table: &'static str, row: usize) -> Self {
        let row = u32::try_from(row).unwrap_or(u32::MAX);
        Self::at(file, offset, Path::Row { table, row, key: "", element: NO_ELEMENT })
    }

    /// A row of the tables of the file that is here.
    pub(super) fn of_row(&self, offset: usize, table: &'static str, row: usize) -> Self {
        Self::row(self.file, offset, table, row)
    }

    fn at(file: u16, offset: usize, path: Path) -> Self {
        Self { file, offset: u32::try_from(offset).unwrap_or(u32::MAX), path }
    }

    /// The dotted path of the value; empty for a whole file.
    pub(crate) fn key(&self) -> String {
        self.path.to_string()
    }

    /// Whether it is a whole file.
    pub(super) fn is_file(&self) -> bool {
        matches!(&self.path, Path::Text(path) if path.is_empty())
    }

    /// Whether it stands before the other in the files read.
    pub(super) fn is_before(&self, other: &Self) -> bool {
        (self.file, self.offset) < (other.file, other.offset)
    }

    /// A key of the table that is here, which stands at `offset`.
    pub(super) fn of_key(&self, offset: usize, key: &'static str) -> Self {
        Self::at(self.file, offset, self.path.then(key))
    }

    /// A key of the table that is here, under a name the author chose.
    pub(super) fn of_name(&self, offset: usize, name: &str) -> Self {
        Self::at(self.file, offset, self.path.then_named(name))
    }

    /// An element of the array that is here.
    pub(super) fn of_element(&self, offset: usize, index: usize) -> Self {
        Self::at(self.file, offset, self.path.element(index))
    }

    /// The same position under the name of one of its keys: where a key is missing, its table is the place.
    pub(super) fn child(&self, key: &'static str) -> Self {
        let path = match &self.path {
            Path::Row { key: "", .. } => self.path.then(key),
            path => Path::Text(format!("{path}.{key}").into()),
        };
        Self { path, ..*self }
    }

    /// The same position under another name: for what is missing altogether.
    pub(super) fn named(&self, key: &str) -> Self {
        Self { path: Path::text(key), ..*self }
    }

    /// The same position under the name of another key of the same table.
    pub(super) fn sibling(&self, key: &str) -> Self {
        let own = self.key();
        let table = own.rsplit_once('.').map_or("", |(table, _)| table);
        Self { path: Path::Text(format!("{table}.{key}").into()), ..*self }
    }
}

/// A value and its place.
#[derive(Clone, Debug)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) place: Place,
}

impl At<String> {
    pub(crate) fn as_str(&self) -> &str {
        &self.value
    }
}

struct File {
    name: String,
    /// Held as it was read: a large file is not copied.
    text: Arc<String>,
    /// Found when a place is asked for.
    line_starts: OnceCell<Vec<u32>>,
}

impl File {
    fn new(name: String, text: Arc<String>) -> Self {
        Self { name, text, line_starts: OnceCell::new() }
    }

    fn line_starts(&self) -> &[u32] {
        self.line_starts.get_or_init(|| {
            let ends = memchr::memchr_iter(b'\n', self.text.as_bytes());
            std::iter::once(0).chain(ends.map(|at| u32::try_from(at + 1).unwrap_or(u32::MAX))).collect()
        })
    }
}

/// Collects problems. Shared while the tree is walked, hence the cells.
#[derive(Default)]
pub(super) struct Report {
    /// What the first of its files is numbered: more than 0 where a file is read apart from those before it.
    first: u16,
    files: RefCell<Vec<File>>,
    problems: RefCell<Vec<Problem>>,
    dropped: Cell<usize>,
    dropped_errors: Cell<usize>,
    errors: Cell<usize>,
    slipped: RefCell<Vec<Slipped>>,
}

/// A table of which something was not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slipped {
    pub(super) table: &'static str,
    /// Whether that may be a row's name, or all of a row.
    pub(super) is_nameless: bool,
}

impl Report {
    /// Takes a file in; its number goes into every [`Place`] of it.
    pub(super) fn add_file(&self, name: String, text: Arc<String>) -> u16 {
        let mut files = self.files.borrow_mut();
        files.push(File::new(name, text));
        self.first.saturating_add(u16::try_from(files.len() - 1).unwrap_or(u16::MAX))
    }

    /// The first of so many numbers kept for files that are read [apart](Self::apart).
    pub(super) fn keep_numbers(&self, count: usize) -> u16 {
        let mut files = self.files.borrow_mut();
        let first = self.first.saturating_add(u16::try_from(files.len()).unwrap_or(u16::MAX));
        files.extend((0..count).map(|_| File::new(String::new(), Arc::default())));
        first
    }

    /// The report of one file that is read apart, under a number this one keeps for it.
    pub(super) fn apart(number: u16, name: String, text: Arc<String>) -> Self {
        Self { first: number, files: RefCell::new(vec![File::new(name, text)]), ..Self::default() }
    }

    /// Takes in the report of a file that was read [apart](Self::apart): its problems come after those that are here.
    pub(super) fn take_in(&self, apart: Self) {
        let place = usize::from(apart.first.saturating_sub(self.first));
        if let (Some(kept), Some(file)) = (self.files.borrow_mut().get_mut(place), apart.files.into_inner().pop()) {
            *kept = file;
        }
        apart.problems.into_inner().into_iter().for_each(|problem| self.keep(problem));
        self.dropped.set(self.dropped.get() + apart.dropped.get());
        self.dropped_errors.set(self.dropped_errors.get() + apart.dropped_errors.get());
        apart.slipped.into_inner().into_iter().for_each(|slip| self.slip(slip.table, slip.is_nameless));
    }

    /// How many errors there are so far.
    pub(super) fn errors(&self) -> usize {
        self.errors.get()
    }

    /// Marks a table as not understood altogether.
    pub(super) fn slip(&self, table: &'static str, is_nameless: bool) {
        let mut slipped = self.slipped.borrow_mut();
        match slipped.iter_mut().find(|slip| slip.table == table) {
            Some(slip) => slip.is_nameless |= is_nameless,
            None => slipped.push(Slipped { table, is_nameless }),
        }
    }

    /// The tables marked so, each once.
    pub(super) fn slipped(&self) -> Vec<Slipped> {
        self.slipped.borrow().clone()
    }

    fn file<T>(&self, place: &Place, read: impl FnOnce(&File) -> T) -> Option<T> {
        let files = self.files.borrow();
        files.get(usize::from(place.file.checked_sub(self.first)?)).map(read)
    }

    pub(super) fn error(&self, place: &Place, message: impl Into<String>, fix: impl Into<String>) {
        self.push(place, Severity::Error, message.into(), fix.into(), None);
    }

    pub(super) fn warning(&self, place: &Place, message: impl Into<String>, fix: impl Into<String>) {
        self.push(place, Severity::Warning, message.into(), fix.into(), None);
    }

    /// A warning of several devices together.
    pub(super) fn warning_of(&self, place: &Place, devices: Devices, message: String, fix: &str) {
        self.push(place, Severity::Warning, message, fix.into(), Some(devices));
    }

    /// A file that cannot be read has no line.
    pub(super) fn unreadable(&self, file: String, message: String, fix: String) {
        let (severity, key) = (Severity::Error, String::new());
        self.keep(Problem { file, line: 0, column: 0, severity, key, message, fix, devices: None });
    }

    /// The place as a problem of which nothing is said yet.
    pub(super) fn problem_at(&self, place: &Place) -> Problem {
        let (file, line, column) = self.locate(place);
        let (message, fix, key) = (String::new(), String::new(), place.key());
        Problem { file, line, column, severity: Severity::Warning, key, message, fix, devices: None }
    }

    fn push(&self, place: &Place, severity: Severity, message: String, fix: String, devices: Option<Devices>) {
        let (file, line, column) = self.locate(place);
        self.keep(Problem { file, line, column, severity, key: place.key(), message, fix, devices });
    }

    fn keep(&self, problem: Problem) {
        let mut problems = self.problems.borrow_mut();
        self.errors.set(self.errors.get() + usize::from(problem.severity == Severity::Error));
        if problems.len() < PROBLEMS_MAX {
            problems.push(problem);
        } else {
            self.dropped.set(self.dropped.get() + 1);
            self.dropped_errors.set(self.dropped_errors.get() + usize::from(problem.severity == Severity::Error));
        }
    }

    /// The folder of the file a place is in.
    pub(super) fn folder(&self, place: &Place) -> PathBuf {
        let folder = self.file(place, |file| std::path::Path::new(&file.name).parent().map(Into::into));
        folder.flatten().unwrap_or_default()
    }

    /// The files taken in, in their order.
    pub(super) fn file_names(&self) -> Vec<Box<str>> {
        self.files.borrow().iter().map(|file| file.name.as_str().into()).collect()
    }

    /// File and line of a place, the line counted from 1.
    pub(super) fn line(&self, place: &Place) -> (u16, u32) {
        let line = self.file(place, |file| file.line_starts().partition_point(|start| *start <= place.offset).max(1));
        (place.file, line.map_or(0, |line| u32::try_from(line).unwrap_or(u32::MAX)))
    }

    /// File, line and column of a place, the last two counted from 1, columns in characters.
    pub(super) fn locate(&self, place: &Place) -> (String, u32, u32) {
        let found = self.file(place, |file| {
            let starts = file.line_starts();
            let line = starts.partition_point(|start| *start <= place.offset).max(1);
            let start = starts.get(line - 1).copied().unwrap_or(0);
            let before = file.text.get(start as usize..place.offset as usize).unwrap_or_default();
            let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
            (file.name.clone(), number(line), number(before.chars().count() + 1))
        });
        found.unwrap_or_default()
    }

    /// Whether there is nothing to say.
    pub(super) fn is_silent(&self) -> bool {
        self.problems.borrow().is_empty()
    }

    /// Whether there is a mistake at that key, or in an element of its list.
    pub(super) fn has_errors_at(&self, key: &str) -> bool {
        let is_there = |at: &str| at.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('['));
        self.problems.borrow().iter().any(|problem| problem.severity == Severity::Error && is_there(&problem.key))
    }

    /// Whether there is a mistake at a key of the table that has the key that is here, or in it.
    pub(super) fn has_errors_beside(&self, place: &Place) -> bool {
        self.has_errors_in_table(place, |rest| rest.is_empty() || rest.starts_with('.'))
    }

    /// Whether there is a mistake at this key of the table that has the key that is here.
    pub(super) fn has_error_at_beside(&self, place: &Place, key: &str) -> bool {
        self.has_errors_in_table(place, |rest| rest.strip_prefix('.') == Some(key))
    }

    /// Whether there is a mistake at a key whose rest behind the table of the key that is here is such a one.
    fn has_errors_in_table(&self, place: &Place, is_it: impl Fn(&str) -> bool) -> bool {
        let (file, key) = (self.locate(place).0, place.key());
        let Some((table, _)) = key.rsplit_once('.') else { return false };
        let problems = self.problems.borrow();
        let errors = problems.iter().filter(|at| at.severity == Severity::Error && at.file == file);
        errors.filter_map(|at| at.key.strip_prefix(table)).any(is_it)
    }

    pub(super) fn has_errors(&self) -> bool {
        self.dropped_errors.get() > 0 || self.problems.borrow().iter().any(|p| p.severity == Severity::Error)
    }

    /// All problems, sorted by file and position; the last says how many more there were.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort();
        problems.dedup();
        let (dropped, dropped_errors) = (self.dropped.into_inner(), self.dropped_errors.into_inner());
        if dropped > 0 {
            problems.push(Problem {
                file: self.files.into_inner().into_iter().next().map(|file| file.name).unwrap_or_default(),
                line: 0,
                column: 0,
                severity: if dropped_errors > 0 { Severity::Error } else { Severity::Warning },
                key: String::new(),
                message: format!("{dropped} more problems are not listed"),
                fix: "Mend the ones listed, then check again.".into(),
                devices: None,
            });
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one_and_columns_count_characters() {
        let report = Report::default();
        let file = report.add_file("f".into(), Arc::new("ab\nçé = 1\n".into()));
        for (offset, line, column) in [(0, 1, 1), (1, 1, 2), (2, 1, 3), (3, 2, 1), (5, 2, 2), (10, 2, 6)] {
            let place = Place::new(file, offset, "k");
            assert_eq!(report.locate(&place), ("f".into(), line, column), "offset {offset}");
            assert_eq!(report.line(&place), (file, line), "offset {offset}");
        }
    }

    #[test]
    fn the_list_is_bounded_and_says_how_many_more_there_were() {
        let report = Report::default();
        let file = report.add_file("f".into(), Arc::new("x".into()));
        for n in 0..PROBLEMS_MAX + 5 {
            report.warning(&Place::new(file, 0, "k"), format!("{n:05}"), "");
        }
        report.error(&Place::new(file, 0, "k"), "late", "");
        assert!(report.has_errors());
        let problems = report.into_problems();
        assert_eq!(problems.len(), PROBLEMS_MAX + 1);
        let last = &problems[PROBLEMS_MAX];
        assert_eq!((last.severity, last.message.as_str()), (Severity::Error, "6 more problems are not listed"));
    }
}
