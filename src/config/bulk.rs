//! Bulk data: devices, users, sessions, patterns, transformation patterns and device pools from CSV files. A row becomes the table that the same
//! thing is in TOML, so that every key has one reader and every mistake one wording, whichever file it is in.

use super::reader::{Bulk, Reader};
use super::report::{At, Place, Report};
use super::section::{Section, nearest};
use super::without_effect::without_effect;
use crate::rows::{Row, Rows};
use memchr::memmem;
use std::borrow::Cow;
use std::ops::Range;
use std::path::PathBuf;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// A CSV file that `[csv]` names.
pub(super) struct BulkFile {
    pub(super) kind: BulkKind,
    pub(super) path: At<PathBuf>,
}

/// What the rows of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum BulkKind {
    Devices,
    Users,
    Sessions,
    Patterns,
    TransformationPatterns,
    DevicePools,
}

/// How a field is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Text,
    /// `true` or `false`.
    Flag,
    /// Texts with `;` between them.
    List,
    /// `NAME=TEXT` with `;` between them.
    Pairs,
    /// A field of the table `geolocation`.
    Place,
    /// What kind of pattern the row is.
    Kind,
}

impl BulkKind {
    /// Every kind with its key in `[csv]`.
    pub(super) const ALL: [(&'static str, Self); 6] = [
        ("devices", Self::Devices),
        ("users", Self::Users),
        ("sessions", Self::Sessions),
        ("patterns", Self::Patterns),
        ("transformation_patterns", Self::TransformationPatterns),
        ("device_pools", Self::DevicePools),
    ];

    /// The columns a file may have, those it must have first; and how many those are.
    fn columns(self) -> (usize, &'static [(&'static str, Form)]) {
        use Form::{Flag, Kind, List, Pairs, Place, Text};
        match self {
            Self::Devices => (
                2,
                &[
                    ("name", Text),
                    ("device_pool", Text),
                    ("css", Text),
                    ("security_mode", Text),
                    ("directory_numbers", List),
                    ("geolocation", Text),
                    ("location", Text),
                    ("description", Text),
                ],
            ),
            Self::Users => (
                1,
                &[
                    ("id", Text),
                    ("directory_number", Text),
                    ("line_css", Text),
                    ("emcc_css", Text),
                    ("emcc_enabled", Flag),
                    ("pin_hash", Text),
                    ("profiles", List),
                    ("description", Text),
                ],
            ),
            Self::Sessions => (
                2,
                &[
                    ("user", Text),
                    ("device", Text),
                    ("visiting_cluster", Text),
                    ("home_cluster", Text),
                    ("security_mode", Text),
                    ("country", Place),
                    ("A1", Place),
                    ("A2", Place),
                    ("A3", Place),
                    ("A4", Place),
                    ("A5", Place),
                    ("A6", Place),
                    ("PRD", Place),
                    ("POD", Place),
                    ("STS", Place),
                    ("HNO", Place),
                    ("HNS", Place),
                    ("LMK", Place),
                    ("LOC", Place),
                    ("FLR", Place),
                    ("NAM", Place),
                    ("PC", Place),
                ],
            ),
            Self::Patterns => (
                2,
                &[
                    ("kind", Kind),
                    ("pattern", Text),
                    ("partition", Text),
                    ("route_list", Text),
                    ("css", Text),
                    ("peer", Text),
                    ("block", Flag),
                    ("urgent", Flag),
                    ("emergency", Flag),
                    ("originator_css", Flag),
                    ("intercom", Flag),
                    ("discard_digits", Text),
                    ("called_mask", Text),
                    ("prefix_digits", Text),
                    ("calling_mask", Text),
                    ("calling_prefix", Text),
                    ("description", Text),
                ],
            ),
            Self::TransformationPatterns => (
                2,
                &[
                    ("kind", Text),
                    ("pattern", Text),
                    ("partition", Text),
                    ("discard_digits", Text),
                    ("mask", Text),
                    ("prefix_digits", Text),
                    ("description", Text),
                ],
            ),
            Self::DevicePools => (
                1,
                &[
                    ("name", Text),
                    ("geolocation", Text),
                    ("adjunct_css", Text),
                    ("local_route_groups", Pairs),
                    ("location", Text),
                    ("description", Text),
                ],
            ),
        }
    }

    /// Whether its rows are, or give names to, rows of this table.
    pub(super) fn has(self, table: &str) -> bool {
        // Local route groups are there where a pool maps them.
        self.table().key() == table || self == Self::DevicePools && table == "local_route_group"
    }

    /// The table of TOML that a row is.
    fn table(self) -> Bulk {
        match self {
            Self::Devices => Bulk::Device,
            Self::Users => Bulk::User,
            Self::Sessions => Bulk::Session,
            Self::Patterns => Bulk::RoutePattern,
            Self::TransformationPatterns => Bulk::TransformationPattern,
            Self::DevicePools => Bulk::DevicePool,
        }
    }
}

/// One column of a file: its name, and how its fields are read.
type Column = (&'static str, Form);

/// The octet of a file that is no UTF-8, and where it stands: the text has U+FFFD in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotUtf8 {
    pub(super) octet: u8,
    pub(super) offset: usize,
    /// Whether the file begins with the byte order mark of UTF-16.
    pub(super) is_utf16: bool,
}

impl NotUtf8 {
    /// What stands in the place of octets that are no text.
    pub(super) const REPLACED: &str = "\u{fffd}";

    /// Reports it: of several in one file the first.
    pub(super) fn tell(self, file: u16, report: &Report) {
        let message = format!("the octet 0x{:02X} is not UTF-8 text", self.octet);
        report.error(&Place::new(file, self.offset, ""), message, "Save the file as UTF-8.");
    }
}

/// Reads the rows of a file into the reader's document. Every mistake goes to the report. Gives back whether all rows
/// could be read: without a column they need, they are not, nor is one with octets that are no text or a quote that is
/// left open, nor the fields of a column whose name is a mistake, and what they would have named is not there.
pub(super) fn read(
    kind: BulkKind,
    text: &str,
    flaw: Option<NotUtf8>,
    file: u16,
    reader: &mut Reader,
    report: &Report,
) -> bool {
    if flaw.is_some_and(|flaw| flaw.is_utf16) {
        let fix = "Save the file as UTF-8, which spreadsheets call \"CSV UTF-8\".";
        report.error(&Place::new(file, 0, ""), "the file is UTF-16 text, not UTF-8", fix);
        return false;
    }
    if let Some(flaw) = flaw {
        flaw.tell(file, report);
    }
    let replaced = NotUtf8::REPLACED.as_bytes();
    let is_lost = |row: &Row<'_>| flaw.is_some() && row.fields().any(|field| memmem::find(field, replaced).is_some());
    let mut rows = Rows::of(text.as_bytes());
    let first = rows.next();
    if first.as_ref().is_some_and(is_lost) {
        return false;
    }
    if first.as_ref().is_some_and(Row::ends_in_carriage_return) {
        let message = "the lines of the file end in a carriage return alone";
        report.error(&Place::new(file, 0, ""), message, "Save the file with lines that end in LF or CRLF.");
        return false;
    }
    if let Some(quote) = first.as_ref().and_then(Row::open_quote) {
        left_open(&Place::new(file, quote, ""), report);
        return false;
    }
    let Some(columns) = header(kind, first, file, report) else { return false };
    let is_header_right = columns.iter().all(Option::is_some);
    let (mut count, mut whole) = (0_usize, flaw.is_none() && is_header_right);
    while let Some(row) = rows.next() {
        let quote = row.open_quote();
        let reading = Reading { row, columns: &columns, is_header_right, file, report, count };
        count += 1;
        if let Some(quote) = quote {
            left_open(&Place::row(file, quote, kind.table().key(), reading.count), report);
            whole = false;
            rows.go_on_below(quote);
        } else if let Some((at, offset, is_closed)) = row.stray_quote() {
            let column = columns.get(at).copied().flatten().map(|(name, _)| name);
            stray(&reading.place_at(offset, kind.table().key(), column), is_closed, report);
            whole = false;
        } else if is_lost(&row) {
            whole = false;
        } else if let Some((table, cells, is_torn)) = reading.table(kind) {
            let place = reading.place(0, table.key(), None);
            reader.row(table, Section::row(&cells, place, file, table.key(), is_torn, report), report);
        } else {
            whole = false;
        }
    }
    whole
}

fn left_open(place: &Place, report: &Report) {
    report.error(place, "a quote opened here is never closed", "Close it in the same row, or remove it.");
}

/// A quote that is no part of a field as it stands.
fn stray(place: &Place, is_closed: bool, report: &Report) {
    if is_closed {
        let message = "text stands behind the quote that closes the field";
        report.error(place, message, "Double the quote, or end the field.");
    } else {
        let message = "a quote stands within a field that none opens";
        report.error(place, message, "Put the whole field in quotes and double this one, or remove it.");
    }
}

/// The columns in the order of the file, none for one that is a mistake.
fn header(kind: BulkKind, row: Option<Row<'_>>, file: u16, report: &Report) -> Option<Vec<Option<Column>>> {
    let (required, known) = kind.columns();
    let Some(row) = row else {
        let fix = format!("Write a first row with the columns {}.", names(known));
        report.error(&Place::new(file, 0, ""), "the file has no header row", fix);
        return None;
    };
    if let Some(separator) = row.other_separator(|name| known.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)))
    {
        let message = format!("{separator} stand between the fields, where a comma has to");
        let fix = "Save the file with commas between its fields; a semicolon stands between the texts of one field.";
        report.error(&Place::new(file, row.offset, ""), message, fix);
        return None;
    }
    let mut columns: Vec<Option<Column>> = Vec::new();
    for (at, name) in row.fields().enumerate() {
        let name = String::from_utf8_lossy(name);
        let place = Place::new(file, row.offset_of(at), &name);
        let Some(column) = known.iter().find(|(known, _)| known.eq_ignore_ascii_case(&name)) else {
            let near = nearest(&name, known.iter().map(|(known, _)| *known));
            let fix = match near {
                Some(near) => format!("Did you mean {near}?"),
                None => format!("Remove it; columns are {}.", names(known)),
            };
            report.error(&place, format!("unknown column \"{name}\""), fix);
            columns.push(None);
            continue;
        };
        if columns.contains(&Some(*column)) {
            report.error(&place, format!("the column {} is there twice", column.0), "Keep one of the two.");
            columns.push(None);
            continue;
        }
        if let Some(why) = without_effect(kind.table().key(), column.0) {
            let message = format!("{} has no effect in this version: {why}", column.0);
            report.warning(&place, message, "Remove it, or leave it for a version that uses it.");
        }
        columns.push(Some(*column));
    }
    let missing: Vec<_> = known.iter().take(required).filter(|column| !columns.contains(&Some(**column))).collect();
    // One that is missing is most probably the one misspelt.
    let misspelt = columns.iter().filter(|column| column.is_none()).count();
    for (name, _) in missing.iter().skip(misspelt) {
        let place = Place::new(file, row.offset, name);
        report.error(&place, format!("the column {name} is missing"), "Add it to the first row.");
    }
    missing.is_empty().then_some(columns)
}

fn names(columns: &[Column]) -> String {
    columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

/// A row on its way to a table.
struct Reading<'r> {
    row: Row<'r>,
    columns: &'r [Option<Column>],
    /// Whether no column is a mistake.
    is_header_right: bool,
    file: u16,
    report: &'r Report,
    /// Rows before it.
    count: usize,
}

impl<'r> Reading<'r> {
    fn place(&self, at: usize, table: &'static str, column: Option<&'static str>) -> Place {
        self.place_at(self.row.offset_of(at), table, column)
    }

    fn place_at(&self, offset: usize, table: &'static str, column: Option<&'static str>) -> Place {
        let row = Place::row(self.file, offset, table, self.count);
        match column {
            Some(column) => row.of_key(offset, column),
            None => row,
        }
    }

    /// The row as the table it is, and whether a field of it is left out as a mistake; nothing where something in it cannot
    /// be read at all.
    fn table(&self, kind: BulkKind) -> Option<(Bulk, DeTable<'r>, bool)> {
        let (mut table, mut cells, mut geolocation) = (kind.table(), DeTable::new(), DeTable::new());
        let (mut geolocation_at, mut is_torn) = (0..0, !self.is_header_right);
        if self.row.len() > self.columns.len() {
            let place = self.place(self.columns.len(), table.key(), None);
            let message = format!("the row has {} fields, the header {}", self.row.len(), self.columns.len());
            self.report.error(&place, message, "Put fields that hold a comma in double quotes.");
        }
        // A header that is wrong itself says nothing of the rows.
        if self.row.len() < self.columns.len() && self.is_header_right {
            let place = self.place(self.row.len(), table.key(), None);
            let message = format!("the row has {} fields, the header {}", self.row.len(), self.columns.len());
            self.report.error(&place, message, "Write every column; nothing between two commas leaves one empty.");
            is_torn = true;
        }
        for (at, column) in self.columns.iter().enumerate() {
            let Some((name, form)) = column else { continue };
            let field = self.row.field(at);
            if field.is_empty() {
                continue;
            }
            let Ok(text) = std::str::from_utf8(field) else { continue };
            let offset = self.row.offset_of(at);
            let span = offset..offset + field.len();
            match form {
                Form::Kind => match Bulk::PATTERNS.iter().find(|(word, _)| *word == text) {
                    Some((_, kind)) => table = *kind,
                    None => {
                        let words = Bulk::PATTERNS.map(|(word, _)| word);
                        let near = nearest(text, words.into_iter());
                        let fix = near.map_or_else(
                            || format!("Write one of {}.", words.join(", ")),
                            |near| format!("Did you mean {near}?"),
                        );
                        let place = self.place(at, table.key(), Some("kind"));
                        self.report.error(&place, format!("\"{text}\" is no kind of pattern"), fix);
                        return None;
                    }
                },
                Form::Place => {
                    geolocation_at = span.clone();
                    put(&mut geolocation, name, span, DeValue::String(text.into()));
                }
                _ => match value(*form, text, &span) {
                    Ok(value) => put(&mut cells, name, span, value),
                    Err((wanted, fix)) => {
                        let place = self.place(at, table.key(), Some(name));
                        self.report.error(&place, format!("\"{text}\" is {wanted}"), fix);
                        is_torn = true;
                    }
                },
            }
        }
        if kind == BulkKind::Patterns && !self.has("kind") {
            let place = self.place(0, table.key(), Some("kind"));
            let fix = "Write route, translation or directory-number into its column kind.";
            self.report.error(&place, "the row does not say what kind of pattern it is", fix);
            return None;
        }
        if !geolocation.is_empty() {
            put(&mut cells, "geolocation", geolocation_at, DeValue::Table(geolocation));
        }
        Some((table, cells, is_torn))
    }

    fn has(&self, column: &str) -> bool {
        let at = self.columns.iter().position(|known| known.is_some_and(|(name, _)| name == column));
        at.is_some_and(|at| !self.row.field(at).is_empty())
    }
}

fn put<'r>(table: &mut DeTable<'r>, name: &'static str, at: Range<usize>, value: DeValue<'r>) {
    table.insert(Spanned::new(at.clone(), Cow::Borrowed(name)), Spanned::new(at, value));
}

/// A field as TOML would have it, or what it is not and what to write.
fn value<'r>(form: Form, text: &'r str, at: &Range<usize>) -> Result<DeValue<'r>, (&'static str, &'static str)> {
    let spanned = |text: &'r str| Spanned::new(at.clone(), DeValue::String(text.into()));
    let parts = text.split(';').map(str::trim).filter(|part| !part.is_empty());
    match (form, text) {
        (Form::Flag, "true") => Ok(DeValue::Boolean(true)),
        (Form::Flag, "false") => Ok(DeValue::Boolean(false)),
        (Form::Flag, _) => Err(("neither true nor false", "Write true or false.")),
        (Form::List, _) => {
            let mut array = DeArray::new();
            parts.for_each(|part| array.push(spanned(part)));
            Ok(DeValue::Array(array))
        }
        (Form::Pairs, _) => {
            let mut table = DeTable::new();
            for part in parts {
                let Some((name, value)) = part.split_once('=') else {
                    return Err((
                        "no list of local route groups",
                        "Write NAME=ROUTE GROUP, with ; between several, as in Standard Local Route Group=RG-London.",
                    ));
                };
                let name = name.trim();
                // The later one would silently take the place of the earlier.
                if table.insert(Spanned::new(at.clone(), Cow::Borrowed(name)), spanned(value.trim())).is_some() {
                    return Err(("a list with one name twice", "Give each local route group one route group."));
                }
            }
            Ok(DeValue::Table(table))
        }
        _ => Ok(DeValue::String(text.into())),
    }
}
