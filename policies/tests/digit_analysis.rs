//! Digit analysis against an oracle that reads the rules one by one and tries every string: slow, and obvious.
#![allow(clippy::unwrap_used)] // a failing test may panic anywhere

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use emcc_policies::digits::{Digits, Discard, Mask, Pattern, Transform};
use emcc_policies::moment::Civil;
use emcc_policies::route::RouteListId;
use emcc_policies::search_space::{
    CssId, DialPlan, DialPlanBuilder, Hours, Outcome, Overlap, PASSES_MAX, PartitionId, PatternId, Row, Target,
    TranslateCss,
};
use proptest::prelude::*;

/// What can be dialed (D-9), and the letters.
const ALPHABET: &[u8] = b"0123456789*#+ABCD";
const PARTITIONS: usize = 4;

/// A part of a pattern as a person reads it.
#[derive(Clone, Debug)]
struct Token {
    text: &'static str,
    /// What one character of it may be.
    class: &'static [u8],
    /// How often it is written at least, and whether more may follow.
    times: Times,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Times {
    Once,
    /// `!`, `+`.
    OneOrMore,
    /// `?`.
    Any,
    /// `??`: what the second stands for is there.
    AnyThenSome,
}

const DIGITS: &[u8] = b"0123456789";

fn token() -> impl Strategy<Value = Token> {
    let plain: Vec<(&'static str, &'static [u8])> = vec![
        ("0", b"0"),
        ("1", b"1"),
        ("2", b"2"),
        ("*", b"*"),
        ("\\+", b"+"),
        ("X", DIGITS),
        ("[01]", b"01"),
        ("[1]", b"1"),
        ("[1-9]", b"123456789"),
        ("[^0-5]", b"6789"),
    ];
    let times = prop::sample::select(vec![
        Times::Once,
        Times::Once,
        Times::Once,
        Times::Once,
        Times::OneOrMore,
        Times::Any,
        Times::AnyThenSome,
    ]);
    prop_oneof![
        5 => (prop::sample::select(plain), times).prop_map(|((text, class), times)| Token { text, class, times }),
        1 => Just(Token { text: "!", class: DIGITS, times: Times::OneOrMore }),
    ]
}

/// A pattern by its tokens; a dot stands before that of the second field.
#[derive(Clone, Debug)]
struct Spelled {
    tokens: Vec<Token>,
    dot: Option<usize>,
}

impl Spelled {
    fn text(&self) -> String {
        let mut text = String::new();
        for (at, token) in self.tokens.iter().enumerate() {
            if self.dot == Some(at) {
                text.push('.');
            }
            text.push_str(token.text);
            text.push_str(match token.times {
                Times::OneOrMore if token.text != "!" => "+",
                Times::Once | Times::OneOrMore => "",
                Times::Any => "?",
                Times::AnyThenSome => "??",
            });
        }
        text
    }

    /// One `^` a pattern.
    fn is_legal(&self) -> bool {
        self.tokens.iter().filter(|token| token.text.contains('^')).count() <= 1
    }

    /// D-13: single characters before the first that is none.
    fn literal_prefix(&self) -> usize {
        let mut length = 0;
        for token in &self.tokens {
            if token.class.len() > 1 || matches!(token.times, Times::Any | Times::AnyThenSome) {
                break;
            }
            length += 1;
            if token.times == Times::OneOrMore {
                break;
            }
        }
        length
    }
}

/// Whether the tokens match the whole text, by trying every way.
fn matches(tokens: &[Token], text: &[u8]) -> bool {
    let Some((token, rest)) = tokens.split_first() else { return text.is_empty() };
    let taken = |count: usize| text.len() >= count && text[..count].iter().all(|byte| token.class.contains(byte));
    let counts = match token.times {
        Times::Once => 1..=1,
        Times::OneOrMore | Times::AnyThenSome => 1..=text.len().max(1),
        Times::Any => 0..=text.len(),
    };
    counts.into_iter().any(|count| taken(count) && matches(rest, &text[count..]))
}

/// Whether the tokens match some text that begins with this one and goes on.
fn goes_on(tokens: &[Token], text: &[u8]) -> bool {
    let Some((token, rest)) = tokens.split_first() else { return false };
    let repeats = token.times != Times::Once;
    let may_lack = token.times == Times::Any;
    match text.split_first() {
        // Every token can still give a character.
        None => true,
        Some((first, after)) => {
            let takes = token.class.contains(first);
            let again = Token { times: Times::Any, ..token.clone() };
            let repeated: Vec<Token> = std::iter::once(again).chain(rest.iter().cloned()).collect();
            takes && (goes_on(rest, after) || repeats && goes_on(&repeated, after)) || may_lack && goes_on(rest, text)
        }
    }
}

/// Every string of so many characters, tried.
fn count(tokens: &[Token], length: usize) -> u128 {
    let mut text = vec![ALPHABET[0]; length];
    let mut places = vec![0; length];
    let mut found = 0;
    loop {
        found += u128::from(matches(tokens, &text));
        let Some(at) = places.iter().rposition(|place| place + 1 < ALPHABET.len()) else { return found };
        places[at] += 1;
        places[at + 1..].fill(0);
        for (byte, place) in text.iter_mut().zip(&places) {
            *byte = ALPHABET[*place];
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Leads {
    Out,
    Blocks,
    Own(u32),
    Originator,
    Nowhere,
}

#[derive(Clone, Debug)]
struct Line {
    pattern: Spelled,
    /// Past the last: none.
    partition: usize,
    urgent: bool,
    emergency: bool,
    leads: Leads,
    mask: Option<&'static str>,
    pre_dot: bool,
}

fn line() -> impl Strategy<Value = Line> {
    let pattern = (prop::collection::vec(token(), 1..4), prop::option::weighted(0.3, 0usize..3))
        .prop_map(|(tokens, dot)| Spelled { dot: dot.filter(|at| *at < tokens.len()), tokens })
        .prop_filter("one ^", Spelled::is_legal);
    let leads = prop_oneof![
        5 => Just(Leads::Out),
        1 => Just(Leads::Blocks),
        2 => (0u32..3).prop_map(Leads::Own),
        2 => Just(Leads::Originator),
        1 => Just(Leads::Nowhere),
    ];
    let mask = prop::option::of(prop::sample::select(vec!["1XX", "2X", "XXX", "012", "X", "0*X"]));
    (pattern, 0..=PARTITIONS, any::<bool>(), any::<bool>(), leads, mask, any::<bool>()).prop_map(
        |(pattern, partition, urgent, emergency, leads, mask, pre_dot)| Line {
            pattern,
            partition,
            urgent,
            emergency,
            leads,
            mask,
            pre_dot,
        },
    )
}

/// Partition 1 is open at even seconds.
#[derive(Debug)]
struct Even;

impl Hours for Even {
    fn open(&self, at: Civil) -> bool {
        at.0 % 2 == 0
    }
}

fn is_open(partition: usize, at: Civil) -> bool {
    partition != 1 || at.0 % 2 == 0
}

fn digits(text: &[u8]) -> Digits {
    Digits::from_bytes(text).unwrap()
}

struct Oracle<'a> {
    lines: &'a [Line],
    spaces: &'a [Vec<usize>],
    at: Civil,
    counts: HashMap<(usize, usize), u128>,
}

/// Where the oracle ends.
#[derive(Clone, Debug, PartialEq)]
enum End {
    Found(usize, Vec<u8>),
    Blocked(usize),
    Nothing,
    OnlyBeginnings,
    StillTranslating(usize),
}

impl Oracle<'_> {
    /// The rank of a partition in concatenated spaces: none comes last.
    fn rank(&self, css: &[usize], partition: usize) -> Option<usize> {
        if partition == PARTITIONS {
            return Some(usize::MAX);
        }
        let listed: Vec<usize> = css.iter().flat_map(|css| &self.spaces[*css]).copied().collect();
        listed.iter().position(|other| *other == partition && is_open(partition, self.at))
    }

    /// D-4 to D-13 over every line.
    fn closest(&mut self, css: &[usize], dialed: &[u8]) -> (Option<usize>, bool) {
        let mut best: Option<((u128, usize, usize, String), usize)> = None;
        let mut could_grow = false;
        for (at, line) in self.lines.iter().enumerate() {
            let Some(rank) = self.rank(css, line.partition) else { continue };
            could_grow |= goes_on(&line.pattern.tokens, dialed);
            if !matches(&line.pattern.tokens, dialed) {
                continue;
            }
            let length = dialed.len();
            let strings = *self.counts.entry((at, length)).or_insert_with(|| count(&line.pattern.tokens, length));
            let prefix = usize::MAX - line.pattern.literal_prefix();
            let key = (strings, rank, prefix, line.pattern.text());
            if best.as_ref().is_none_or(|(other, _)| key < *other) {
                best = Some((key, at));
            }
        }
        (best.map(|(_, at)| at), could_grow)
    }

    /// D-14, D-15.
    fn analyse(&mut self, css: &[usize], dialed: &[u8]) -> (End, Vec<usize>, bool) {
        let (mut dialed, mut translations, mut emergency) = (dialed.to_vec(), Vec::new(), false);
        let mut next = css.to_vec();
        for pass in 1..=PASSES_MAX {
            let (best, could_grow) = self.closest(&next, &dialed);
            let Some(at) = best else {
                let end = if could_grow { End::OnlyBeginnings } else { End::Nothing };
                return (end, translations, emergency);
            };
            let line = &self.lines[at];
            emergency |= line.emergency;
            next = match line.leads {
                Leads::Out => return (End::Found(at, dialed), translations, emergency),
                Leads::Blocks => return (End::Blocked(at), translations, emergency),
                _ if pass == PASSES_MAX => return (End::StillTranslating(at), translations, emergency),
                Leads::Own(own) => vec![own as usize],
                Leads::Originator => css.to_vec(),
                Leads::Nowhere => Vec::new(),
            };
            translations.push(at);
            if line.pre_dot
                && let Some(dot) = line.pattern.dot
            {
                let (left, right) = line.pattern.tokens.split_at(dot);
                let taken = (0..=dialed.len())
                    .find(|taken| matches(left, &dialed[..*taken]) && matches(right, &dialed[*taken..]));
                dialed.drain(..taken.unwrap_or(0));
            }
            if let Some(mask) = line.mask {
                dialed = masked(mask.as_bytes(), &dialed);
            }
        }
        unreachable!("the last pass returns")
    }
}

/// D-21, from the right.
fn masked(mask: &[u8], number: &[u8]) -> Vec<u8> {
    let (mut made, mut under) = (Vec::new(), number.to_vec());
    for &place in mask.iter().rev() {
        let digit = under.pop();
        made.extend(if place == b'X' { digit } else { Some(place) });
    }
    made.reverse();
    made
}

fn plan(lines: &[Line], spaces: &[Vec<usize>]) -> (DialPlan, Vec<CssId>) {
    let mut builder = DialPlanBuilder::default();
    for partition in 0..PARTITIONS {
        builder.partition((partition == 1).then(|| Arc::new(Even) as Arc<dyn Hours>));
    }
    let id = |partition: &usize| PartitionId(*partition as u32);
    let css = spaces.iter().map(|listed| builder.css(&listed.iter().map(id).collect::<Vec<_>>())).collect();
    for line in lines {
        let transform = Transform {
            discard: line.pre_dot.then_some(Discard::PreDot),
            called_mask: line.mask.map(|mask| Mask::parse(mask).unwrap()),
            ..Transform::NONE
        };
        let css = match line.leads {
            Leads::Own(own) => Some(TranslateCss::Css(CssId(own))),
            Leads::Originator => Some(TranslateCss::Originator),
            Leads::Nowhere => Some(TranslateCss::None),
            Leads::Out | Leads::Blocks => None,
        };
        let target = match (css, line.leads) {
            (Some(css), _) => Target::Translate { css },
            (None, Leads::Blocks) => Target::Block,
            (None, _) => Target::RouteList(RouteListId(0)),
        };
        builder.row(Row {
            pattern: Pattern::parse(&line.pattern.text()).unwrap(),
            partition: (line.partition < PARTITIONS).then(|| id(&line.partition)),
            urgent: line.urgent,
            emergency: line.emergency,
            transform: transform.into(),
            target,
        });
    }
    (builder.build(), css)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn d4_to_d17_analysis_ends_where_every_rule_read_by_itself_ends(
        lines in prop::collection::vec(line(), 1..14),
        spaces in prop::collection::vec(prop::collection::vec(0..PARTITIONS, 0..5), 3),
        chosen in prop::collection::vec(0usize..3, 0..4),
        numbers in prop::collection::vec("[012679*+]{0,3}", 1..6),
        second in 0i64..2,
    ) {
        let (plan, ids) = plan(&lines, &spaces);
        let at = Civil(second);
        let css: Vec<CssId> = chosen.iter().map(|space| ids[*space]).collect();
        let mut oracle = Oracle { lines: &lines, spaces: &spaces, at, counts: HashMap::new() };
        for number in &numbers {
            let (end, translations, emergency) = oracle.analyse(&chosen, number.as_bytes());
            let analysis = plan.analyse(&css, &digits(number.as_bytes()), None, at);
            let id = |at: usize| PatternId(at as u32);
            let want = match end {
                End::Found(row, dialed) => Outcome::Found { row: id(row), dialed: digits(&dialed), calling: None },
                End::Blocked(row) => Outcome::Blocked { row: id(row) },
                End::Nothing => Outcome::Nothing,
                End::OnlyBeginnings => Outcome::OnlyBeginnings,
                End::StillTranslating(row) => Outcome::StillTranslating { row: id(row) },
            };
            prop_assert_eq!(analysis.outcome, want, "{} in {:?}", number, plan);
            let passed: Vec<PatternId> = translations.into_iter().map(id).collect();
            prop_assert_eq!(analysis.translations.as_slice(), passed.as_slice());
            prop_assert_eq!(analysis.emergency, emergency);
            // D-16, D-17.
            let (best, could_grow) = oracle.closest(&chosen, number.as_bytes());
            let overlap = match (best, could_grow) {
                (None, false) => Overlap::Reorder,
                (None, true) => Overlap::Wait,
                (Some(best), true) if !lines[best].urgent => Overlap::Wait,
                (Some(_), _) => Overlap::Route,
            };
            prop_assert_eq!(plan.digit_by_digit(&css, &digits(number.as_bytes()), at), overlap, "{}", number);
        }
    }

    #[test]
    fn d8_a_pattern_matches_and_counts_what_trying_every_string_gives(
        tokens in prop::collection::vec(token(), 1..5),
        number in "[012679*+]{0,5}",
    ) {
        let spelled = Spelled { tokens, dot: None };
        prop_assume!(spelled.is_legal());
        let pattern = Pattern::parse(&spelled.text()).unwrap();
        let reach = pattern.matches(&digits(number.as_bytes()));
        prop_assert_eq!(reach.full, matches(&spelled.tokens, number.as_bytes()), "{} on {}", spelled.text(), number);
        prop_assert_eq!(reach.could_grow, goes_on(&spelled.tokens, number.as_bytes()), "{} on {}", spelled.text(), number);
        for length in 0..3 {
            prop_assert_eq!(pattern.count(length), count(&spelled.tokens, length), "{} at {}", spelled.text(), length);
        }
    }

    /// Ordinary patterns that take a number of an emergency one are found, each of them and no other (P-23).
    #[test]
    fn p23_what_takes_an_emergency_number_is_found_exactly(
        mut lines in prop::collection::vec(line(), 2..8),
        listed in prop::collection::vec(0..PARTITIONS, 1..5),
    ) {
        for (at, line) in lines.iter_mut().enumerate() {
            line.emergency = at == 0 || line.emergency && at % 3 == 0;
            // Emergency numbers have a length.
            for token in line.pattern.tokens.iter_mut().filter(|_| line.emergency) {
                token.times = Times::Once;
                token.text = if token.text == "!" { "X" } else { token.text };
            }
        }
        let spaces = vec![listed];
        let (plan, ids) = plan(&lines, &spaces);
        let hours = [Civil(0), Civil(1)];
        let search = [emcc_policies::search_space::SearchSpace::from_slice(&ids)];
        let captures = plan.captures(&search, Some(&hours));
        prop_assert!(captures.unproved.is_empty());
        let found: HashSet<PatternId> = captures.found.iter().map(|capture| capture.won).collect();
        prop_assert_eq!(found.len(), captures.found.len());
        let is_reached = |line: &Line| line.partition == PARTITIONS || spaces[0].contains(&line.partition);
        for capture in &captures.found {
            prop_assert!(plan.row(capture.lost).unwrap().pattern.matches(&capture.digits).full);
            let is_won = hours.iter().any(|at| plan.closest_row(&ids, &capture.digits, *at) == Some(capture.won));
            prop_assert!(is_won && !plan.row(capture.won).unwrap().emergency);
        }
        for at in hours {
            let mut oracle = Oracle { lines: &lines, spaces: &spaces, at, counts: HashMap::new() };
            for number in (0..1_000u32).map(|number| number.to_string()) {
                let is_emergency = |line: &&Line| line.emergency && is_reached(line);
                let mut emergencies = lines.iter().filter(is_emergency);
                if emergencies.any(|line| matches(&line.pattern.tokens, number.as_bytes()))
                    && let (Some(won), _) = oracle.closest(&[0], number.as_bytes())
                {
                    let is_found = found.contains(&PatternId(u32::try_from(won).unwrap()));
                    prop_assert!(lines[won].emergency || is_found, "{} goes to {:?}", number, lines[won]);
                }
            }
        }
    }
}
