//! Claims about digit analysis.

use proptest::prelude::*;

use super::*;
use crate::digits::{Digits, Mask, Transform};

const NOW: Civil = Civil(0);

fn digits(text: &str) -> Digits {
    Digits::from_bytes(text.as_bytes()).unwrap()
}

fn row(pattern: &str, partition: Option<PartitionId>) -> Row {
    Row {
        pattern: Pattern::parse(pattern).unwrap(),
        partition,
        urgent: false,
        emergency: false,
        transform: RowTransform::default(),
        target: Target::RouteList(RouteListId(0)),
    }
}

/// A plan of one search space: each inner list is a partition, in order.
fn ordered(partitions: &[&[&str]]) -> (DialPlan, CssId) {
    let mut builder = DialPlanBuilder::default();
    let ids: Vec<PartitionId> = partitions.iter().map(|_| builder.partition(None)).collect();
    let css = builder.css(&ids);
    for (patterns, id) in partitions.iter().zip(ids) {
        for pattern in *patterns {
            builder.row(row(pattern, Some(id)));
        }
    }
    (builder.build(), css)
}

fn won<'a>(plan: &'a DialPlan, css: &[CssId], dialed: &str) -> Option<&'a str> {
    let analysis = plan.analyse(css, &digits(dialed), None, NOW);
    analysis.outcome.row().and_then(|id| plan.row(id)).map(|row| row.pattern.text())
}

#[test]
fn the_closest_match_wins_wherever_it_is_d8_to_d13_traps_6_and_7() {
    for (partitions, dialed, want) in [
        // D-11.
        (&[&["XXXXXXX"][..], &["123XXXX"], &["1234XXX"]][..], "1234567", "1234XXX"),
        // Trap 6: only strings of the dialed length count.
        (&[&["1[3-5]XX", "15!"]], "1515", "15!"),
        // Trap 7: the order of partitions is only a tie-break.
        (&[&["9.!"], &["9.911"]], "9911", "9.911"),
        (&[&["9911"], &["9.911"]], "9911", "9911"),
        (&[&["9.911"], &["9911"]], "9911", "9.911"),
        // D-13: the longer literal prefix, then byte order.
        (&[&["12X4", "123X"]], "1234", "123X"),
        (&[&["9911", "9.911"]], "9911", "9.911"),
        (&[&["XX", "X!"]], "12", "X!"),
        // The published examples of closest match.
        (&[&["1XXX", "12XX", "123X", "1234"]], "1234", "1234"),
        (&[&["1XXX", "12XX", "123X", "1234"]], "1239", "123X"),
        (&[&["1XXX", "12XX", "123X", "1234"]], "1999", "1XXX"),
        (&[&["!", "9!", "91!"]], "9123", "91!"),
    ] {
        let (plan, css) = ordered(partitions);
        assert_eq!(won(&plan, &[css], dialed), Some(want), "{partitions:?} dialing {dialed}");
    }
}

/// D-9: over `0`-`9`, `*`, `#` and `+`, and a dot counts nothing.
#[test]
fn strings_are_counted_over_what_can_be_dialed_d9() {
    for (text, length, want) in [
        ("!", 3, 1_000),
        ("X", 1, 10),
        ("[*#]", 1, 2),
        (r"\+X", 2, 10),
        ("9.911", 4, 1),
        ("9911", 4, 1),
        ("9.!", 4, 1_000),
        ("9!", 4, 1_000),
    ] {
        assert_eq!(Pattern::parse(text).unwrap().count(length), want, "{text} at {length}");
    }
}

/// D-10: the best of each partition's best is the one best of all.
#[test]
fn the_best_of_every_partitions_best_wins_d10() {
    let partitions: &[&[&str]] = &[&["9!", "91X!"], &["91!", "9X2X"], &["912X", "9[12]XX"]];
    let (all, css) = ordered(partitions);
    for dialed in ["9123", "9199", "9923", "9299", "9", "91"] {
        let alone = partitions.iter().filter_map(|own| {
            let (plan, css) = ordered(&[own]);
            won(&plan, &[css], dialed).map(str::to_owned)
        });
        let best = alone.min_by_key(|text| Pattern::parse(text).unwrap().count(dialed.len()));
        assert_eq!(won(&all, &[css], dialed).map(str::to_owned), best, "{dialed}");
    }
}

/// D-11 and D-12: a closer match wins from the last partition, and of equally close ones the first partition's.
#[test]
fn partitions_decide_between_equal_matches_alone_d11_d12() {
    for (partitions, dialed, want) in [
        (&[&["XXXXXXX"][..], &["123XXXX"], &["1234XXX"]][..], "1234567", "1234XXX"),
        (&[&["1234XXX"], &["123XXXX"], &["XXXXXXX"]], "1234567", "1234XXX"),
        (&[&["[1]234"], &["1234"]], "1234", "[1]234"),
        (&[&["1234"], &["[1]234"]], "1234", "1234"),
        (&[&["5XXX"], &["[5]XXX"], &["5!"]], "5001", "5XXX"),
    ] {
        let (plan, css) = ordered(partitions);
        assert_eq!(won(&plan, &[css], dialed), Some(want), "{partitions:?} dialing {dialed}");
    }
    // D-12 on concatenated spaces: the first space's partitions are listed first.
    let mut builder = DialPlanBuilder::default();
    let (first, second) = (builder.partition(None), builder.partition(None));
    let (line, device) = (builder.css(&[first]), builder.css(&[second]));
    builder.row(row("[5]XXX", Some(second)));
    builder.row(row("5XXX", Some(first)));
    let plan = builder.build();
    assert_eq!(won(&plan, &[line, device], "5001"), Some("5XXX"));
    assert_eq!(won(&plan, &[device, line], "5001"), Some("[5]XXX"));
}

/// D-1: with `#` at its end a pattern is complete, and no other sign is.
#[test]
fn a_number_sign_ends_dialing_d1() {
    let (plan, css) = ordered(&[&["9.011!#", "9.011!"]]);
    for (dialed, want) in [
        ("9011442", Overlap::Wait),
        ("9011442#", Overlap::Route),
        ("9011442*", Overlap::Reorder),
        ("9011442##", Overlap::Reorder),
        ("9011#", Overlap::Reorder),
    ] {
        assert_eq!(plan.digit_by_digit(&[css], &digits(dialed), NOW), want, "{dialed}");
    }
    assert_eq!(won(&plan, &[css], "9011442#"), Some("9.011!#"));
    assert_eq!(won(&plan, &[css], "9011442"), Some("9.011!"));
}

/// D-19: a whole number is never waited for, where the same digits one by one would be.
#[test]
fn a_number_that_comes_whole_takes_the_closest_match_at_once_d19() {
    let (plan, css) = ordered(&[&["911", "911X", "0!", "5XXX"]]);
    for (dialed, want) in [("911", "911"), ("9115", "911X"), ("0", ""), ("01", "0!"), ("5001", "5XXX")] {
        let pattern = won(&plan, &[css], dialed);
        assert_eq!(pattern, Some(want).filter(|want| !want.is_empty()), "{dialed}");
    }
    for waits in ["911", "01"] {
        assert_eq!(plan.digit_by_digit(&[css], &digits(waits), NOW), Overlap::Wait, "{waits}");
    }
}

#[test]
fn patterns_in_no_partition_come_after_all_others_d7() {
    let mut builder = DialPlanBuilder::default();
    let partition = builder.partition(None);
    let (css, empty) = (builder.css(&[partition]), builder.css(&[]));
    builder.row(row("12XX", None));
    builder.row(row("1[2]XX", Some(partition)));
    let plan = builder.build();
    assert_eq!(won(&plan, &[css], "1234"), Some("1[2]XX"));
    for nobody in [&[empty][..], &[]] {
        assert_eq!(won(&plan, nobody, "1234"), Some("12XX"));
    }
}

#[derive(Debug)]
struct Before(i64);

impl Hours for Before {
    fn open(&self, at: Civil) -> bool {
        at.0 < self.0
    }
}

#[test]
fn a_partition_outside_its_hours_is_not_there_d4() {
    let mut builder = DialPlanBuilder::default();
    let (day, always) = (builder.partition(Some(Arc::new(Before(100)))), builder.partition(None));
    let css = builder.css(&[day, always]);
    builder.row(row("911", Some(day)));
    builder.row(row("9XX", Some(always)));
    let plan = builder.build();
    for (at, want) in [(99, "911"), (100, "9XX")] {
        let analysis = plan.analyse(&[css], &digits("911"), None, Civil(at));
        let text = analysis.outcome.row().and_then(|id| plan.row(id)).map(|row| row.pattern.text());
        assert_eq!(text, Some(want), "at {at}");
    }
}

#[test]
fn a_number_that_only_begins_one_is_told_from_one_nobody_has() {
    let (plan, css) = ordered(&[&["5XXX", "9.011!", "777888"]]);
    for (dialed, want) in [
        ("50", Outcome::OnlyBeginnings),
        ("9011", Outcome::OnlyBeginnings),
        ("777", Outcome::OnlyBeginnings),
        ("", Outcome::OnlyBeginnings),
        ("778", Outcome::Nothing),
        ("50000", Outcome::Nothing),
        ("6", Outcome::Nothing),
    ] {
        assert_eq!(plan.analyse(&[css], &digits(dialed), None, NOW).outcome, want, "{dialed}");
    }
    assert_eq!(plan.analyse(&[], &digits("5001"), None, NOW).outcome, Outcome::Nothing);
}

#[test]
fn a_block_is_matched_like_any_other_d14() {
    let mut builder = DialPlanBuilder::default();
    let partition = builder.partition(None);
    let css = builder.css(&[partition]);
    builder.row(row("9.!", Some(partition)));
    let blocking = builder.row(Row { target: Target::Block, ..row("9.1900!", Some(partition)) });
    let plan = builder.build();
    assert_eq!(plan.analyse(&[css], &digits("91900555"), None, NOW).outcome, Outcome::Blocked { row: blocking });
    assert_eq!(won(&plan, &[css], "91800555"), Some("9.!"));
}

#[test]
fn a_translation_starts_again_with_its_own_search_space_d15() {
    let mut builder = DialPlanBuilder::default();
    let (first, second) = (builder.partition(None), builder.partition(None));
    let (css, onward) = (builder.css(&[first]), builder.css(&[second]));
    let mask = |text: &str| Some(Mask::parse(text).unwrap());
    let transform = Transform { called_mask: mask("999"), calling_mask: mask("555XXXX"), ..Transform::default() };
    let translation = builder.row(Row {
        target: Target::Translate { css: TranslateCss::Css(onward) },
        emergency: true,
        transform: transform.into(),
        ..row("911", Some(first))
    });
    builder.row(row("999", Some(first)));
    let route = builder.row(row("999", Some(second)));
    let plan = builder.build();
    let analysis = plan.analyse(&[css], &digits("911"), Some(&digits("5001")), NOW);
    assert_eq!(
        analysis.outcome,
        Outcome::Found { row: route, dialed: digits("999"), calling: Some(digits("5555001")) }
    );
    assert_eq!((analysis.translations.as_slice(), analysis.emergency), (&[translation][..], true));
}

#[test]
fn translations_stop_after_ten_passes_d15() {
    let mut builder = DialPlanBuilder::default();
    let partition = builder.partition(None);
    let css = builder.css(&[partition]);
    let target = Target::Translate { css: TranslateCss::Originator };
    let endless = builder.row(Row { target, ..row("1", Some(partition)) });
    // Eight translations are followed by the ninth pass's route.
    let prefix = Transform { prefix: digits("2"), ..Transform::default() };
    builder.row(Row { target, transform: prefix.into(), ..row("2!", Some(partition)) });
    let end = builder.row(row("2222222225", Some(partition)));
    let longer = builder.row(Row { target, transform: prefix.into(), ..row("3", None) });
    let plan = builder.build();
    let analysis = plan.analyse(&[css], &digits("1"), None, NOW);
    assert_eq!(analysis.outcome, Outcome::StillTranslating { row: endless });
    assert_eq!(analysis.translations.len(), PASSES_MAX - 1);
    let analysis = plan.analyse(&[css], &digits("25"), None, NOW);
    assert_eq!((analysis.outcome.row(), analysis.translations.len()), (Some(end), 8));
    assert_eq!(plan.analyse(&[css], &digits("3"), None, NOW).translations.first(), Some(&longer));
}

#[test]
fn a_number_translated_too_long_matches_nothing() {
    let mut builder = DialPlanBuilder::default();
    let css = builder.css(&[]);
    let transform = Transform { prefix: digits(&"1".repeat(30)), ..Transform::default() };
    let target = Target::Translate { css: TranslateCss::None };
    builder.row(Row { target, transform: transform.into(), ..row("!", None) });
    let plan = builder.build();
    assert_eq!(plan.analyse(&[css], &digits(&"2".repeat(30)), None, NOW).outcome, Outcome::Nothing);
}

#[test]
fn digits_are_routed_one_by_one_by_d16_and_urgency_counts_only_for_the_best_d17() {
    let mut builder = DialPlanBuilder::default();
    let partition = builder.partition(None);
    let css = builder.css(&[partition]);
    builder.row(Row { urgent: true, ..row("911", Some(partition)) });
    builder.row(row("911X", Some(partition)));
    builder.row(row("5XX", Some(partition)));
    builder.row(Row { urgent: true, ..row("[5]X!", Some(partition)) });
    builder.row(row("0!", Some(partition)));
    builder.row(row("77", Some(partition)));
    let plan = builder.build();
    for (dialed, want) in [
        ("", Overlap::Wait),
        ("9", Overlap::Wait),
        ("91", Overlap::Wait),
        ("911", Overlap::Route),
        ("8", Overlap::Reorder),
        ("778", Overlap::Reorder),
        ("77", Overlap::Route),
        // `[5]X!` and `5XX` both count 100; the longer literal prefix is the same, then byte order: the route waits.
        ("501", Overlap::Wait),
        ("5012", Overlap::Route),
        ("012", Overlap::Wait),
    ] {
        assert_eq!(plan.digit_by_digit(&[css], &digits(dialed), NOW), want, "{dialed}");
    }
}

/// Marks a row as an emergency one.
fn emergency(row: Row) -> Row {
    Row { emergency: true, ..row }
}

#[test]
fn an_ordinary_pattern_takes_an_emergency_number_only_where_it_wins_p23() {
    // The ordinary pattern, the emergency one, where each is in the search space, and the number taken.
    for (ordinary, lost, order, want) in [
        ("9.!", "9.911", [0, 1], None),
        ("[9]911", "9.911", [0, 1], Some("9911")),
        ("[9]911", "9.911", [1, 0], None),
        ("99XX", "9.911", [0, 1], None),
        ("9.!", "911", [0, 1], None),
        ("9.9111", "9911!", [1, 0], Some("99111")),
        ("991[0-4]", "9911!", [0, 1], None),
        ("9911[0-4]", "9911!", [1, 0], Some("99110")),
        ("911", "911", [0, 0], None),
        ("9?11", "911", [0, 1], Some("911")),
        ("911!?", "911", [0, 1], Some("911")),
    ] {
        let mut builder = DialPlanBuilder::default();
        let partitions = [builder.partition(None), builder.partition(None)];
        let css = builder.css(&partitions);
        let lost = builder.row(emergency(row(lost, Some(partitions[order[1]]))));
        let won = builder.row(row(ordinary, Some(partitions[order[0]])));
        let plan = builder.build();
        let want: Vec<_> =
            want.map(|number| Capture { won, lost, digits: digits(number), space: 0 }).into_iter().collect();
        let spaces = [SearchSpace::from_slice(&[css])];
        let got = plan.captures(&spaces, Some(&[NOW]));
        assert_eq!(got, Captures { found: want, unproved: Vec::new() }, "{ordinary} over {lost:?}");
        assert_eq!(plan.captures(&spaces, None), got);
        // Whoever does not reach the emergency pattern calls by P-23 alone, which the search space is warned of.
        assert_eq!(plan.captures(&[SearchSpace::new()], None).found, []);
    }
}

#[test]
fn of_many_shortest_numbers_there_is_one_for_each_set_that_no_pattern_tells_apart() {
    let (plan, _) = ordered(&[&["11XX", "110X", "112!", "1[67]55", "XXXXX"], &["22X", "9!"]]);
    for (pattern, beside, want) in [
        ("11XX", &[][..], "1100 1110 1120"),
        ("11XX", &["1187"], "1100 1110 1120 1180 1187"),
        ("11XX", &["11"], "1100 1110 1120"),
        ("1[67]XX!", &[], "16000"),
        ("1[6-9]5X", &[], "1650 1655 1850"),
        ("8XX8", &[], "8008"),
        ("11[29]", &[], "112 119"),
        ("22X", &[], "220 221 222 223 224 225 226 227 228 229"),
        ("911", &[], "911"),
    ] {
        let beside: Vec<Pattern> = beside.iter().map(|text| Pattern::parse(text).unwrap()).collect();
        let found = plan.shortest_apart(&Pattern::parse(pattern).unwrap(), &beside, 10, &mut 1);
        let found: Vec<_> = found.iter().map(Digits::as_str).collect();
        assert_eq!(found.join(" "), want, "{pattern}");
    }
    // Too many sets: the first alone.
    let texts: Vec<String> = (0..5_000).map(|number| format!("77{number:04}")).collect();
    let many: Vec<&str> = texts.iter().map(String::as_str).collect();
    let (plan, _) = ordered(&[&many]);
    assert_eq!(plan.shortest_apart(&Pattern::parse("77XXXX").unwrap(), &[], 10, &mut 1), [digits("770000")]);
    let (plan, _) = ordered(&[&["11XX", "110X"]]);
    let mut searches = 1;
    let mut found = || plan.shortest_apart(&Pattern::parse("11XX").unwrap(), &[], 10, &mut searches).len();
    assert_eq!((found(), found()), (2, 1), "no more searches than were to be made");
}

#[test]
fn an_emergency_pattern_that_sleeps_at_night_has_its_number_taken_then_p23() {
    for (schedule_of_other, want) in [(false, 1), (true, 0)] {
        let mut builder = DialPlanBuilder::default();
        let hours: Arc<dyn Hours> = Arc::new(Before(100));
        let day = builder.partition(Some(hours.clone()));
        let other = builder.partition(schedule_of_other.then_some(hours));
        let css = builder.css(&[day, other]);
        builder.row(emergency(row("911", Some(day))));
        builder.row(row("9XX", Some(other)));
        let plan = builder.build();
        // What closes with it, takes nothing.
        let spaces = [SearchSpace::from_slice(&[css])];
        assert_eq!(plan.captures(&spaces, Some(&[Civil(0), Civil(100)])).found.len(), want);
        assert_eq!(plan.captures(&spaces, None).found.len(), want);
        // Never closed at the hours there are.
        assert_eq!(plan.captures(&spaces, Some(&[Civil(0)])).found, []);
    }
}

/// By day one partition has the number, by night another: at no hour has none of them.
#[test]
fn two_emergency_patterns_that_take_turns_leave_no_hour_to_another_p23() {
    #[derive(Debug)]
    struct From(i64);
    impl Hours for From {
        fn open(&self, at: Civil) -> bool {
            at.0 >= self.0
        }
    }
    for (night, want) in [(100, 0), (101, 1)] {
        let mut builder = DialPlanBuilder::default();
        let by_day = builder.partition(Some(Arc::new(Before(100))));
        let by_night = builder.partition(Some(Arc::new(From(night))));
        let always = builder.partition(None);
        let css = builder.css(&[by_day, by_night, always]);
        builder.row(emergency(row("911", Some(by_day))));
        builder.row(emergency(row("911", Some(by_night))));
        builder.row(row("9XX", Some(always)));
        let plan = builder.build();
        let spaces = [SearchSpace::from_slice(&[css])];
        let hours = [99, 100, 101].map(Civil);
        assert_eq!(plan.captures(&spaces, Some(&hours)).found.len(), want);
        // Without a calendar both may be closed at once.
        assert_eq!(plan.captures(&spaces, None).found.len(), 1);
    }
}

/// The numbers that better emergency patterns leave over are looked at, not the one both patterns begin with.
#[test]
fn a_number_behind_better_emergency_patterns_is_found_p23() {
    let mut builder = DialPlanBuilder::default();
    let css = builder.css(&[]);
    builder.row(emergency(row("9XX", None)));
    // As close as the ordinary one or closer, on all its numbers but 919.
    builder.row(emergency(row("91[0-8]", None)));
    let won = builder.row(row("91X", None));
    let plan = builder.build();
    let captures = plan.captures(&[SearchSpace::from_slice(&[css])], Some(&[NOW]));
    let want = Capture { won, lost: PatternId(0), digits: digits("919"), space: 0 };
    assert_eq!(captures, Captures { found: vec![want], unproved: Vec::new() });
}

#[test]
fn an_emergency_pattern_with_too_many_neighbours_is_said_to_be_unproved_p23() {
    let mut builder = DialPlanBuilder::default();
    let css = builder.css(&[]);
    let lost = builder.row(emergency(row("!", None)));
    for number in 0..40 {
        builder.row(row(&format!("!{number}!{}!{}", number % 7, number % 5), None));
    }
    let captures = builder.build().captures(&[SearchSpace::from_slice(&[css])], None);
    assert_eq!(captures.unproved, [lost]);
    assert!(!captures.found.is_empty());
}

#[test]
fn emergency_patterns_are_found_in_every_partition_and_hour_p23() {
    let mut builder = DialPlanBuilder::default();
    let closed = builder.partition(Some(Arc::new(Before(0))));
    let open = builder.partition(None);
    let css = builder.css(&[open]);
    let target = Target::Translate { css: TranslateCss::Css(css) };
    let mask = Transform { called_mask: Some(Mask::parse("999").unwrap()), ..Transform::default() };
    let translation = builder.row(Row { emergency: true, target, transform: mask.into(), ..row("911", Some(closed)) });
    let route = builder.row(Row { emergency: true, ..row("999", Some(closed)) });
    let blocked = builder.row(Row { emergency: true, target: Target::Block, ..row("999", Some(open)) });
    builder.row(row("112", Some(open)));
    let plan = builder.build();
    assert_eq!(plan.emergency_match(&digits("911")), Some(translation));
    assert_eq!(plan.emergency_match(&digits("999")), Some(route));
    assert_eq!(plan.emergency_match(&digits("112")), None);
    // Only what a translation matches whole may become another number.
    let translated = ["911", "9111", "91", "999", "112"].map(|dialed| plan.may_translate(&digits(dialed)));
    assert_eq!(translated, [true, false, false, false, false]);
    assert_eq!(plan.analyse(&[css], &digits("999"), None, NOW).outcome, Outcome::Blocked { row: blocked });
    // The translation's own search space blocks it, so the emergency patterns of every partition are asked again.
    let onward = plan.analyse_emergency(&digits("911"), None, NOW);
    assert_eq!(onward.outcome, Outcome::Found { row: route, dialed: digits("999"), calling: None });
}

#[test]
fn the_rows_of_a_number_are_those_of_every_partition_and_hour() {
    let mut builder = DialPlanBuilder::default();
    let (closed, open) = (builder.partition(Some(Arc::new(Before(0)))), builder.partition(None));
    for (pattern, partition) in [("11[29]", closed), ("112", closed), ("112", open), ("1!", open), ("119X", open)] {
        builder.row(row(pattern, Some(partition)));
    }
    let plan = builder.build();
    let rows = ["112", "119", "113", "1", "911"].map(|dialed| plan.rows_of(&digits(dialed)));
    assert_eq!(
        rows.map(|rows| rows.iter().map(|id| id.0).collect::<Vec<_>>()),
        [vec![0, 1, 3], vec![0, 3], vec![3], vec![], vec![]]
    );
}

#[test]
fn a_line_is_found_in_a_search_space_that_lets_it_be_called_5_3() {
    let mut builder = DialPlanBuilder::default();
    let (lines, lobby) = (builder.partition(None), builder.partition(None));
    let number = |pattern: &str, partition| Row {
        target: Target::DirectoryNumber { peer: None, intercom: false },
        ..row(pattern, partition)
    };
    builder.row(number("5XXX", Some(lines)));
    builder.row(number("7001", None));
    builder.row(Row { target: Target::Block, ..row("5001", Some(lobby)) });
    builder.row(Row { target: Target::Block, ..row("7001", Some(lobby)) });
    builder.row(row("6001", Some(lines)));
    let of_lobby = builder.css(&[lobby, lines]);
    let of_desks = builder.css(&[lines]);
    let plan = builder.build();
    let found = |dialed: &str| plan.of_line(&digits(dialed), NOW).map(|css| css.to_vec());
    assert!(matches!(plan.analyse(&[of_lobby, of_desks], &digits("5001"), None, NOW).outcome, Outcome::Blocked { .. }));
    assert_eq!(found("5001"), Some(vec![of_desks]), "the one that the lobby may not call");
    assert_eq!(found("5002"), Some(vec![of_lobby]), "the first that reaches it");
    assert_eq!(found("7001"), Some(Vec::new()), "everybody's");
    assert_eq!((found("6001"), found("8000")), (None, None), "a route pattern is no line, and nothing is none");
    // Whom every search space keeps from it, nobody calls.
    let mut builder = DialPlanBuilder::default();
    let (lines, lobby) = (builder.partition(None), builder.partition(None));
    builder.row(number("5XXX", Some(lines)));
    builder.row(Row { target: Target::Block, ..row("5001", Some(lobby)) });
    builder.css(&[lobby, lines]);
    assert_eq!(builder.build().of_line(&digits("5001"), NOW), None);
}

#[test]
fn search_spaces_are_concatenated_in_order_p2_d5() {
    // P-2: adjunct, line, device; D-5: line, device. No order of the ids themselves.
    let [adjunct, line, device] = [3, 1, 2].map(|id| Some(CssId(id)));
    assert_eq!(of_emcc_phone(adjunct, line, device).as_slice(), [CssId(3), CssId(1), CssId(2)]);
    assert_eq!(of_emcc_phone(adjunct, None, device).as_slice(), [CssId(3), CssId(2)]);
    assert_eq!(of_emcc_phone(None, line, device).as_slice(), [CssId(1), CssId(2)]);
    assert_eq!(of_emcc_phone(Some(CssId(3)), Some(CssId(1)), None).as_slice(), [CssId(3), CssId(1)]);
    assert_eq!(of_phone(device, line).as_slice(), [CssId(2), CssId(1)]);
    assert_eq!(of_phone(None, Some(CssId(2))).as_slice(), [CssId(2)]);
}

/// The rules of selection, read line by line over every row.
fn naive(plan: &DialPlan, css: &[CssId], dialed: &Digits) -> (Option<PatternId>, bool) {
    let reached = plan.rows().filter_map(|(id, row)| Some((plan.rank(css, row.partition)?, id, row)));
    let reached: Vec<_> = reached.map(|(rank, id, row)| (rank, id, row, row.pattern.matches(dialed))).collect();
    let best = reached.iter().filter(|(.., reach)| reach.full).min_by(|a, b| {
        let count = |row: &Row| row.pattern.count(dialed.len());
        let prefix = |row: &Row| usize::MAX - row.pattern.literal_prefix_len();
        (count(a.2), a.0, prefix(a.2), a.2.pattern.text(), a.1).cmp(&(
            count(b.2),
            b.0,
            prefix(b.2),
            b.2.pattern.text(),
            b.1,
        ))
    });
    (best.map(|best| best.1), reached.iter().any(|(.., reach)| reach.could_grow))
}

proptest! {
    #[test]
    fn analysis_is_what_a_look_at_every_row_gives(
        rows in prop::collection::vec((r"[0-2X]{0,3}(|!|X\?|[01]|\[1-3\]|\.1|\*)[0-2X]{0,2}", 0u32..5), 1..24),
        spaces in prop::collection::vec(prop::collection::vec(0u32..4, 0..4), 1..4),
        dialed in "[0-3*]{0,6}",
    ) {
        let mut builder = DialPlanBuilder::default();
        for _ in 0..4 {
            builder.partition(None);
        }
        let css: Vec<CssId> = spaces.iter().map(|listed| {
            let listed: Vec<PartitionId> = listed.iter().copied().map(PartitionId).collect();
            builder.css(&listed)
        }).collect();
        for (text, partition) in &rows {
            if Pattern::parse(text).is_ok() {
                builder.row(row(text, (*partition < 4).then_some(PartitionId(*partition))));
            }
        }
        let plan = builder.build();
        let dialed = digits(&dialed);
        let (best, grows) = naive(&plan, &css, &dialed);
        let outcome = plan.analyse(&css, &dialed, None, NOW).outcome;
        prop_assert_eq!(outcome.row(), best);
        if best.is_none() {
            prop_assert_eq!(outcome == Outcome::OnlyBeginnings, grows);
        }
    }
}

#[test]
fn a_hundred_thousand_numbers_do_not_slow_one_down() {
    let mut builder = DialPlanBuilder::default();
    let partitions: Vec<PartitionId> = (0..20).map(|_| builder.partition(None)).collect();
    let css = builder.css(&partitions);
    for number in 0..100_000usize {
        builder.row(row(&format!("8{number:06}"), Some(partitions[number % 20])));
    }
    builder.row(row("8!", Some(partitions[7])));
    let plan = builder.build();
    let met = plan.index.walk(&plan.rows, &digits("8012345"));
    assert_eq!((met.whole.len(), met.growing.len()), (2, 1));
    assert_eq!(won(&plan, &[css], "8012345"), Some("8012345"));
    assert_eq!(won(&plan, &[css], "8912345"), Some("8!"));
}
