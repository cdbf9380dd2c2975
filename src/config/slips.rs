//! Tables of which something is not understood: what is missing elsewhere may be what slipped.

use super::report::Report;
use super::section::Section;

/// Reads something of a table, which is marked where there are errors in that.
pub(super) fn watched<T>(table: &'static str, report: &Report, is_nameless: bool, read: impl FnOnce() -> T) -> T {
    let before = report.errors();
    let read = read();
    if report.errors() > before {
        report.slip(table, is_nameless);
    }
    read
}

/// The rows of a table, which is marked where one was not understood.
pub(super) fn rows<'a, 'i, T>(
    root: &mut Section<'a, 'i>,
    table: &'static str,
    report: &Report,
    read: impl Fn(Section<'a, 'i>) -> Option<T>,
) -> impl Iterator<Item = T> {
    let sections = watched(table, report, true, || root.tables(table));
    sections.filter_map(move |section| row(section, table, report, &read))
}

/// A row of it.
pub(super) fn row<'a, 'i, T>(
    section: Section<'a, 'i>,
    table: &'static str,
    report: &Report,
    read: impl Fn(Section<'a, 'i>) -> Option<T>,
) -> Option<T> {
    let (before, is_torn) = (report.errors(), section.is_torn());
    let row = read(section);
    if is_torn || report.errors() > before {
        report.slip(table, row.is_none());
    }
    row
}
