//! Rows of CSV text, each with the line and the offsets it stands at: for files of calls and bulk data.
//!
//! Reading is the `csv` crate's; where a row begins is worked out here, since the crate's own line is that of the line
//! end before it, or of an empty line it skipped.
// The text is somebody else's: no index, no sum and no cast that its octets could make go wrong.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::arithmetic_side_effects,
        clippy::unwrap_used
    )
)]

use csv::{ByteRecord, Reader, ReaderBuilder};

/// Reads the rows of a text, its header row first.
pub(crate) struct Rows<'t> {
    text: &'t [u8],
    reader: Reader<&'t [u8]>,
    record: ByteRecord,
    /// Offset up to which line ends are counted, and the line there.
    counted: (usize, u32),
    /// Offset of the first octet after a byte order mark.
    begin: usize,
}

/// One row.
#[derive(Clone, Copy)]
pub(crate) struct Row<'r> {
    record: &'r ByteRecord,
    text: &'r [u8],
    /// Line its first field stands on, counted from 1.
    pub(crate) line: u32,
    /// Offset of its first octet in the text.
    pub(crate) offset: usize,
    /// Offset behind its last.
    end: usize,
}

/// What spreadsheets put before UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

impl<'t> Rows<'t> {
    pub(crate) fn of(text: &'t [u8]) -> Self {
        let begin = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        let reader = reader(text.get(begin..).unwrap_or_default());
        Self { text, reader, record: ByteRecord::new(), counted: (0, 1), begin }
    }

    /// The next row that has something in it.
    pub(crate) fn next(&mut self) -> Option<Row<'_>> {
        loop {
            // Reading from memory cannot fail, and rows may have any length.
            if !self.reader.read_byte_record(&mut self.record).unwrap_or(false) {
                return None;
            }
            if self.record.iter().any(|field| !field.trim_ascii().is_empty()) {
                break;
            }
        }
        let read_from = self.record.position().map_or(0, |position| usize::try_from(position.byte()).unwrap_or(0));
        let begun = self.begin.saturating_add(read_from);
        let line_ends = self.text.get(begun..).unwrap_or_default().iter().take_while(|octet| is_line_end(**octet));
        let offset = begun.saturating_add(line_ends.count());
        let between = self.text.get(self.counted.0..offset).unwrap_or_default();
        let lines = memchr::memchr_iter(b'\n', between).count();
        self.counted = (offset, self.counted.1.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX)));
        let end = self.begin.saturating_add(usize::try_from(self.reader.position().byte()).unwrap_or(0));
        Some(Row { record: &self.record, text: self.text, line: self.counted.1, offset, end })
    }

    /// Reads on in the line below this offset: a quote there took the rows behind it for its own.
    pub(crate) fn go_on_below(&mut self, offset: usize) {
        let rest = self.text.get(offset..).unwrap_or_default();
        let below = memchr::memchr(b'\n', rest).and_then(|end| rest.get(end.saturating_add(1)..)).unwrap_or_default();
        self.begin = self.text.len().saturating_sub(below.len());
        self.reader = reader(below);
    }

    /// Octets read so far.
    pub(crate) fn read(&self) -> usize {
        self.counted.0
    }
}

fn reader(text: &[u8]) -> Reader<&[u8]> {
    ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text)
}

fn is_line_end(octet: u8) -> bool {
    matches!(octet, b'\r' | b'\n')
}

impl<'r> Row<'r> {
    /// How many fields it has.
    pub(crate) fn len(&self) -> usize {
        self.record.len()
    }

    /// A field without the space around it; empty beyond the last.
    pub(crate) fn field(&self, place: usize) -> &'r [u8] {
        self.record.get(place).unwrap_or_default().trim_ascii()
    }

    /// Every field.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &'r [u8]> {
        self.record.iter().map(<[u8]>::trim_ascii)
    }

    /// What stands between the names of a header in place of commas, as a spreadsheet may write it: where no name between
    /// commas is known, and one between those is.
    pub(crate) fn other_separator(&self, is_known: impl Fn(&str) -> bool) -> Option<&'static str> {
        let is_name = |name: &[u8]| std::str::from_utf8(name).is_ok_and(&is_known);
        if self.fields().any(is_name) {
            return None;
        }
        let raw = self.text.get(self.offset..self.end)?;
        let unquoted = |name: &'r [u8]| {
            let name = name.trim_ascii();
            name.strip_prefix(b"\"").and_then(|name| name.strip_suffix(b"\"")).unwrap_or(name)
        };
        let has = |separator: u8| raw.split(|octet| *octet == separator).map(unquoted).any(is_name);
        [(b';', "semicolons"), (b'\t', "tabs")].into_iter().find(|(octet, _)| has(*octet)).map(|(_, words)| words)
    }

    /// Whether a carriage return alone ends it, as in files of an old Macintosh: no line end is counted there.
    pub(crate) fn ends_in_carriage_return(&self) -> bool {
        let raw = self.text.get(..self.end).unwrap_or_default();
        let body = raw.iter().rposition(|octet| !is_line_end(*octet)).map_or(0, |last| last.saturating_add(1));
        let behind = self.text.get(body..).unwrap_or_default();
        let ends = behind.iter().position(|octet| !is_line_end(*octet)).unwrap_or(behind.len());
        let line_ends = behind.get(..ends).unwrap_or_default();
        !line_ends.is_empty() && memchr::memchr(b'\n', line_ends).is_none()
    }

    /// Offset of a quote that opens a field and is never closed: by nothing, or only by the quote of a later line that
    /// opens another field, as what stands behind it tells.
    pub(crate) fn open_quote(&self) -> Option<usize> {
        let raw = self.text.get(self.offset..self.end)?;
        let raw = raw.trim_ascii_end();
        // The usual row has one line, and something behind it.
        if self.end < self.text.len() && memchr::memchr(b'\n', raw).is_none() {
            return None;
        }
        let (mut at, mut begins_field) = (0_usize, true);
        while let Some(octet) = raw.get(at) {
            if begins_field && *octet == b'"' {
                let (closed, spans) = closed(raw, at);
                let behind = closed.and_then(|closed| raw.get(closed.saturating_add(1)));
                let is_proper = behind.is_none_or(|octet| *octet == b',' || is_line_end(*octet));
                match closed {
                    Some(closed) if is_proper || !spans => at = closed,
                    _ => return self.offset.checked_add(at),
                }
            }
            begins_field = *octet == b',';
            at = at.saturating_add(1);
        }
        None
    }

    /// The first quote that neither opens nor closes a field nor stands twice in one (RFC 4180 section 2): the field it is in,
    /// its offset or that of the text behind it, and whether it closed the field that goes on.
    pub(crate) fn stray_quote(&self) -> Option<(usize, usize, bool)> {
        let raw = self.text.get(self.offset..self.end)?.trim_ascii_end();
        memchr::memchr(b'"', raw)?;
        let (mut at, mut place) = (0, 0_usize);
        while let Some(octet) = raw.get(at) {
            let is_quoted = *octet == b'"';
            let begin = if is_quoted { closed(raw, at).0?.saturating_add(1) } else { at };
            let rest = raw.get(begin..)?;
            let outside = rest.get(..rest.iter().position(|octet| *octet == b',').unwrap_or(rest.len()))?;
            let stray = if is_quoted {
                outside.iter().position(|octet| !octet.is_ascii_whitespace())
            } else {
                memchr::memchr(b'"', outside)
            };
            if let Some(stray) = stray {
                return Some((place, self.offset.saturating_add(begin).saturating_add(stray), is_quoted));
            }
            at = begin.saturating_add(outside.len()).saturating_add(1);
            place = place.saturating_add(1);
        }
        None
    }

    /// Offset of a field in the text, of its quote where it has one; of the row's end for a field it does not have.
    pub(crate) fn offset_of(&self, place: usize) -> usize {
        let (mut left, mut quoted) = (place, false);
        let raw = self.text.get(self.offset..).unwrap_or_default();
        // A quote opens a field at its beginning alone, and again right behind one that closed it.
        let mut may_open = true;
        for (at, octet) in raw.iter().enumerate() {
            if left == 0 {
                // Space before a field is not part of it.
                let spaces = raw.get(at..).unwrap_or_default().iter().take_while(|octet| matches!(octet, b' ' | b'\t'));
                return self.offset.saturating_add(at).saturating_add(spaces.count());
            }
            match octet {
                b'"' if quoted || may_open => {
                    (quoted, may_open) = (!quoted, quoted);
                    continue;
                }
                b',' if !quoted => left = left.saturating_sub(1),
                octet if is_line_end(*octet) && !quoted => return self.offset.saturating_add(at),
                _ => {}
            }
            may_open = *octet == b',' && !quoted;
        }
        self.text.len()
    }
}

/// Where the quote that opens a field is closed, and whether a line ends before that.
fn closed(raw: &[u8], opens: usize) -> (Option<usize>, bool) {
    let (mut at, mut spans) = (opens.saturating_add(1), false);
    while let Some(octet) = raw.get(at) {
        let next = at.saturating_add(1);
        match octet {
            // Two stand for one of the field.
            b'"' if raw.get(next) == Some(&b'"') => at = next,
            b'"' => return (Some(at), spans),
            b'\n' => spans = true,
            _ => {}
        }
        at = at.saturating_add(1);
    }
    (None, spans)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Line, fields, and the text from each field's offset on.
    fn read(text: &str) -> Vec<(u32, Vec<String>, Vec<String>)> {
        let mut rows = Rows::of(text.as_bytes());
        let mut found = Vec::new();
        while let Some(row) = rows.next() {
            let fields: Vec<String> = row.fields().map(|field| String::from_utf8(field.to_vec()).unwrap()).collect();
            let begins = (0..row.len()).map(|place| text[row.offset_of(place)..].chars().take(2).collect()).collect();
            found.push((row.line, fields, begins));
        }
        found
    }

    #[test]
    fn a_row_knows_its_line_whatever_ends_lines_and_stands_between() {
        for end in ["\n", "\r\n"] {
            let text = ["a,b", "", "1, 2", "\"x", "y\",z", ",", "last,\"q\"\"u\""].join(end);
            let read = read(&text);
            let lines: Vec<u32> = read.iter().map(|row| row.0).collect();
            assert_eq!(lines, [1, 3, 4, 7], "{end:?}");
            assert_eq!(read[1].1, ["1", "2"]);
            assert_eq!(read[2].1, [format!("x{end}y"), "z".into()]);
            assert_eq!(read[3].1, ["last", "q\"u"]);
            assert_eq!(
                read[1].2,
                ["1,", "2\r"].map(|text| if end == "\n" { text.replace('\r', "\n") } else { text.into() })
            );
            assert_eq!(read[2].2[0], "\"x");
            assert_eq!(read[2].2[1].chars().next(), Some('z'));
            assert_eq!(read[3].2, ["la", "\"q"]);
        }
    }

    #[test]
    fn a_quote_within_a_field_opens_none() {
        let read = read("a\"b,c\"d,e\n\"x\"\"y,\",z\n q,\"r,s\",t\n");
        assert_eq!(read[0].1, ["a\"b", "c\"d", "e"]);
        assert_eq!(read[0].2, ["a\"", "c\"", "e\n"]);
        assert_eq!((read[1].1.as_slice(), &*read[1].2[1]), (&["x\"y,".to_owned(), "z".into()][..], "z\n"));
        assert_eq!((read[2].1[1].as_str(), &*read[2].2[2]), ("r,s", "t\n"));
    }

    #[test]
    fn a_quote_out_of_place_is_found_where_it_stands() {
        for (text, stray) in [
            ("a,b\n", None),
            ("\"a\",\"b, \"\"c\"\"\"\n", None),
            ("\"a\" ,b\n", None),
            ("\"x\ny\",b\n", None),
            ("\"\",\"b\"\n", None),
            ("a,\"911\"5,b\n", Some((1, 7, true))),
            ("a,\"911\" \"5\",b\n", Some((1, 8, true))),
            ("a,9\"1,b\n", Some((1, 3, false))),
            ("a, \"9,1\"\n", Some((1, 3, false))),
            ("a,b\"", Some((1, 3, false))),
        ] {
            let mut rows = Rows::of(text.as_bytes());
            assert_eq!(rows.next().unwrap().stray_quote(), stray, "{text}");
        }
    }

    /// Offsets of quotes left open, and the rows without one.
    fn torn(text: &str) -> (Vec<usize>, Vec<Vec<String>>) {
        let mut rows = Rows::of(text.as_bytes());
        let (mut open, mut found) = (Vec::new(), Vec::new());
        while let Some(row) = rows.next() {
            match row.open_quote() {
                Some(quote) => {
                    open.push(quote);
                    rows.go_on_below(quote);
                }
                None => found.push(row.fields().map(|field| String::from_utf8(field.to_vec()).unwrap()).collect()),
            }
        }
        (open, found)
    }

    #[test]
    fn a_quote_that_is_never_closed_takes_no_other_row_with_it() {
        for (text, open, rows) in [
            ("a,\"b\nc,d\ne,f\n", &[2][..], &["c|d", "e|f"][..]),
            ("a,\"b\nc,\"d\"\ne,f\n", &[2], &["c|d", "e|f"]),
            ("a,\"b\n\"c\",d\n", &[2], &["c|d"]),
            ("a,\"b\n\"c,d\ne,f", &[2, 5], &["e|f"]),
            ("a,b\nc,\"d", &[6], &["a|b"]),
            ("a,b\nc,\"d\"", &[], &["a|b", "c|d"]),
            ("a,\"b\nc\",d\ne,f\n", &[], &["a|b\nc|d", "e|f"]),
            ("a,\"b\"\"\nc\"\ne,f\n", &[], &["a|b\"\nc", "e|f"]),
            ("a,\"b\"c\nd,e\n", &[], &["a|bc", "d|e"]),
            ("a,b\"\nc,d\"\n", &[], &["a|b\"", "c|d\""]),
            ("\u{feff}a,\"b\r\nc,d\r\n", &[5], &["c|d"]),
        ] {
            let (quotes, found) = torn(text);
            let found: Vec<String> = found.iter().map(|row| row.join("|")).collect();
            assert_eq!(
                (quotes.as_slice(), found.iter().map(|row| &**row).collect::<Vec<_>>().as_slice()),
                (open, rows),
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_name() {
        let read = read("\u{feff}a,b\n1\n");
        assert_eq!((read[0].1.as_slice(), read[0].2[0].as_str()), (&["a".to_owned(), "b".to_owned()][..], "a,"));
        assert_eq!(read[1].0, 2);
    }

    #[test]
    fn a_field_that_is_not_there_is_empty_and_stands_at_the_end() {
        let text = "a,b,c\n1\n2,3,4\n";
        let mut rows = Rows::of(text.as_bytes());
        rows.next().unwrap();
        let row = rows.next().unwrap();
        assert_eq!((row.field(2), row.offset_of(2)), (&b""[..], 7));
        assert_eq!(row.len(), 1);
        assert_eq!(Rows::of(b"").next().map(|row| row.line), None);
        assert_eq!(Rows::of(b"\n\r\n,,\n \n").next().map(|row| row.line), None);
    }
}
