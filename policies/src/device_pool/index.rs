//! Every device pool by its filtered place, made once for a configuration, so that a choice does not look at each of them.
//!
//! Pools of one filtered place differ in their names alone, so one entry stands for all of them. Entries are sorted by how
//! many fields they have, then by their values, the field first in which the fewest agree: neighbours have much in common,
//! and what they have says whether any of them could agree and still change what is best. A value that few entries have
//! keeps a list of them, and each is weighed by itself. One that many have keeps a bit for every entry that agrees, which
//! has it or leaves the field blank: of those that have none of the few, 512 at a time are asked at once, a line of the
//! processor's cache for each field. Those that are equal in all fields that many have come first: where there is one, no
//! other matters.

use std::cmp::{Ordering, Reverse};
use std::collections::HashMap;
use std::ops::Range;

use smallvec::SmallVec;

use super::best::{Best, Found, Pool};
use super::numbers::Numbers;
use super::{Because, Rank, Roaming, Standing, normalised};
use crate::location::{FIELDS, Field, Geolocation};

/// The device pools of a configuration under its filter.
#[derive(Debug, Default)]
pub struct RoamingIndex {
    /// The fields of the filter in canonical order, each once. The bit of a field in a mask is its place here.
    fields: Vec<Field>,
    /// Values of each field: their text and their number, from 1.
    numbers: Vec<Numbers>,
    /// Which entries have the values of each field, by the value's number less one.
    owners: Vec<Vec<Owners>>,
    /// Which entries leave each field blank.
    blank: Vec<Bits>,
    /// Of each two fields that stand together who agrees in both, by the numbers of both values; see [`PAIRED`].
    pairs: Vec<Vec<Bits>>,
    /// The fields that entries are sorted by first: their places.
    leads: SmallVec<[usize; LEADS]>,
    /// Of each entry the fields it has.
    masks: Vec<u32>,
    /// Of each entry the values of the fields; 0 is blank.
    values: Vec<u32>,
    /// Of each entry its pool.
    pools: Vec<Pool>,
    /// Of each word of entries what they have in common.
    words: Vec<Common>,
    /// Of each class the entries asked at once, which may share their lines with those of another class.
    steps: Vec<Step>,
    /// The entries with so many fields, by that number.
    classes: Vec<Class>,
}

/// An entry before it has its place: the values of the fields, and its pool.
type Entry = (Box<[u32]>, Pool);

/// A bit for every entry.
type Bits = Box<[Line]>;

/// Bits of entries asked at once, in one line of the processor's cache.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Line([u64; WORDS]);

impl Line {
    const NONE: Self = Self([0; WORDS]);
    const ALL: Self = Self([u64::MAX; WORDS]);

    fn and(self, other: &Self) -> Self {
        Self(std::array::from_fn(|word| self.0[word] & other.0[word]))
    }

    fn without(self, other: &Self) -> Self {
        Self(std::array::from_fn(|word| self.0[word] & !other.0[word]))
    }

    fn is_none(&self) -> bool {
        self.0.iter().fold(0, |any, word| any | word) == 0
    }
}

/// Entries that have equally many fields.
#[derive(Clone, Debug, Default)]
struct Class {
    /// Where they are; the first begins a word.
    entries: Range<usize>,
    /// The first of their steps.
    step: usize,
}

impl Class {
    /// The lines that have bits of them.
    fn lines(&self) -> Range<usize> {
        self.entries.start / LINE..self.entries.end.div_ceil(LINE)
    }

    /// Which bits of a line are theirs.
    fn of_line(&self, line: usize) -> Line {
        if self.entries.start <= line * LINE && (line + 1) * LINE <= self.entries.end {
            return Line::ALL;
        }
        Line(std::array::from_fn(|word| {
            let begin = line * LINE + word * 64;
            match self.entries.end.saturating_sub(begin) {
                _ if begin < self.entries.start => 0,
                left @ 0..64 => (1 << left) - 1,
                _ => u64::MAX,
            }
        }))
    }
}

/// Entries of one class and one line.
#[derive(Clone, Copy, Debug)]
struct Step {
    common: Common,
    /// Between which values those lie that they have in the fields they are sorted by first.
    spans: [(u32, u32); LEADS],
}

/// What entries that stand together have in common.
#[derive(Clone, Copy, Debug)]
struct Common {
    /// Fields that any of them has.
    any: u32,
    /// Fields that all of them have.
    all: u32,
    /// The first one's place by name.
    order: u32,
}

impl Common {
    const OF_NONE: Self = Self { any: 0, all: u32::MAX, order: u32::MAX };

    fn with(self, other: &Self) -> Self {
        Self { any: self.any | other.any, all: self.all & other.all, order: self.order.min(other.order) }
    }
}

/// Who has a value.
#[derive(Debug)]
enum Owners {
    /// These entries, in order.
    Few(Vec<u32>),
    /// Those whose bit is set; the bits of those that leave the field blank are set too.
    Many(Bits),
    /// All that do not leave the field blank.
    All,
}

/// Entries asked at a time, in words of 64.
const WORDS: usize = 8;
/// The same in entries.
const LINE: usize = WORDS * 64;
/// Fields whose values tell at a look whether any entry of a step can agree.
const LEADS: usize = 4;
/// Two fields have bits of their own up to so many pairs of values, blank counted as one: bits of an entry.
const PAIRED: usize = 16;
/// Fields met before a look whether anybody is left.
const FIELDS_MET: usize = 4;
/// A value has few owners up to this number of entries, or to this share of all.
const FEW: usize = 8;
/// See [`FEW`]: a list of a 256th is looked through in the time that all bits are.
const FEW_SHARE: usize = 256;
/// A value of the phone that no pool has.
const NOBODYS: u32 = u32::MAX;
/// Places of the binary digits of a score.
const SCORE_DIGITS: usize = 5;
const _: () = assert!(FIELDS < 1 << SCORE_DIGITS);

impl RoamingIndex {
    /// Indexes all pools: name and geolocation, where they have one.
    #[must_use]
    pub fn new(filter: &[Field], pools: &[(&str, Option<&Geolocation>)]) -> Self {
        let fields: Vec<Field> = Field::ALL.into_iter().filter(|field| filter.contains(field)).collect();
        let mut index = Self { numbers: vec![Numbers::default(); fields.len()], fields, ..Self::default() };
        let mut places: HashMap<Box<[u32]>, (u32, bool)> = HashMap::new();
        let mut text = Vec::new();
        for (pool, (name, location)) in (0_u32..).zip(pools) {
            let Some(location) = location else { continue };
            let values = index.numbered(location, &mut text);
            if values.iter().all(|value| *value == 0) {
                continue;
            }
            let named = |pool: u32| pools.get(pool as usize).map(|(name, _)| *name);
            places
                .entry(values)
                // Of two pools of one name the later one counts, as in a list sorted by name.
                .and_modify(|(first, is_shared)| {
                    *first = if named(*first) < Some(*name) { *first } else { pool };
                    *is_shared = true;
                })
                .or_insert((pool, false));
        }
        let entry = |(values, (place, is_shared))| (values, Pool { place, is_shared, order: 0 });
        let mut entries: Vec<Entry> = places.into_iter().map(entry).collect();
        let name = |pool: &Pool| (pools.get(pool.place as usize).map(|(name, _)| *name), Reverse(pool.place));
        entries.sort_unstable_by_key(|(_, pool)| name(pool));
        (0..).zip(&mut entries).for_each(|(order, (_, pool))| pool.order = order);
        let by = index.by_agreement(&entries);
        let has = |values: &[u32]| values.iter().filter(|value| **value != 0).count();
        let key = |values: &Box<[u32]>| by.iter().map(|place| values[*place]).collect::<SmallVec<[u32; FIELDS]>>();
        entries.sort_by_cached_key(|(values, _)| (has(values), key(values)));
        index.leads = by.iter().copied().take(LEADS).collect();
        index.lay_out(&entries);
        index
    }

    /// The places of the fields, those first in which the fewest entries agree with each other.
    fn by_agreement(&self, entries: &[Entry]) -> Vec<usize> {
        let agreeing = |place: &usize| {
            let mut owners = vec![0_u64; self.numbers[*place].len() + 1];
            entries.iter().for_each(|(values, _)| owners[values[*place] as usize] += 1);
            let blank = std::mem::take(&mut owners[0]);
            blank * entries.len() as u64 + owners.iter().map(|owners| owners * owners).sum::<u64>()
        };
        let mut places: Vec<usize> = (0..self.fields.len()).collect();
        places.sort_by_cached_key(agreeing);
        places
    }

    /// The numbers of a pool's values, new ones given where needed.
    fn numbered(&mut self, location: &Geolocation, text: &mut Vec<u8>) -> Box<[u32]> {
        let number = |(field, numbers): (&Field, &mut Numbers)| {
            normalised(location.get(*field).unwrap_or_default(), text);
            if text.is_empty() {
                return 0;
            }
            if let Some(number) = numbers.get(text.as_slice()) {
                return *number;
            }
            let number = u32::try_from(numbers.len() + 1).unwrap_or(NOBODYS);
            numbers.insert(text.as_slice().into(), number);
            number
        };
        self.fields.iter().zip(&mut self.numbers).map(number).collect()
    }

    /// Puts sorted entries into their places: a class begins at a word of its own.
    fn lay_out(&mut self, entries: &[Entry]) {
        let width = self.fields.len();
        let room = entries.len() + 64 * (width + 1);
        self.masks.reserve_exact(room);
        self.values.reserve_exact(room * width);
        self.pools.reserve_exact(room);
        self.classes = vec![Class::default(); width + 1];
        let mut lists: Vec<Vec<Vec<u32>>> =
            self.numbers.iter().map(|numbers| vec![Vec::new(); numbers.len()]).collect();
        let mut class = 0;
        for (values, pool) in entries {
            let has = values.iter().filter(|value| **value != 0).count();
            if has != class {
                self.pad();
                class = has;
                self.classes[has].entries.start = self.masks.len();
            }
            let entry = u32::try_from(self.masks.len()).unwrap_or(u32::MAX);
            let mut mask = 0;
            for (place, value) in values.iter().enumerate() {
                if let Some(owners) = (*value as usize).checked_sub(1).and_then(|value| lists[place].get_mut(value)) {
                    mask |= 1 << place;
                    owners.push(entry);
                }
            }
            self.masks.push(mask);
            self.values.extend_from_slice(values);
            self.pools.push(*pool);
            self.classes[has].entries.end = self.masks.len();
        }
        self.pad();
        self.find_common();
        self.find_owners(lists, FEW.max(entries.len() / FEW_SHARE));
    }

    /// Fills the last word with entries that have nothing and agree with nobody.
    fn pad(&mut self) {
        while !self.masks.len().is_multiple_of(64) {
            self.masks.push(0);
            self.values.extend(std::iter::repeat_n(0, self.fields.len()));
            self.pools.push(Pool::default());
        }
    }

    /// Finds what the entries of each word and of each step have in common.
    fn find_common(&mut self) {
        let with = |common: Common, (mask, pool): (&u32, &Pool)| match *mask {
            // Only filled up.
            0 => common,
            mask => common.with(&Common { any: mask, all: mask, order: pool.order }),
        };
        let words = self.masks.chunks(64).zip(self.pools.chunks(64));
        self.words = words.map(|(masks, pools)| masks.iter().zip(pools).fold(Common::OF_NONE, with)).collect();
        let (values, leads, width) = (&self.values, &self.leads, self.fields.len());
        let span = |entries: Range<usize>, at: usize| {
            let had = |entry: usize| values[entry * width + leads[at]];
            let had = || entries.clone().map(had).filter(|value| *value != 0);
            if at < leads.len() { had().min().zip(had().max()) } else { None }
        };
        for class in &mut self.classes {
            class.step = self.steps.len();
            for line in class.lines() {
                let entries = class.entries.start.max(line * LINE)..class.entries.end.min((line + 1) * LINE);
                let words = self.words[entries.start / 64..entries.end.div_ceil(64)].iter();
                let spans = std::array::from_fn(|at| span(entries.clone(), at).unwrap_or((u32::MAX, 0)));
                self.steps.push(Step { common: words.fold(Common::OF_NONE, Common::with), spans });
            }
        }
    }

    /// Finds who has each value, by the lists of those who do, and who leaves each field blank.
    fn find_owners(&mut self, lists: Vec<Vec<Vec<u32>>>, few: usize) {
        let lines = self.masks.len().div_ceil(LINE);
        let bits = |owners: &[u32]| {
            let mut bits = vec![Line::NONE; lines].into_boxed_slice();
            owners
                .iter()
                .map(|entry| *entry as usize)
                .for_each(|at| bits[at / LINE].0[at / 64 % WORDS] |= 1 << (at % 64));
            bits
        };
        let blanks = |place: usize| {
            let blank = self.masks.iter().enumerate().filter(|(_, mask)| **mask != 0 && **mask & 1 << place == 0);
            bits(&blank.map(|(entry, _)| u32::try_from(entry).unwrap_or(u32::MAX)).collect::<Vec<_>>())
        };
        self.blank = (0..self.fields.len()).map(blanks).collect();
        let agree = |list: &[u32], blank: &Bits| {
            let mut agree = bits(list);
            let words = agree.iter_mut().flat_map(|line| &mut line.0).zip(blank.iter().flat_map(|line| &line.0));
            words.for_each(|(agree, blank)| *agree |= blank);
            agree
        };
        let owners = |(values, blank): (Vec<Vec<u32>>, &Bits)| {
            let is_only = values.len() == 1;
            let owners = |mut list: Vec<u32>| {
                list.shrink_to_fit();
                match list.len() {
                    count if count <= few => Owners::Few(list),
                    _ if is_only => Owners::All,
                    _ => Owners::Many(agree(&list, blank)),
                }
            };
            values.into_iter().map(owners).collect()
        };
        self.owners = lists.into_iter().zip(&self.blank).map(owners).collect();
        self.pairs = (0..self.fields.len()).step_by(2).map(|place| self.pair(place)).collect();
    }

    /// Who agrees in a field and the one after it, for each two values; nothing where they have too many, or one few have.
    fn pair(&self, place: usize) -> Vec<Bits> {
        let agree = |place: usize| {
            let many = self.owners.get(place)?.iter().map(|owners| match owners {
                Owners::Many(agree) => Some(agree),
                Owners::Few(_) | Owners::All => None,
            });
            // In the order of their numbers: 0 is blank.
            std::iter::once(self.blank.get(place)).chain(many).collect::<Option<Vec<&Bits>>>()
        };
        let both = |(one, other): (&Bits, &Bits)| one.iter().zip(other).map(|(one, other)| one.and(other)).collect();
        match agree(place).zip(agree(place + 1)) {
            Some((one, other)) if one.len() * other.len() <= PAIRED => {
                one.iter().flat_map(|one| other.iter().map(|other| both((*one, *other)))).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Chooses the roaming device pool of a phone.
    #[must_use]
    pub fn choose(&self, phone: Option<&Geolocation>) -> Roaming {
        let template = |because| Roaming { pool: None, score: 0, because };
        if self.fields.is_empty() {
            return template(Because::NoFilter);
        }
        let Some(phone) = phone.filter(|phone| !phone.is_blank()) else { return template(Because::NoLocation) };
        let asked = self.asked(phone);
        let mut best = Best::default();
        for place in asked.few.iter().copied() {
            self.weigh_owners(place, &asked, &mut best);
        }
        let (most, width) = (asked.many.len(), self.fields.len());
        if most > 0 {
            (most..=width).for_each(|class| self.scan_equal(class, &asked, &mut best));
            // Else what is left is equal in fewer fields.
            if best.first.is_none_or(|first| (first.rank.0 as usize) < most) {
                (most..=width).chain((1..most).rev()).for_each(|class| self.scan(class, &asked, &mut best));
            }
        }
        let Some(Found { rank, entry, .. }) = best.first else { return template(Because::NoneMatches) };
        let because = match best.second {
            Some(second) if second == rank => Because::Name,
            Some(second) if (second.0, second.1) == (rank.0, rank.1) => Because::LongerRun,
            Some(second) if second.0 == rank.0 => Because::FewerUnknown,
            _ => Because::Score,
        };
        Roaming { pool: self.pools.get(entry).map(|pool| pool.place as usize), score: rank.0 as usize, because }
    }

    /// How pools stand to a phone, each by itself: what [`Self::choose`] compares, for whoever asks why a pool was not
    /// chosen. Looks at every one; not for a login.
    pub fn standings<'a>(
        &'a self,
        phone: &'a Geolocation,
        pools: impl IntoIterator<Item = Option<&'a Geolocation>> + 'a,
    ) -> impl Iterator<Item = Standing> + 'a {
        let asked = self.asked(phone);
        let mut text = Vec::new();
        pools.into_iter().map(move |pool| {
            let Some(pool) = pool else { return Standing::NoLocation };
            let number = |(field, numbers): (&Field, &Numbers)| {
                normalised(pool.get(*field).unwrap_or_default(), &mut text);
                // A value no pool of the index has is no phone's either.
                if text.is_empty() { 0 } else { numbers.get(text.as_slice()).copied().unwrap_or(NOBODYS - 1) }
            };
            let values: SmallVec<[u32; FIELDS]> = self.fields.iter().zip(&self.numbers).map(number).collect();
            let has = |mask: u32, (place, value): (usize, &u32)| mask | u32::from(*value != 0) << place;
            let mask = values.iter().enumerate().fold(0, has);
            let (equal, Reverse(unknown), run) = asked.rank(mask);
            match asked.differs(mask, &values).and_then(|place| self.fields.get(place)) {
                _ if mask == 0 => Standing::NoLocation,
                Some(field) => Standing::Differs(*field),
                None if equal == 0 => Standing::NothingEqual,
                None => Standing::Agrees { equal, unknown, run },
            }
        })
    }

    /// What a phone asks of the index.
    fn asked(&self, phone: &Geolocation) -> Asked<'_> {
        let mut asked = Asked::default();
        let mut text = Vec::with_capacity(64);
        for (place, field) in self.fields.iter().enumerate() {
            normalised(phone.get(*field).unwrap_or_default(), &mut text);
            if text.is_empty() {
                continue;
            }
            asked.mask |= 1 << place;
            let number = self.numbers.get(place).and_then(|numbers| numbers.get(text.as_slice())).copied();
            let owners = number.and_then(|number| self.owners.get(place)?.get(number as usize - 1));
            if let Some(value) = asked.values.get_mut(place) {
                *value = number.unwrap_or(NOBODYS);
            }
            let blank = self.blank.get(place).map(Box::as_ref).unwrap_or_default();
            let agree = match owners {
                Some(Owners::Many(agree)) => Some(agree.as_ref()),
                Some(Owners::All) => None,
                Some(Owners::Few(_)) | None => Some(blank),
            };
            match owners {
                Some(Owners::Many(_) | Owners::All) => asked.many.push(Many { place, agree, blank }),
                Some(Owners::Few(_)) => asked.few.push(place),
                None => {}
            }
            match self.paired(place, &asked) {
                Some(both) => asked.agree.last_mut().into_iter().for_each(|last| *last = both),
                _ => asked.agree.extend(agree),
            }
        }
        asked.many_mask = asked.many.iter().fold(0, |mask, many| mask | 1 << many.place);
        for (at, place) in self.leads.iter().enumerate().filter(|(_, place)| asked.mask >> **place & 1 == 1) {
            let is_many = asked.many_mask >> place & 1 == 1;
            let value = asked.values.get(*place).copied().filter(|_| is_many).unwrap_or(NOBODYS);
            asked.leads.push(Lead { at, bit: 1 << place, value });
        }
        asked
    }

    /// Who agrees in a field and in the one before, where the phone has both.
    fn paired(&self, place: usize, asked: &Asked<'_>) -> Option<&[Line]> {
        let before = place.checked_sub(1).filter(|before| before % 2 == 0)?;
        let pairs = self.pairs.get(place / 2).filter(|_| asked.mask >> before & 3 == 3)?;
        let number =
            |place: usize| asked.values.get(place).map(|value| if *value == NOBODYS { 0 } else { *value as usize });
        let values = self.numbers.get(place)?.len() + 1;
        pairs.get(number(before)? * values + number(place)?).map(Box::as_ref)
    }

    /// Weighs the owners of a value that few have, but for those that have another such value too and were weighed there.
    fn weigh_owners(&self, place: usize, asked: &Asked<'_>, best: &mut Best) {
        let number = asked.values.get(place).copied().unwrap_or_default();
        let Some(Owners::Few(list)) = self.owners.get(place).and_then(|values| values.get(number as usize - 1)) else {
            return;
        };
        let width = self.fields.len();
        // The bits lie in the cache, what is known of each entry does not.
        for entry in list.iter().map(|entry| *entry as usize).filter(|entry| asked.many_agree(*entry)) {
            let mask = self.masks.get(entry).copied().unwrap_or_default();
            let rank = asked.rank(mask);
            if !best.may_change(rank, || self.pool(entry).order) {
                continue;
            }
            let values = self.values.get(entry * width..(entry + 1) * width).unwrap_or_default();
            let both = mask & asked.mask;
            let agrees = asked.differs(mask, values).is_none();
            let is_weighed = asked.few.iter().take_while(|earlier| **earlier != place).any(|at| both & 1 << at != 0);
            if agrees && !is_weighed {
                best.offer(rank, entry, self.pool(entry));
            }
        }
    }

    /// Looks for entries with `class` fields that have none of the values few have, and all the phone has that many have.
    fn scan_equal(&self, class: usize, asked: &Asked<'_>, best: &mut Best) {
        let (equal, unknown) = (asked.many_mask, class.saturating_sub(asked.many.len()) as u32);
        let rank = (equal.count_ones(), Reverse(unknown), equal.trailing_ones());
        let Some(class) = self.classes.get(class).filter(|_| best.may_change(rank, || 0)) else { return };
        for (line, Step { common, spans }) in class.lines().zip(self.steps.get(class.step..).unwrap_or_default()) {
            let may_be_equal = equal & !common.any == 0 && (common.all & !equal).count_ones() <= unknown;
            if !may_be_equal || !asked.may_agree(common, spans) || !best.may_change(rank, || common.order) {
                continue;
            }
            let left = asked.equal(line, class.of_line(line)).and_then(|left| asked.agreeing(line, left));
            for (word, mut left) in (line * WORDS..).zip(left.unwrap_or(Line::NONE).0) {
                while left != 0 {
                    let entry = word * 64 + left.trailing_zeros() as usize;
                    left &= left - 1;
                    let pool = self.pool(entry);
                    if best.may_change(rank, || pool.order) {
                        best.offer(rank, entry, pool);
                    }
                }
            }
        }
    }

    /// Looks through the entries with `class` fields that have none of the values few have.
    fn scan(&self, class: usize, asked: &Asked<'_>, best: &mut Best) {
        let fields = class as u32;
        let highest = asked.highest_rank(fields, &Common { any: u32::MAX, all: 0, order: 0 });
        let Some(class) = self.classes.get(class).filter(|_| best.may_change(highest, || 0)) else { return };
        for (line, Step { common, spans }) in class.lines().zip(self.steps.get(class.step..).unwrap_or_default()) {
            if !asked.may_agree(common, spans) {
                continue;
            }
            // Most steps have every field here and there.
            let is_mixed = asked.many_mask & !common.any | common.all & !asked.many_mask == 0;
            let rank = if is_mixed { highest } else { asked.highest_rank(fields, common) };
            if !best.may_change(rank, || common.order) {
                continue;
            }
            let Some(agree) = asked.agreeing(line, class.of_line(line)) else { continue };
            for (word, agree) in (line * WORDS..).zip(agree.0).filter(|(_, agree)| *agree != 0) {
                let behind_first = agree & (agree - 1);
                if behind_first & behind_first.wrapping_sub(1) == 0 {
                    // One or two.
                    self.weigh_each(word, agree, asked, best);
                } else if let Some(common) = self.words.get(word)
                    && best.may_change(asked.highest_rank(fields, common), || common.order)
                {
                    self.weigh_word(fields, word, agree, common.order, asked, best);
                }
            }
        }
    }

    /// Weighs those of a word that agree one by one.
    fn weigh_each(&self, word: usize, agree: u64, asked: &Asked<'_>, best: &mut Best) {
        let mut left = agree;
        while left != 0 {
            let entry = word * 64 + left.trailing_zeros() as usize;
            left &= left - 1;
            let rank = asked.rank(self.masks.get(entry).copied().unwrap_or_default());
            if best.may_change(rank, || self.pool(entry).order) {
                best.offer(rank, entry, self.pool(entry));
            }
        }
    }

    /// Weighs those of a word that agree and could change what is best.
    fn weigh_word(&self, class: u32, word: usize, agree: u64, order: u32, asked: &Asked<'_>, best: &mut Best) {
        let scores = asked.scores(word);
        let mut left = agree;
        while left != 0 {
            let least = best.least;
            let (better, equal) = compare(&scores, least.0);
            // Every entry here has `class` fields, so that equal scores leave equally many unknown.
            let unknown = Reverse(class.saturating_sub(least.0));
            left &= match unknown.cmp(&least.1) {
                Ordering::Greater => better | equal,
                Ordering::Equal => {
                    better | equal & asked.runs(word, if best.is_late(order) { least.2 + 1 } else { least.2 })
                }
                Ordering::Less => better,
            };
            if left == 0 {
                return;
            }
            let entry = word * 64 + left.trailing_zeros() as usize;
            left &= left - 1;
            let rank = asked.rank(self.masks.get(entry).copied().unwrap_or_default());
            best.offer(rank, entry, self.pool(entry));
        }
    }

    fn pool(&self, entry: usize) -> Pool {
        self.pools.get(entry).copied().unwrap_or_default()
    }
}

/// A phone's place as the index sees it.
#[derive(Default)]
struct Asked<'i> {
    /// The fields it has.
    mask: u32,
    /// Their values; 0 is blank.
    values: [u32; FIELDS],
    /// Fields whose value few entries have.
    few: SmallVec<[usize; FIELDS]>,
    /// Bits of the fields whose value many entries have.
    many_mask: u32,
    /// Fields whose value many entries have.
    many: SmallVec<[Many<'i>; FIELDS]>,
    /// Who agrees in each field where not all do: has its value, where many have it, or leaves it blank.
    agree: SmallVec<[&'i [Line]; FIELDS]>,
    /// Those of its fields that entries are sorted by first.
    leads: SmallVec<[Lead; LEADS]>,
}

/// A field of a phone that entries are sorted by first.
struct Lead {
    /// Its place among those.
    at: usize,
    /// Its bit in a mask.
    bit: u32,
    /// Its value, where many have it.
    value: u32,
}

/// A value of a phone that many entries have.
struct Many<'i> {
    /// The place of the field.
    place: usize,
    /// Who has the value or leaves the field blank; none where all do.
    agree: Option<&'i [Line]>,
    /// Who leaves it blank.
    blank: &'i [Line],
}

impl Many<'_> {
    /// Who of a word has the value, of those that agree: all but who leaves the field blank.
    fn has(&self, word: usize) -> u64 {
        let line = self.blank.get(word / WORDS);
        !line.and_then(|line| line.0.get(word % WORDS)).copied().unwrap_or(u64::MAX)
    }
}

impl Asked<'_> {
    /// How an entry with these fields that agrees compares with others.
    fn rank(&self, mask: u32) -> Rank {
        let both = mask & self.mask;
        (both.count_ones(), Reverse((mask & !self.mask).count_ones()), both.trailing_ones())
    }

    /// The highest rank of entries with `class` fields and none of the values few have, by what they have in common.
    fn highest_rank(&self, class: u32, common: &Common) -> Rank {
        let may_be_equal = common.any & self.many_mask;
        let are_unknown = (common.all & !self.many_mask).count_ones();
        let equal = may_be_equal.count_ones().min(class.saturating_sub(are_unknown));
        (equal, Reverse(class - equal), may_be_equal.trailing_ones())
    }

    /// Whether any entry of a step can agree and have none of the values few have, as far as the fields tell that the
    /// entries are sorted by first.
    fn may_agree(&self, common: &Common, spans: &[(u32, u32); LEADS]) -> bool {
        self.leads.iter().all(|lead| {
            let is_within = |(least, most): &(u32, u32)| (*least..=*most).contains(&lead.value);
            common.all & lead.bit == 0 || spans.get(lead.at).is_some_and(is_within)
        })
    }

    /// Those of a line that are `left`, agree and have none of the values few have, where there are any.
    fn agreeing(&self, line: usize, mut left: Line) -> Option<Line> {
        for fields in self.agree.chunks(FIELDS_MET) {
            left = fields.iter().filter_map(|bits| bits.get(line)).fold(left, Line::and);
            if left.is_none() {
                return None;
            }
        }
        Some(left)
    }

    /// Those of a line that are `left` and leave no field blank whose value many have, where there are any.
    fn equal(&self, line: usize, mut left: Line) -> Option<Line> {
        for fields in self.many.chunks(FIELDS_MET) {
            left = fields.iter().filter_map(|many| many.blank.get(line)).fold(left, Line::without);
            if left.is_none() {
                return None;
            }
        }
        Some(left)
    }

    /// Whether an entry agrees in every field whose value many have.
    fn many_agree(&self, entry: usize) -> bool {
        let has = |line: &Line| line.0.get(entry / 64 % WORDS).is_some_and(|word| word >> (entry % 64) & 1 == 1);
        self.many.iter().filter_map(|many| many.agree).all(|agree| agree.get(entry / LINE).is_some_and(has))
    }

    /// The first field that an entry with these fields has too, with another value.
    fn differs(&self, mask: u32, values: &[u32]) -> Option<usize> {
        let both = mask & self.mask;
        values.iter().zip(&self.values).enumerate().position(|(at, (a, b))| both & 1 << at != 0 && a != b)
    }

    /// How many of the values many have the entries of a word that agree have, as binary digits of 64 numbers.
    fn scores(&self, word: usize) -> [u64; SCORE_DIGITS] {
        let mut digits = [0; SCORE_DIGITS];
        for (summed, many) in (1_u32..).zip(&self.many) {
            let mut carry = many.has(word);
            // So many summed up need no more digits.
            for digit in digits.iter_mut().take(summed.ilog2() as usize + 1) {
                (*digit, carry) = (*digit ^ carry, *digit & carry);
            }
        }
        digits
    }

    /// Which entries of a word that agree are equal in the first so many fields.
    fn runs(&self, word: usize, length: u32) -> u64 {
        (0..length as usize).fold(u64::MAX, |runs, place| {
            runs & self.many.iter().find(|many| many.place == place).map_or(0, |many| many.has(word))
        })
    }
}

/// Of 64 numbers in binary digits those above `than`, and those equal to it.
fn compare(digits: &[u64; SCORE_DIGITS], than: u32) -> (u64, u64) {
    digits.iter().enumerate().rev().fold((0, u64::MAX), |(above, equal), (place, digit)| {
        if than >> place & 1 == 1 { (above, equal & digit) } else { (above | equal & digit, equal & !digit) }
    })
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
