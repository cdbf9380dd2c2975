//! One table of a file, read key by key. What is asked for is known; what nobody asked for is a mistake.

use super::address::Bad;
use super::bulk::NotUtf8;
use super::report::{At, Place, Report};
use super::without_effect::{has_keys_without_effect, without_effect};
use super::words;
use ahash::AHashMap;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::ops::{Range, RangeInclusive};
use std::path::PathBuf;
use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

/// A node of the tree with its position.
pub(super) type Node<'i> = Spanned<DeValue<'i>>;

/// How many rows tables have.
pub(super) type RowCounts = AHashMap<&'static str, usize>;

/// Reads one table. Every problem goes to the report and reading goes on.
pub(super) struct Section<'a, 'i> {
    table: &'a DeTable<'i>,
    /// What is in it: a table has few keys, and all that may be there are asked for.
    entries: SmallVec<[(&'a str, &'a Node<'i>); 6]>,
    /// Where the table begins, named by its path; an empty path is the whole file.
    pub(super) place: Place,
    file: u16,
    /// Where the text that was parsed begins in the file.
    begins: usize,
    /// Of a root: rows of each table in the file before this text.
    rows_before: Option<&'a RowCounts>,
    /// The path without array indexes, as the table of keys without effect has it.
    class: Cow<'static, str>,
    known: SmallVec<[&'static str; KEYS_OF_A_TABLE]>,
    /// A bit for each of the first known keys that is a table, and for each that is an array of them.
    known_tables: u64,
    known_arrays: u64,
    /// A bit for each of the first entries that was asked for.
    asked: u64,
    /// Keys that must be there and are not, with what to write.
    missing: Vec<(&'static str, &'static str)>,
    report: &'a Report,
    /// Set where the file, or a field of the row, did not parse: what is missing may stand in the part that was skipped.
    torn: bool,
    /// Set where octets of the file are no text: what they stood in was told with them, and is not looked at.
    has_lost_octets: bool,
    /// A row of a CSV file: its header said once what has no effect.
    is_row: bool,
}

impl<'a, 'i> Section<'a, 'i> {
    pub(super) fn root(table: &'a Spanned<DeTable<'i>>, file: u16, torn: bool, report: &'a Report) -> Self {
        let place = Place::new(file, 0, "");
        Self::of(table.get_ref(), place, file, Cow::Borrowed(""), torn, report)
    }

    /// As it is, of a file some octets of which may be no text.
    pub(super) fn with_lost_octets(self, has_lost_octets: bool) -> Self {
        Self { has_lost_octets, ..self }
    }

    /// Whether octets that are no text stood in it.
    fn is_lost(&self, text: &str) -> bool {
        self.has_lost_octets && text.contains(NotUtf8::REPLACED)
    }

    /// A piece of a file, which begins there and has so many rows before it.
    pub(super) fn piece(
        table: &'a Spanned<DeTable<'i>>,
        file: u16,
        begins: usize,
        rows_before: &'a RowCounts,
        report: &'a Report,
    ) -> Self {
        Self { begins, rows_before: Some(rows_before), ..Self::root(table, file, false, report) }
    }

    /// A row of a CSV file, as the table it stands for; `torn` where not all of it could be read.
    pub(super) fn row(
        table: &'a DeTable<'i>,
        place: Place,
        file: u16,
        class: &'static str,
        torn: bool,
        report: &'a Report,
    ) -> Self {
        Self { is_row: true, ..Self::of(table, place, file, Cow::Borrowed(class), torn, report) }
    }

    fn of(
        table: &'a DeTable<'i>,
        place: Place,
        file: u16,
        class: Cow<'static, str>,
        torn: bool,
        report: &'a Report,
    ) -> Self {
        let entries = table.iter().map(|(name, node)| (&**name.get_ref(), node)).collect();
        let (known, known_tables, known_arrays, missing) = (SmallVec::new(), 0, 0, Vec::new());
        let (asked, begins, rows_before, has_lost_octets, is_row) = (0, 0, None, false, false);
        Self {
            table,
            entries,
            place,
            file,
            begins,
            rows_before,
            class,
            known,
            known_tables,
            known_arrays,
            asked,
            missing,
            report,
            torn,
            has_lost_octets,
            is_row,
        }
    }

    /// Whether something of it could not be read.
    pub(super) fn is_torn(&self) -> bool {
        self.torn
    }

    fn get(&self, key: &str) -> Option<&'a Node<'i>> {
        self.entries.iter().find(|(name, _)| *name == key).map(|(_, node)| *node)
    }

    fn node(&mut self, key: &'static str) -> Option<&'a Node<'i>> {
        self.known.push(key);
        let at = self.entries.iter().position(|(name, _)| *name == key)?;
        self.asked |= bit(at);
        self.entries.get(at).map(|(_, node)| *node)
    }

    fn place_of(&self, span: Range<usize>, key: &'static str) -> Place {
        self.place.of_key(self.begins + span.start, key)
    }

    fn place_of_name(&self, span: Range<usize>, name: &str) -> Place {
        self.place.of_name(self.begins + span.start, name)
    }

    fn wrong_type(&self, node: &Node<'_>, place: &Place, wanted: &str, fix: &str) {
        if node.get_ref().as_str().is_some_and(|text| self.is_lost(text)) {
            return;
        }
        let found = node.get_ref().type_str();
        self.report.error(place, format!("{} is {}, not {wanted}", place.key(), with_article(found)), fix);
    }

    /// One value read by `read`, which says what it wanted when it got something else.
    fn value<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&Self, &Node<'i>, Place) -> Option<At<T>>,
    ) -> Option<At<T>> {
        let node = self.node(key)?;
        let place = self.place_of(node.span(), key);
        read(self, node, place)
    }

    /// An array whose elements are read by `read`; `None` when the key is absent or no array.
    fn list<T>(
        &mut self,
        key: &'static str,
        wanted: &str,
        read: impl Fn(&Self, &Node<'i>, Place) -> Option<At<T>>,
    ) -> Option<Vec<At<T>>> {
        let node = self.node(key)?;
        let place = self.place_of(node.span(), key);
        let Some(array) = node.get_ref().as_array() else {
            self.wrong_type(node, &place, &format!("an array of {wanted}"), "Put the value in brackets: [\"...\"].");
            return None;
        };
        let elements = array
            .iter()
            .enumerate()
            .filter_map(|(index, node)| read(self, node, place.of_element(self.begins + node.span().start, index)));
        Some(elements.collect())
    }

    fn read_text(&self, node: &Node<'i>, place: Place) -> Option<At<String>> {
        let value = self.written(node, &place)?.to_owned();
        Some(At { value, place })
    }

    fn written<'n>(&self, node: &'n Node<'i>, place: &Place) -> Option<&'n str> {
        let text = node.get_ref().as_str();
        if text.is_none() {
            self.wrong_type(node, place, "a string", "Put the value in double quotes.");
        }
        text.filter(|text| !self.is_lost(text))
    }

    fn read_parsed<T>(&self, node: &Node<'i>, place: Place, parse: impl Fn(&str) -> Result<T, Bad>) -> Option<At<T>> {
        match parse(self.written(node, &place)?) {
            Ok(value) => Some(At { value, place }),
            Err(Bad { message, fix }) => {
                self.report.error(&place, message, fix);
                None
            }
        }
    }

    fn read_word<T: Copy>(&self, node: &Node<'i>, place: Place, words: &[(&str, T)]) -> Option<At<T>> {
        let text = self.read_text(node, place)?;
        let found = words.iter().find(|(word, _)| *word == text.value).map(|(_, value)| *value);
        if found.is_none() {
            let valid: Vec<_> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            let near = nearest(&text.value, words.iter().map(|(word, _)| *word));
            let fix = match near {
                Some(near) => format!("Did you mean \"{near}\"? Write one of {}.", valid.join(", ")),
                None => format!("Write one of {}.", valid.join(", ")),
            };
            let message = format!("\"{}\" is no value of {}", text.value, unindexed(&text.place.key()));
            self.report.error(&text.place, message, fix);
        }
        found.map(|value| At { value, place: text.place })
    }

    /// A string of any content.
    pub(super) fn text(&mut self, key: &'static str) -> Option<At<String>> {
        self.value(key, Self::read_text)
    }

    /// A string that `parse` understands.
    pub(super) fn parsed<T>(&mut self, key: &'static str, parse: impl Fn(&str) -> Result<T, Bad>) -> Option<At<T>> {
        self.value(key, |section, node, place| section.read_parsed(node, place, &parse))
    }

    /// As [`Self::parsed`]; what there is to `doubt` in the value is a warning.
    pub(super) fn doubted<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, Bad>,
        doubt: impl Fn(&T) -> Option<Bad>,
    ) -> Option<At<T>> {
        let found = self.parsed(key, parse)?;
        if let Some(Bad { message, fix }) = doubt(&found.value) {
            self.report.warning(&found.place, message, fix);
        }
        Some(found)
    }

    /// The path of a file; a relative one starts where the file stands that names it.
    pub(super) fn file(&mut self, key: &'static str) -> Option<At<PathBuf>> {
        let At { value, place } = self.parsed(key, words::line)?;
        Some(At { value: self.report.folder(&place).join(value), place })
    }

    /// One word of a fixed list.
    pub(super) fn word<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)]) -> Option<At<T>> {
        self.value(key, |section, node, place| section.read_word(node, place, words))
    }

    /// An array of strings that `parse` understands.
    pub(super) fn parsed_list<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, Bad>,
    ) -> Option<Vec<At<T>>> {
        self.list(key, "strings", |section, node, place| section.read_parsed(node, place, &parse))
    }

    /// As [`Section::parsed_list`], of at least one.
    pub(super) fn filled_list<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, Bad>,
        fix: &str,
    ) -> Vec<At<T>> {
        if let Some(node) = self.get(key).filter(|_| self.is_empty_array(key)) {
            let place = self.place_of(node.span(), key);
            self.report.error(&place, format!("{} is empty", unindexed(&place.key())), fix);
        }
        self.parsed_list(key, parse).unwrap_or_default()
    }

    /// An array of words of a fixed list.
    pub(super) fn words<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)]) -> Option<Vec<At<T>>> {
        self.list(key, "strings", |section, node, place| section.read_word(node, place, words))
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, key: &'static str) -> Option<At<bool>> {
        self.value(key, |section, node, place| {
            let Some(value) = node.get_ref().as_bool() else {
                section.wrong_type(node, &place, "true or false", "Write true or false, without quotes.");
                return None;
            };
            Some(At { value, place })
        })
    }

    /// Whether the key is there, and neither `true` nor `false`.
    pub(super) fn is_no_flag(&self, key: &str) -> bool {
        self.get(key).is_some_and(|node| node.get_ref().as_bool().is_none())
    }

    /// A whole number within `range`.
    pub(super) fn integer(&mut self, key: &'static str, range: RangeInclusive<i64>) -> Option<At<i64>> {
        self.value(key, |section, node, place| section.read_integer(node, place, &range))
    }

    fn read_integer(&self, node: &Node<'i>, place: Place, range: &RangeInclusive<i64>) -> Option<At<i64>> {
        let (least, most) = (range.start(), range.end());
        let fix = format!("Write a whole number from {least} to {most}, without quotes.");
        let Some(written) = node.get_ref().as_integer() else {
            self.wrong_type(node, &place, "a whole number", &fix);
            return None;
        };
        let value = whole_number(written).filter(|n| range.contains(n));
        if value.is_none() {
            let message = format!("{} = {written} is outside {least} to {most}", place.key());
            self.report.error(&place, message, fix);
        }
        value.map(|value| At { value, place })
    }

    /// One whole number within `range`, or an array of them; none where the key is absent.
    pub(super) fn numbers(&mut self, key: &'static str, range: RangeInclusive<u32>) -> Vec<At<u32>> {
        let wide = i64::from(*range.start())..=i64::from(*range.end());
        let found = if self.is_array(key) {
            self.list(key, "whole numbers", |section, node, place| section.read_integer(node, place, &wide))
                .unwrap_or_default()
        } else {
            self.integer(key, wide).into_iter().collect()
        };
        let narrow = |at: At<i64>| Some(At { value: u32::try_from(at.value).ok()?, place: at.place });
        found.into_iter().filter_map(narrow).collect()
    }

    /// As [`Section::integer`], for what is kept as an unsigned number.
    pub(super) fn number(&mut self, key: &'static str, range: RangeInclusive<u32>) -> Option<At<u32>> {
        let found = self.integer(key, i64::from(*range.start())..=i64::from(*range.end()))?;
        let value = u32::try_from(found.value).ok()?;
        Some(At { value, place: found.place })
    }

    /// The key must be written, well or badly; `fix` says what to write where it is not.
    pub(super) fn require(&mut self, key: &'static str, fix: &'static str) {
        if !self.torn && self.get(key).is_none() {
            self.missing.push((key, fix));
        }
    }

    /// A table within this one.
    pub(super) fn table(&mut self, key: &'static str) -> Option<Section<'a, 'i>> {
        self.known_tables |= bit(self.known.len());
        let node = self.node(key)?;
        let place = self.place_of(node.span(), key);
        let Some(table) = node.get_ref().as_table() else {
            self.wrong_type(node, &place, "a table", &format!("Write a table, [{}].", place.key()));
            return None;
        };
        Some(self.below(table, place, key))
    }

    /// The tables of an array of tables, in the order written.
    pub(super) fn tables(&mut self, key: &'static str) -> impl Iterator<Item = Section<'a, 'i>> + use<'a, 'i> {
        let array = self.array_of_tables(key);
        let class = self.class_below(key);
        let (rows, file, report, torn, is_row) = (self.rows(key), self.file, self.report, self.torn, self.is_row);
        let has_lost_octets = self.has_lost_octets;
        array.into_iter().flatten().enumerate().filter_map(move |(index, node)| {
            let place = rows.place(node, index);
            let section = Section::of(node.get_ref().as_table()?, place, file, class.clone(), torn, report);
            Some(Section { is_row, has_lost_octets, begins: rows.begins, ..section })
        })
    }

    /// The elements of an array of tables, each of which is no table reported.
    fn array_of_tables(&mut self, key: &'static str) -> Option<impl Iterator<Item = &'a Node<'i>> + use<'a, 'i>> {
        self.known_arrays |= bit(self.known.len());
        let node = self.node(key)?;
        let Some(array) = node.get_ref().as_array() else {
            let place = self.place_of(node.span(), key);
            let fix = format!("Write [[{}]], with two brackets: there may be several.", place.key());
            self.wrong_type(node, &place, "an array of tables", &fix);
            return None;
        };
        let rows = self.rows(key);
        for (index, node) in array.iter().enumerate().filter(|(_, node)| !node.get_ref().is_table()) {
            let place = rows.place(node, index);
            self.wrong_type(node, &place, "a table", &format!("Write [[{key}]] and its keys below."));
        }
        Some(array.iter())
    }

    fn rows(&self, key: &'static str) -> RowPlaces {
        let before = self.rows_before.and_then(|before| before.get(key).copied()).unwrap_or(0);
        RowPlaces { owner: self.place.clone(), key, begins: self.begins, before }
    }

    /// Tables under names the author chose, with the name and its place.
    pub(super) fn named_tables(&mut self) -> Vec<(At<String>, Section<'a, 'i>)> {
        let table = self.table;
        let mut found = Vec::new();
        for (name, node) in table.iter().filter(|(name, _)| !self.is_lost(name.get_ref())) {
            let place = self.place_of_name(name.span(), name.get_ref());
            match node.get_ref().as_table() {
                Some(table) => {
                    let section = self.below(table, place.clone(), "*");
                    found.push((At { value: name.get_ref().to_string(), place }, section));
                }
                None => self.wrong_type(node, &place, "a table", &format!("Write a table, [{}].", place.key())),
            }
        }
        found
    }

    /// Strings under names the author chose: name and value, each with its place.
    pub(super) fn named_texts(&mut self) -> Vec<(At<String>, At<String>)> {
        let table = self.table;
        let mut found = Vec::new();
        for (name, node) in table.iter().filter(|(name, _)| !self.is_lost(name.get_ref())) {
            let place = self.place_of_name(name.span(), name.get_ref());
            let value = self.read_text(node, self.place_of_name(node.span(), name.get_ref()));
            if let Some(value) = value {
                found.push((At { value: name.get_ref().to_string(), place }, value));
            }
        }
        found
    }

    fn below(&self, table: &'a DeTable<'i>, place: Place, key: &'static str) -> Section<'a, 'i> {
        let section = Self::of(table, place, self.file, self.class_below(key), self.torn, self.report);
        let (is_row, has_lost_octets) = (self.is_row, self.has_lost_octets);
        Section { is_row, has_lost_octets, begins: self.begins, ..section }
    }

    fn class_below(&self, key: &'static str) -> Cow<'static, str> {
        if self.class.is_empty() { Cow::Borrowed(key) } else { Cow::Owned(format!("{}.{key}", self.class)) }
    }

    /// Whether an array stands under the key.
    pub(super) fn is_array(&self, key: &str) -> bool {
        self.get(key).is_some_and(|node| node.get_ref().is_array())
    }

    /// Whether an array of nothing stands under the key.
    pub(super) fn is_empty_array(&self, key: &str) -> bool {
        self.get(key).and_then(|node| node.get_ref().as_array()).is_some_and(|array| array.is_empty())
    }

    /// Where the first of these keys is written: for a rule that concerns two keys together.
    pub(super) fn place_of_key(&self, key: &'static str) -> Option<Place> {
        let (name, _) = self.table.get_key_value(key)?;
        Some(self.place_of(name.span(), key))
    }

    /// Reports every key nobody asked for, every key asked for that does nothing yet, and every key that is missing.
    pub(super) fn finish(mut self) {
        // Of a row, a key without effect is said elsewhere.
        let may_be_idle = !self.is_row && has_keys_without_effect(&self.class);
        let are_all_known = self.asked.count_ones() as usize == self.entries.len();
        let keys = if may_be_idle || !are_all_known { Some(self.table) } else { None };
        for (name, _) in keys.into_iter().flatten() {
            let key: &str = name.get_ref();
            if self.known.contains(&key) {
                if let Some(why) = without_effect(&self.class, key).filter(|_| may_be_idle) {
                    let place = self.place_of_name(name.span(), key);
                    let message = format!("{} has no effect in this version: {why}", unindexed(&place.key()));
                    self.report.warning(&place, message, "Remove it, or leave it for a version that uses it.");
                }
                continue;
            }
            let place = self.place_of_name(name.span(), key);
            let near = self.nearest_that_may_stand(key);
            // A misspelt key is one mistake, not two.
            self.missing.retain(|(missing, _)| Some(*missing) != near);
            // Above a torn line the rest of a table may have come loose and look like keys of the file.
            if !(self.torn && self.class.is_empty() || self.is_lost(key)) {
                self.unknown_key(key, &place, near);
                if let Some(near) = near.filter(|_| self.class.is_empty()) {
                    self.report.slip(near, true);
                }
            }
        }
        if self.missing.is_empty() {
            return;
        }
        let owner = unindexed(&self.place.key());
        for (key, fix) in &self.missing {
            self.report.error(&self.place.child(key), format!("{owner} has no {key}"), *fix);
        }
    }

    /// The known key that was most probably meant: where a table is written a table, and one that may stand beside those
    /// that are there.
    fn nearest_that_may_stand(&self, key: &str) -> Option<&'static str> {
        let node = self.get(key).map(Spanned::get_ref);
        let [is_table, is_array] = [node.is_some_and(is_table), node.is_some_and(DeValue::is_array)];
        let may_stand = |(at, known): &(usize, &'static str)| {
            let [table, array] = [self.known_tables & bit(*at) != 0, self.known_arrays & bit(*at) != 0];
            (!is_table || table || array) && (self.get(known).is_none() || is_table && array)
        };
        let known = || self.known.iter().copied().enumerate().filter(may_stand);
        // Of two as near the last is taken: one written with as many brackets.
        let is_alike = |at: usize| is_array == (self.known_arrays & bit(at) != 0);
        let others = known().filter(|(at, _)| !is_alike(*at));
        nearest(key, others.chain(known().filter(|(at, _)| is_alike(*at))).map(|(_, known)| known))
    }

    /// Whether it is a table of the file that was most probably meant for an EMCC trunk.
    fn is_like_a_trunk(&self, key: &str) -> bool {
        let is_table_of_file = self.class.is_empty() && self.get(key).is_some_and(|node| is_table(node.get_ref()));
        let tables = self.known.iter().enumerate().filter(|(at, _)| self.known_tables & bit(*at) != 0);
        let near = || nearest(key, tables.map(|(_, known)| *known));
        is_table_of_file && (key.contains("trunk") || near().is_some_and(|near| TRUNKS.contains(&near)))
    }

    /// The key as it is written: a table of the file in its brackets.
    fn written_as(&self, key: &str) -> String {
        let at = self.known.iter().position(|known| *known == key).filter(|_| self.class.is_empty());
        match at.map(bit) {
            Some(bit) if self.known_arrays & bit != 0 => format!("[[{key}]]"),
            Some(bit) if self.known_tables & bit != 0 => format!("[{key}]"),
            _ => key.to_owned(),
        }
    }

    fn unknown_key(&self, key: &str, place: &Place, near: Option<&str>) {
        if self.is_like_a_trunk(key) {
            let message = format!("unknown table {key:?} in the file: a cluster has at most two EMCC trunks (R-8)");
            let fix = match near.filter(|near| TRUNKS.contains(near)) {
                Some(near) => format!("Did you mean [{near}]?"),
                None => format!("Remove it; the two are [{}] and [{}].", TRUNKS[0], TRUNKS[1]),
            };
            return self.report.error(place, message, fix);
        }
        let owner = if self.class.is_empty() { "the file" } else { &*self.class };
        let kind = if self.get(key).is_some_and(|node| is_table(node.get_ref())) { "table" } else { "key" };
        let fix = match near {
            Some(near) => format!("Did you mean {}?", self.written_as(near)),
            None if self.known.len() <= KEYS_LISTED_MAX => format!("Remove it; {owner} knows {}.", sorted(&self.known)),
            None => format!("Remove it; {owner} has no such {kind}."),
        };
        self.report.error(place, format!("unknown {kind} {key:?} in {owner}"), fix);
    }
}

/// Where the rows of an array of tables are.
struct RowPlaces {
    owner: Place,
    key: &'static str,
    begins: usize,
    before: usize,
}

impl RowPlaces {
    fn place(&self, node: &Node<'_>, index: usize) -> Place {
        let (offset, index) = (self.begins + node.span().start, self.before + index);
        match self.owner.is_file() {
            true => self.owner.of_row(offset, self.key, index),
            false => self.owner.of_key(0, self.key).of_element(offset, index),
        }
    }
}

/// The EMCC trunks a cluster may have.
pub(super) const TRUNKS: [&str; 2] = ["emcc_trunk", "emcc_rsvp_trunk"];

/// Keys most tables know.
const KEYS_OF_A_TABLE: usize = 16;

/// Known keys named in the fix for an unknown one.
const KEYS_LISTED_MAX: usize = 24;

/// The bit of the first entries or keys that stands for this one; none for those behind.
fn bit(at: usize) -> u64 {
    u32::try_from(at).ok().and_then(|at| 1u64.checked_shl(at)).unwrap_or(0)
}

fn is_table(value: &DeValue<'_>) -> bool {
    value.is_table() || value.as_array().is_some_and(|array| array.iter().any(|node| node.get_ref().is_table()))
}

fn sorted(words: &[&str]) -> String {
    let mut words = words.to_vec();
    words.sort_unstable();
    words.join(", ")
}

/// The path without its array indexes: what a sentence calls the key.
pub(super) fn unindexed(path: &str) -> String {
    let mut plain = String::with_capacity(path.len());
    let mut inside = false;
    for c in path.chars() {
        match c {
            '[' => inside = true,
            ']' => inside = false,
            _ if !inside => plain.push(c),
            _ => {}
        }
    }
    plain
}

fn with_article(kind: &str) -> String {
    let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {kind}")
}

fn whole_number(written: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(written.as_str(), written.radix()).ok()
}

/// Words compared for one suggestion: a cluster has tens of thousands of devices and may misspell as many names.
const WORDS_COMPARED_MAX: usize = 2_000;

/// The word a writer most probably meant, if any is near enough.
pub(super) fn nearest<'w>(written: &str, words: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    // Three letters of which the last two are swapped, or one is another, come to 0.8 but for rounding.
    const NEAR: f64 = 0.8 - 1e-9;
    let lower = written.to_lowercase();
    let scored = words.take(WORDS_COMPARED_MAX).map(|word| (strsim::jaro_winkler(&lower, &word.to_lowercase()), word));
    scored.filter(|(score, _)| *score >= NEAR).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, word)| word)
}
