//! Claims about patterns.

use proptest::prelude::*;

use super::*;
use crate::digits::{DIGITS_MAX, SYMBOLS, character};

fn digits(text: &str) -> Digits {
    Digits::from_bytes(text.as_bytes()).unwrap()
}

fn pattern(text: &str) -> Pattern {
    Pattern::parse(text).unwrap()
}

#[test]
fn each_token_matches_what_the_syntax_says_traps_8_and_9() {
    for (text, dialed, full, could_grow) in [
        ("911", "911", true, false),
        ("911", "91", false, true),
        ("911", "9111", false, false),
        ("9XX", "9*1", false, false),
        ("9.911", "9911", true, false),
        ("15!", "15", false, true),
        ("15!", "1515", true, true),
        ("15!", "15#", false, false),
        ("9.011!#", "9011442#", true, false),
        // Trap 8: `?` is zero or more.
        ("91X?", "91", true, true),
        ("91X?", "915", true, true),
        ("91X?", "91555", true, true),
        ("91X+", "91", false, true),
        ("91X+", "910", true, true),
        ("91X??", "91", false, true),
        ("91X??", "910", true, true),
        ("!?", "", true, true),
        // Trap 9: the complement is of digits only.
        ("813510[^0-5]", "8135107", true, false),
        ("813510[^0-5]", "8135103", false, false),
        ("813510[^0-5]", "813510*", false, false),
        ("1[3-5]XX", "1515", true, false),
        ("[135*]", "*", true, false),
        ("[135]", "2", false, false),
        (r"\+44!", "+4420", true, true),
        ("*21#", "*21#", true, false),
        ("A1", "A1", true, false),
        ("X", "A", false, false),
        ("5?1", "5551", true, false),
    ] {
        let want = Reach { full, could_grow };
        assert_eq!(pattern(text).matches(&digits(dialed)), want, "{text} against {dialed}");
    }
}

#[test]
fn the_shortest_numbers_of_a_pattern_are_all_of_them_or_one() {
    let one_of_each =
        |text: &str| pattern(text).shortest_numbers(10).iter().map(ToString::to_string).collect::<Vec<_>>();
    for (text, want) in [
        ("9.911", &["9911"][..]),
        ("11[29]", &["112", "119"]),
        ("[91*]1", &["11", "91", "*1"]),
        ("[^0-5]", &["6", "7", "8", "9"]),
        ("1[2-9]X", &["120"]),
        ("[12][1-5]", &["11", "12", "13", "14", "15", "21", "22", "23", "24", "25"]),
        ("[12][1-6]", &["11"]),
        (r"\+4[12]!", &["+410"]),
        ("0!#", &["00#", "01#", "02#", "03#", "04#", "05#", "06#", "07#", "08#", "09#"]),
        ("91X?", &["91"]),
        ("1[34]+", &["13", "14"]),
        ("1[34]??", &["13", "14"]),
        ("[34]?1?", &["3", "4"]),
        ("AX?", &["A"]),
    ] {
        assert_eq!(one_of_each(text), want, "{text}");
    }
    for (text, want) in [
        ("9.911", Some(&["9911"][..])),
        ("11[29]", Some(&["112", "119"])),
        ("1X", Some(&["10", "11", "12", "13", "14", "15", "16", "17", "18", "19"])),
        ("[01]X", None),
        ("11[29]?", None),
        ("1!", None),
    ] {
        let every = pattern(text).every_number(10).map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(every, want.map(|all| all.iter().map(ToString::to_string).collect()), "{text}");
    }
    let long = "1".repeat(DIGITS_MAX);
    assert_eq!(pattern(&long).shortest_numbers(1), [digits(&long)]);
    assert_eq!(pattern(&format!("{long}1")).shortest_numbers(1), []);
}

#[test]
fn a_wrong_text_is_told_where_and_a_numbering_plan_is_refused_d2() {
    for (text, at, what) in [
        ("", 0, Wrong::Empty),
        (".", 0, Wrong::Empty),
        ("9.@", 2, Wrong::NumberingPlan),
        ("9.1.1", 3, Wrong::SecondDot),
        ("+1", 0, Wrong::NothingToRepeat),
        ("9.?", 2, Wrong::NothingToRepeat),
        ("9X+?", 3, Wrong::RepeatedTwice),
        ("9X?+", 3, Wrong::RepeatedTwice),
        ("9[12", 1, Wrong::OpenBracket),
        ("9[]", 1, Wrong::EmptyBrackets),
        ("9[^]", 1, Wrong::EmptyBrackets),
        ("9[^0-9]", 1, Wrong::EmptyBrackets),
        ("9[5-3]", 2, Wrong::Range),
        ("9[1a-c]", 3, Wrong::Range),
        ("9[*-#]", 2, Wrong::Range),
        ("9[1^]", 3, Wrong::Caret),
        ("[^1][^2]", 5, Wrong::Caret),
        ("9.1[2,9]", 5, Wrong::InBrackets),
        ("9.1[2 9]", 5, Wrong::InBrackets),
        ("[X]", 1, Wrong::InBrackets),
        ("[^1X]", 3, Wrong::InBrackets),
        ("[1-]", 2, Wrong::InBrackets),
        ("[+]", 1, Wrong::InBrackets),
        ("[12]x", 4, Wrong::Character),
        ("9^", 1, Wrong::Caret),
        (r"9\1", 1, Wrong::Escape),
        ("9x", 1, Wrong::Character),
    ] {
        assert_eq!(Pattern::parse(text).err(), Some(PatternError { at, what }), "{text}");
    }
    assert_eq!(Pattern::parse(&"X".repeat(97)).err(), Some(PatternError { at: 96, what: Wrong::TooLong }));
    let unreadable = format!("!1{}2?", "X".repeat(30));
    assert_eq!(Pattern::parse(&unreadable).err().map(|e| e.what), Some(Wrong::TooManyReadings));
}

#[test]
fn only_strings_of_the_dialed_length_are_counted_d8() {
    for (text, length, want) in [
        ("15!", 4, 100),
        ("1[3-5]XX", 4, 300),
        ("9.911", 4, 1),
        ("9911", 4, 1),
        ("9911", 5, 0),
        ("X", 1, 10),
        ("91X?", 2, 1),
        ("91X??", 2, 0),
        ("91X??", 4, 100),
        ("1!?", 1, 1),
        ("1!?", 3, 100),
        // Strings of three digits with a 1 after the first: 1000 - those without = 10 * (100 - 81).
        ("!1X?", 3, 190),
        ("!", 49, 0),
    ] {
        assert_eq!(pattern(text).count(length), want, "{text} at {length}");
    }
}

#[test]
fn equal_patterns_have_equal_languages() {
    for (a, b) in [("9.911", "9911"), ("X", "[0-9]"), ("X?X", "X+"), ("!", "X+"), ("[0-4]?!", "!"), ("!![1]?", "!X")] {
        assert_eq!(pattern(a).language(), pattern(b).language(), "{a} {b}");
    }
    for (a, b) in [("9!", "9X"), ("X", "[0-8]"), ("[0-4]?5", "5")] {
        assert_ne!(pattern(a).language(), pattern(b).language(), "{a} {b}");
    }
}

#[test]
fn a_pattern_of_one_number_gives_it() {
    for (text, want) in
        [("9.911", Some("9911")), (r"\+4[4]", Some("+44")), ("911X", None), ("9?", None), (&"1".repeat(49), None)]
    {
        assert_eq!(pattern(text).only_number().map(|number| number.to_string()).as_deref(), want, "{text}");
    }
}

#[test]
fn a_literal_prefix_ends_at_the_first_wildcard() {
    for (text, want) in [("911", 3), ("9.9X", 2), ("!1", 0), ("12?", 1), ("[1]2X", 2)] {
        assert_eq!(pattern(text).literal_prefix_len(), want, "{text}");
    }
}

fn texts() -> impl Strategy<Value = String> {
    let atom =
        prop::sample::select(vec!["0", "1", "2", "*", "X", "!", "[01]", "[1-9]", "[2-7]", "X?", "1+", "!?", "0??"]);
    prop::collection::vec(atom, 1..5).prop_map(|atoms| atoms.concat())
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,24}") {
        let _parsed = Pattern::parse(&text);
    }

    #[test]
    fn no_text_of_the_syntax_makes_the_parser_panic(text in r"[0-2X!?+\[\]^.\\@*#-]{0,16}", dialed in "[0-9*#]{0,8}") {
        if let Ok(parsed) = Pattern::parse(&text) {
            let dialed = digits(&dialed);
            prop_assert_eq!(parsed.matches(&dialed).full && parsed.count(dialed.len()) == 0, false);
            let _taken = parsed.before_dot(&dialed);
        }
    }

    #[test]
    fn the_count_is_that_of_every_string_tried(text in texts()) {
        let parsed = pattern(&text);
        let mut strings = vec![Digits::EMPTY];
        for length in 0..4 {
            let matched = strings.iter().filter(|string| parsed.matches(string).full).count();
            prop_assert_eq!(parsed.count(length), matched as u128, "{} at {}", text, length);
            let mut longer = Vec::new();
            for string in &strings {
                for place in 0..SYMBOLS {
                    let mut string = *string;
                    string.push(character(place)).unwrap();
                    longer.push(string);
                }
            }
            strings = longer;
        }
    }

    #[test]
    fn an_equal_language_matches_the_same(a in texts(), b in texts(), dialed in "[0-9*]{0,6}") {
        let (a, b) = (pattern(&a), pattern(&b));
        if a.language() == b.language() {
            prop_assert_eq!(a.matches(&digits(&dialed)), b.matches(&digits(&dialed)));
            prop_assert!((0..=DIGITS_MAX).all(|length| a.count(length) == b.count(length)));
        }
    }

    #[test]
    fn a_number_in_common_matches_both(a in texts(), b in texts()) {
        let (a, b) = (pattern(&a), pattern(&b));
        match a.in_common(&b, |_| true) {
            Some(number) => prop_assert!(a.matches(&number).full && b.matches(&number).full),
            None => for number in 0..1000u32 {
                let number = digits(&number.to_string());
                prop_assert!(!(a.matches(&number).full && b.matches(&number).full), "{number}");
            },
        }
    }
}
