//! The files read, places in them, and the list of problems that grows while they are read.

use super::problem::{Problem, Severity};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Problems kept of one load; the rest are only counted, so that a file of a million mistakes stays readable.
pub(super) const PROBLEMS_MAX: usize = 1_000;

/// A value's place: where it stands and how a person would name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Which of the files read.
    file: u16,
    /// Byte offset in that file.
    offset: u32,
    /// Dotted path of the value.
    pub(crate) key: Rc<str>,
}

impl Place {
    pub(super) fn new(file: u16, offset: usize, key: impl Into<Rc<str>>) -> Self {
        Self { file, offset: u32::try_from(offset).unwrap_or(u32::MAX), key: key.into() }
    }

    /// The same position under the name of one of its keys: where a key is missing, its table is the place.
    pub(super) fn child(&self, key: &str) -> Self {
        Self { key: format!("{}.{key}", self.key).into(), ..self.clone() }
    }

    /// The same position under another name: for what is missing altogether.
    pub(super) fn named(&self, key: &str) -> Self {
        Self { key: key.into(), ..self.clone() }
    }

    /// The same position under the name of another key of the same table.
    pub(super) fn sibling(&self, key: &str) -> Self {
        let table = self.key.rsplit_once('.').map_or("", |(table, _)| table);
        Self { key: format!("{table}.{key}").into(), ..self.clone() }
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
    text: Rc<str>,
    line_starts: Vec<u32>,
}

/// Collects problems. Shared while the tree is walked, hence the cells.
#[derive(Default)]
pub(super) struct Report {
    files: RefCell<Vec<File>>,
    problems: RefCell<Vec<Problem>>,
    dropped: RefCell<usize>,
    dropped_errors: RefCell<usize>,
    /// A path while it is written.
    path: RefCell<String>,
}

impl Report {
    /// Takes a file in; its number goes into every [`Place`] of it.
    pub(super) fn add_file(&self, name: String, text: Rc<str>) -> u16 {
        let starts =
            std::iter::once(0).chain(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i + 1));
        let line_starts = starts.map(|at| u32::try_from(at).unwrap_or(u32::MAX)).collect();
        let mut files = self.files.borrow_mut();
        files.push(File { name, text, line_starts });
        u16::try_from(files.len() - 1).unwrap_or(u16::MAX)
    }

    /// The path of a key in its table.
    pub(super) fn joined(&self, table: &str, key: &str) -> Rc<str> {
        let mut path = self.path.borrow_mut();
        path.clear();
        path.extend([table, ".", key]);
        path.as_str().into()
    }

    pub(super) fn error(&self, place: &Place, message: impl Into<String>, fix: impl Into<String>) {
        self.push(place, Severity::Error, message.into(), fix.into());
    }

    pub(super) fn warning(&self, place: &Place, message: impl Into<String>, fix: impl Into<String>) {
        self.push(place, Severity::Warning, message.into(), fix.into());
    }

    /// A file that cannot be read has no line.
    pub(super) fn unreadable(&self, file: String, message: String, fix: String) {
        let (severity, key) = (Severity::Error, String::new());
        self.keep(Problem { file, line: 0, column: 0, severity, key, message, fix });
    }

    /// The place as a problem of which nothing is said yet.
    pub(super) fn problem_at(&self, place: &Place) -> Problem {
        let (file, line, column) = self.locate(place);
        let (message, fix, key) = (String::new(), String::new(), place.key.to_string());
        Problem { file, line, column, severity: Severity::Warning, key, message, fix }
    }

    fn push(&self, place: &Place, severity: Severity, message: String, fix: String) {
        let (file, line, column) = self.locate(place);
        self.keep(Problem { file, line, column, severity, key: place.key.to_string(), message, fix });
    }

    fn keep(&self, problem: Problem) {
        let mut problems = self.problems.borrow_mut();
        if problems.len() < PROBLEMS_MAX {
            problems.push(problem);
        } else {
            *self.dropped.borrow_mut() += 1;
            *self.dropped_errors.borrow_mut() += usize::from(problem.severity == Severity::Error);
        }
    }

    /// The folder of the file a place is in.
    pub(super) fn folder(&self, place: &Place) -> PathBuf {
        let files = self.files.borrow();
        let name = files.get(usize::from(place.file)).map(|file| Path::new(&file.name));
        name.and_then(Path::parent).map(Path::to_path_buf).unwrap_or_default()
    }

    /// The files taken in, in their order.
    pub(super) fn file_names(&self) -> Vec<Box<str>> {
        self.files.borrow().iter().map(|file| file.name.as_str().into()).collect()
    }

    /// File and line of a place, the line counted from 1.
    pub(super) fn line(&self, place: &Place) -> (u16, u32) {
        let files = self.files.borrow();
        let Some(file) = files.get(usize::from(place.file)) else { return (place.file, 0) };
        let line = file.line_starts.partition_point(|start| *start <= place.offset).max(1);
        (place.file, u32::try_from(line).unwrap_or(u32::MAX))
    }

    /// File, line and column of a place, the last two counted from 1, columns in characters.
    pub(super) fn locate(&self, place: &Place) -> (String, u32, u32) {
        let files = self.files.borrow();
        let Some(file) = files.get(usize::from(place.file)) else { return (String::new(), 0, 0) };
        let line = file.line_starts.partition_point(|start| *start <= place.offset).max(1);
        let start = file.line_starts.get(line - 1).copied().unwrap_or(0);
        let before = file.text.get(start as usize..place.offset as usize).unwrap_or_default();
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        (file.name.clone(), number(line), number(before.chars().count() + 1))
    }

    pub(super) fn has_errors(&self) -> bool {
        *self.dropped_errors.borrow() > 0 || self.problems.borrow().iter().any(|p| p.severity == Severity::Error)
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
        let file = report.add_file("f".into(), "ab\nçé = 1\n".into());
        for (offset, line, column) in [(0, 1, 1), (1, 1, 2), (2, 1, 3), (3, 2, 1), (5, 2, 2), (10, 2, 6)] {
            let place = Place::new(file, offset, "k");
            assert_eq!(report.locate(&place), ("f".into(), line, column), "offset {offset}");
            assert_eq!(report.line(&place), (file, line), "offset {offset}");
        }
    }

    #[test]
    fn the_list_is_bounded_and_says_how_many_more_there_were() {
        let report = Report::default();
        let file = report.add_file("f".into(), "x".into());
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
