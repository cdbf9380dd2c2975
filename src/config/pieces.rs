//! A large file of rows, parsed in pieces: the tree of a whole file is ten times its size, and memory that is asked for and
//! given back costs more than parsing does.
//!
//! Pieces begin where a row begins. What is read is what the whole would have been, or nothing: where a piece is not TOML by
//! itself, has anything but rows, or anything at all is to be said of it, the file is read whole.

use super::reader::{BULKY, Reader};
use super::report::Report;
use super::section::{RowCounts, Section};
use std::sync::Arc;
use toml::Spanned;
use toml::de::DeTable;

/// Octets of a piece, some more at most than one row: its tree stays in the processor's cache.
const PIECE_OCTETS: usize = 128 * 1024;

/// The first piece of a text, as a tree, and the rows of all others.
pub(super) struct Pieces<'t> {
    pub(super) first: Spanned<DeTable<'t>>,
    pub(super) others: Reader,
}

/// A text in pieces; nothing where it must be read whole.
pub(super) fn of(text: &str, file: u16) -> Option<Pieces<'_>> {
    of_octets(text, file, PIECE_OCTETS)
}

fn of_octets(text: &str, file: u16, octets: usize) -> Option<Pieces<'_>> {
    let mut begins = cut(text, 0, octets)?;
    let first = parsed(text.get(..begins)?)?;
    let mut counts = RowCounts::new();
    for key in BULKY {
        if let Some((name, node)) = first.get_ref().get_key_value(key) {
            // An array that is written as a value takes no more rows.
            let before = text.get(..name.span().start)?.trim_end_matches([' ', '\t']);
            counts.insert(key, node.get_ref().as_array().filter(|_| before.ends_with("[["))?.len());
        }
    }
    let report = Report::apart(file, String::new(), Arc::default());
    let mut reader = Reader::default();
    while begins < text.len() {
        let ends = cut(text, begins, octets).unwrap_or(text.len());
        let tree = parsed(text.get(begins..ends)?)?;
        let mut grown = counts.clone();
        for (name, node) in tree.get_ref() {
            let key = BULKY.into_iter().find(|key| key == name.get_ref())?;
            let rows = node.get_ref().as_array()?;
            *grown.entry(key).or_default() += rows.len();
        }
        let (includes, bulk) = reader.read_piece(Section::piece(&tree, file, begins, &counts, &report), &report);
        if !(includes.is_empty() && bulk.is_empty() && reader.is_of_rows() && report.is_silent()) {
            return None;
        }
        (counts, begins) = (grown, ends);
    }
    Some(Pieces { first, others: reader })
}

fn parsed(text: &str) -> Option<Spanned<DeTable<'_>>> {
    let (tree, mistakes) = DeTable::parse_recoverable(text);
    mistakes.is_empty().then_some(tree)
}

/// Where the first row begins that is at least so many octets behind.
fn cut(text: &str, begins: usize, octets: usize) -> Option<usize> {
    let mut from = begins.checked_add(octets)?;
    while let Some(at) = text.as_bytes().get(from..).and_then(|rest| memchr::memmem::find(rest, b"\n[[")) {
        let line = from + at + 1;
        let name = text.get(line + 2..).and_then(|rest| rest.split_once("]]")).map(|(name, _)| name);
        if name.is_some_and(|name| BULKY.contains(&name)) {
            return Some(line);
        }
        from = line;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ahead::{Form, take};
    use crate::config::document::Document;
    use proptest::prelude::*;

    /// Every pattern and device of a document, with where it stands.
    fn said(document: &Document, report: &Report) -> Vec<String> {
        let at = |place| report.problem_at(place).to_string() + &place.key();
        let patterns = document.patterns.iter().map(|row| {
            let names = row.partition.iter().chain(&row.target).map(|name| name.value.clone() + &at(&name.place));
            format!("{:?} {} {}", row.kind, row.pattern.value.text(), at(&row.pattern.place))
                + &names.collect::<String>()
        });
        let devices = document.devices.iter().map(|device| {
            let numbers = device.directory_numbers.iter().map(|text| text.value.clone() + &at(&text.place));
            device.name.value.clone() + &at(&device.name.place) + &numbers.collect::<String>()
        });
        let sessions = document.sessions.iter().map(|row| format!("{:?}{}", row.geolocation, at(&row.device.place)));
        patterns.chain(devices).chain(sessions).collect()
    }

    /// What a text says, read in pieces of so many octets where it can be, and whether it was.
    fn read(text: &str, octets: Option<usize>) -> (Vec<String>, Vec<crate::config::Problem>, bool, bool) {
        let report = Report::default();
        let file = report.add_file("f".to_owned(), Arc::new(text.into()));
        let mut reader = Reader::default();
        let pieces = octets.and_then(|octets| of_octets(text, file, octets));
        let in_pieces = pieces.is_some();
        let whole = match pieces {
            Some(Pieces { first, others }) => {
                reader.read_before(Section::root(&first, file, false, &report), others, &report);
                true
            }
            None => take(Form::Tables, text, None, true, file, &mut reader, &report).whole,
        };
        let document = reader.into_document(&report, false);
        (said(&document, &report), report.into_problems(), whole, in_pieces)
    }

    fn lines() -> impl Strategy<Value = String> {
        let line = prop::sample::select(vec![
            "[[route_pattern]]\npattern = \"1\"\nroute_list = \"RL\"\n",
            "[[route_pattern]]\npattern = \"2\"\npartition = \"P\"\nblock = true\n",
            "[[translation_pattern]]\npattern = \"3\"\ncss = \"C\"\n",
            "[[directory_number]]\npattern = \"4\"\npeer = \"cc\"\n",
            "[[device]]\nname = \"SEP1\"\ndevice_pool = \"DP\"\ndirectory_numbers = [\"1\", \"2\"]\n",
            "[[device]]\nname = \"SEP2\"\ndevice_pool = \"DP\" # \u{e9}\n",
            "[[emcc_session]]\nuser = \"a\"\ndevice = \"S\"\nvisiting_cluster = \"BR\"\n[emcc_session.geolocation]\ncountry = \"US\"\n",
        ]);
        prop::collection::vec(line, 0..14).prop_map(|lines| lines.concat())
    }

    fn strays() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec![
            "",
            "",
            "",
            "[sip]\nlisten = [\"udp:127.0.0.1:5060\"]\n",
            "device = []\n",
            "x = 1\n",
            "[device]\nname = \"A\"\n",
            "[[css]]\nname = \"C\"\npartitions = []\n",
            "[emcc_session.geolocation]\nA3 = \"X\"\n",
            "[[device]]\nname = 7\n",
            "[[route_pattern]]\npattern = \"1\"\nroute_list = \"RL\"\nfoo = 1\n",
            "y = \"\"\"\n[[device]]\n\"\"\"\n",
            "z = [\n[[device]]\n",
            "[[device]]\ndescription = '\n",
            "device = [{ name = \"I\", device_pool = \"DP\" }]\n",
            "include = [\"a.toml\"]\n",
        ])
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

        #[test]
        fn a_text_read_in_pieces_says_what_it_says_whole(
            head in strays(), rows in lines(), stray in strays(), more in lines(), octets in 0usize..200,
        ) {
            let text = [head, rows.as_str(), stray, more.as_str()].concat();
            let (whole, pieces) = (read(&text, None), read(&text, Some(octets)));
            prop_assert_eq!((whole.0, whole.1, whole.2), (pieces.0, pieces.1, pieces.2), "{}", text);
        }

        #[test]
        fn rows_alone_are_read_in_pieces(rows in lines(), more in lines()) {
            let text = rows + "[[device]]\nname = \"SEP1\"\ndevice_pool = \"DP\"\n" + &more;
            prop_assert_eq!(read(&text, Some(0)).3, text.matches("\n[[").count() > 0);
        }
    }
}
