//! What `check` says of schedules, transformation patterns, and what stands before an emergency number.

use super::{CLEAN, Severity, each_gives_exactly_its_problem, error, problems_of, warning};

const SCHEDULE: &str = "[[partition]]\nname = \"PT-Local\"\nschedule = \"s\"\n[[schedule]]\nname = \"s\"\n";

fn schedule(rest: &str) -> &'static str {
    // A row of the table lives as long as the test does.
    Box::leak(format!("{SCHEDULE}{rest}").into_boxed_str())
}

#[test]
fn a_schedule_is_held_against_clock_and_calendar_d4() {
    let whole = |zone: &str, period: &str| schedule(&format!("zone = {zone}\nperiods = [{period}]"));
    let period = "{ days = [\"mon\"], from = \"08:00\", to = \"17:00\" }";
    each_gives_exactly_its_problem(&[
        error("", whole("§\"Europe/Londn\"", period), "schedule[0].zone", "no time zone"),
        error("", whole("§\"\"", period), "schedule[0].zone", "no time zone"),
        error("", schedule("zone = \"UTC\"\n§periods = []"), "schedule[0].periods", "never open"),
        error(
            "",
            whole("\"UTC\"", "{ §days = [], from = \"08:00\", to = \"17:00\" }"),
            "schedule[0].periods[0].days",
            "no days",
        ),
        error(
            "",
            whole("\"UTC\"", "{ days = [§\"mo\"], from = \"08:00\", to = \"17:00\" }"),
            "schedule[0].periods[0].days[0]",
            "is no value",
        ),
        error(
            "",
            whole("\"UTC\"", "{ days = [\"mon\"], from = §\"8:00\", to = \"17:00\" }"),
            "schedule[0].periods[0].from",
            "no time of day",
        ),
        error(
            "",
            whole("\"UTC\"", "{ days = [\"mon\"], from = \"08:00\", to = §\"24:01\" }"),
            "schedule[0].periods[0].to",
            "no time of day",
        ),
        error(
            "",
            whole("\"UTC\"", "{ days = [\"mon\"], from = \"08:00\", to = §\"08:00\" }"),
            "schedule[0].periods[0].to",
            "ends when it begins",
        ),
        error(
            "",
            whole("\"UTC\"", "{ days = [\"mon\"], from = §\"24:00\", to = \"06:00\" }"),
            "schedule[0].periods[0].from",
            "the day is over",
        ),
        error(
            "",
            whole("\"UTC\"", "§{ days = [\"mon\"], from = \"08:00\" }"),
            "schedule[0].periods[0].to",
            "has no to",
        ),
        error(
            "",
            "[[partition]]\nname = \"PT-Local\"\nschedule = §\"office\"",
            "partition[0].schedule",
            "there is no schedule",
        ),
        warning(
            "",
            "[[schedule]]\nname = §\"s\"\nperiods = [{ days = [\"mon\"], from = \"22:00\", to = \"06:00\" }]",
            "schedule[0].name",
            "no partition has",
        ),
    ]);
}

#[test]
fn an_emergency_pattern_whose_partition_closes_must_not_be_taken_then_p23() {
    let closing = "[[partition]]\nname = \"PT-Emergency\"\nschedule = \"s\"\n[[schedule]]\nname = \"s\"\nzone = \"UTC\"\n\
                   periods = [{ days = [\"mon\"], from = \"08:00\", to = \"17:00\" }]\n";
    let leaked = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    each_gives_exactly_its_problem(&[
        error(
            "",
            leaked(format!(
                "{closing}[[route_pattern]]\npattern = §\"9!\"\npartition = \"PT-Local\"\nroute_list = \"RL\""
            )),
            "route_pattern[3].pattern",
            "takes 9911 from the emergency pattern \"9.911\"",
        ),
        // What closes with it takes nothing.
        error(
            "",
            leaked(format!(
                "{closing}[[route_pattern]]\npattern = \"9!\"\npartition = \"PT-Emergency\"\nroute_list = \"RL\"\n\
                 [[route_pattern]]\npattern = §\"9@\"\nroute_list = \"RL\""
            )),
            "route_pattern[4].pattern",
            "numbering plan",
        ),
    ]);
}

#[test]
fn a_configured_emergency_number_must_neither_ring_a_phone_nor_change_p23() {
    // Without the clean file's own pattern for 112.
    let alone = "pattern = \"112\"\npartition = \"PT-Emergency\"\nroute_list = \"RL\"\nemergency = true";
    let row = |put: &'static str, key: &'static str, says: &'static str| error(alone, put, key, says);
    each_gives_exactly_its_problem(&[
        row(
            "pattern = §\"1XX\"\npartition = \"PT-Emergency\"\nroute_list = \"RL\"\nprefix_digits = \"0\"\ncalled_mask = \"X\"",
            "route_pattern[1].pattern",
            "takes the emergency number 112 and changes it to 02",
        ),
        error(
            "pattern = \"5XXX\"\npartition = \"PT-Internal\"\npeer = \"cc\"",
            "pattern = \"5XXX\"\npartition = \"PT-Internal\"\npeer = \"cc\"\n\
             [[directory_number]]\npattern = §\"9112\"\npartition = \"PT-Internal\"\npeer = \"cc\"",
            "directory_number[1].pattern",
            "takes the emergency number 9112 and rings a phone",
        )
        .also("numbers = [\"112\"]", "numbers = [\"112\"]\naccess_codes = [\"9\"]"),
    ]);
}

/// What the file says of emergencies, `§` taken as its changes: each finds a text and puts another.
fn warned(changes: &[(&str, &str)], more: &str) -> Vec<String> {
    let mut text = CLEAN.to_owned();
    for (find, put) in changes {
        assert!(text.contains(find), "{find} is not in clean.toml");
        text = text.replacen(find, put, 1);
    }
    let problems = problems_of(&format!("{text}\n{more}\n"));
    let severe: Vec<_> = problems.iter().filter(|problem| problem.severity == Severity::Error).collect();
    assert!(severe.is_empty(), "{severe:?}");
    problems.into_iter().map(|problem| problem.message).collect()
}

const BARE: &str = "[[css]]\nname = \"CSS-Bare\"\npartitions = [\"PT-Bare\"]\n\
                    [[device]]\nname = \"SEP03\"\ncss = \"CSS-Bare\"\ndevice_pool = \"DP-HQ\"\n\
                    [[route_pattern]]\npattern = \"112\"\npartition = \"PT-Bare\"\nroute_list = \"RL\"\nemergency = true\n";

#[test]
fn p_23_an_ordinary_pattern_that_takes_a_number_whose_emergency_pattern_the_space_lacks_is_named() {
    let row = |text: &str| {
        format!("{BARE}[[route_pattern]]\npattern = \"{text}\"\npartition = \"PT-Bare\"\nroute_list = \"RL\"")
    };
    let lacks = "the search space CSS-Bare does not have the emergency pattern \"9.911\", and its number 9911";
    assert_eq!(warned(&[], &row("9!")), [format!("{lacks} leaves as any other by \"9!\"")]);
    assert_eq!(warned(&[], &row("991X")), [format!("{lacks} leaves as any other by \"991X\"")]);
    let rings = "[[directory_number]]\npattern = \"99XX\"\npartition = \"PT-Bare\"\npeer = \"cc\"";
    assert_eq!(warned(&[], &format!("{BARE}{rings}")), [format!("{lacks} rings a phone by \"99XX\"")]);
    // Behind a block the call goes on (P-23); that the space has no way is said as ever.
    let block = "[[route_pattern]]\npattern = \"99XX\"\npartition = \"PT-Bare\"\nblock = true";
    let lost = ["the search space CSS-Bare does not reach the emergency number 9911"];
    assert_eq!(warned(&[], &format!("{BARE}{block}")), lost);
    // A translation into a number whose emergency pattern the space has, is none.
    let translated = "[[translation_pattern]]\npattern = \"99XX\"\npartition = \"PT-Bare\"\noriginator_css = true\ncalled_mask = \"112\"";
    assert_eq!(warned(&[], &format!("{BARE}{translated}")), Vec::<String>::new());
    // By night only.
    let night = "[[partition]]\nname = \"PT-Night\"\nschedule = \"night\"\n[[schedule]]\nname = \"night\"\nzone = \"UTC\"\n\
                 periods = [{ days = [\"sun\"], from = \"22:00\", to = \"23:00\" }]\n\
                 [[route_pattern]]\npattern = \"9XXX\"\npartition = \"PT-Night\"\nroute_list = \"RL\"";
    let bare = BARE.replace("[\"PT-Bare\"]", "[\"PT-Bare\", \"PT-Night\"]");
    let by_night = warned(&[], &format!("{bare}{night}"));
    let at_times = "the search space CSS-Bare does not reach the emergency number 9911 (at some hours)".to_owned();
    assert_eq!(by_night, [format!("{lacks} leaves as any other by \"9XXX\""), at_times]);
}

#[test]
fn p_23_without_a_last_resort_each_device_that_could_be_refused_is_named() {
    let no_last_resort = ("last_resort = [\"gw\"]\n", "");
    assert_eq!(warned(&[no_last_resort], ""), Vec::<String>::new());
    let poor = "[[device_pool]]\nname = \"DP-Poor\"\ngeolocation = \"GL-HQ\"\n\
                [[device]]\nname = \"SEP04\"\ncss = \"CSS-Phone\"\ndevice_pool = \"DP-Poor\"\n\
                [[device]]\nname = \"SEP05\"\ncss = \"CSS-Phone\"\ndevice_pool = \"DP-Poor\"";
    let told = warned(&[no_last_resort], poor);
    let want = "an emergency call of \"SEP04\" (and 1 more of its search space and local route groups) could be refused: \
                112, 9911, 112 over the trunk, 9911 over the trunk";
    assert!(told.iter().any(|message| message == want), "{told:#?}");
    // With a last resort nobody is.
    assert!(warned(&[], poor).iter().all(|message| !message.contains("could be refused")));
    // A number of the list alone has no emergency pattern to go on by; the search space of one device has a way for it.
    let told = warned(&[no_last_resort, ("numbers = [\"112\"]", "numbers = [\"112\", \"113\"]")], BARE);
    let want = [
        "an emergency call of \"SEP01\" could be refused: 113, 113 over the trunk",
        "an emergency call of \"SEP03\" could be refused: 113, 113 over the trunk",
    ];
    for want in want {
        assert!(told.iter().any(|message| message == want), "{told:#?}");
    }
}

#[test]
fn d_15_a_circle_that_a_closed_partition_hides_at_midnight_is_found() {
    let circle = "[[partition]]\nname = \"PT-Day\"\nschedule = \"day\"\n[[schedule]]\nname = \"day\"\nzone = \"UTC\"\n\
                  periods = [{ days = [\"mon\"], from = \"08:00\", to = \"17:00\" }]\n\
                  [[css]]\nname = \"CSS-Day\"\npartitions = [\"PT-Day\"]\n\
                  [[device]]\nname = \"SEP06\"\ncss = \"CSS-Day\"\ndevice_pool = \"DP-HQ\"\n\
                  [[translation_pattern]]\npattern = \"77\"\npartition = \"PT-Day\"\ncss = \"CSS-Day\"\ncalled_mask = \"77\"\n";
    let told = warned(&[], circle);
    assert!(told.iter().any(|message| message.starts_with("77 is still translated after ten passes")), "{told:#?}");
    // What is closer by day hides a circle by day, and not by night.
    let hidden = circle
        .replace("partition = \"PT-Day\"\ncss", "partition = \"PT-Always\"\ncss")
        .replace("[\"PT-Day\"]", "[\"PT-Day\", \"PT-Always\"]")
        + "[[route_pattern]]\npattern = \"77\"\npartition = \"PT-Day\"\nroute_list = \"RL\"";
    let told = warned(&[], &hidden);
    assert!(told.iter().any(|message| message.starts_with("77 is still translated after ten passes")), "{told:#?}");
}

#[test]
fn d_2_and_d_3_a_numbering_plan_its_filters_and_what_it_would_discard_are_refused() {
    let row = |text: &'static str, put: &'static str, key: &'static str, says: &'static str| {
        let with = format!("[[route_pattern]]\n{put}\npartition = \"PT-Local\"\nroute_list = \"RL\"\n{text}");
        error("", Box::leak(with.into_boxed_str()), key, says)
    };
    each_gives_exactly_its_problem(&[
        row("", "pattern = §\"9.@\"", "route_pattern[3].pattern", "numbering plan"),
        row("§route_filter = \"local\"", "pattern = \"9.0!\"", "route_pattern[3].route_filter", "unknown key"),
        row(
            "discard_digits = §\"PreAt\"",
            "pattern = \"9.0!\"",
            "route_pattern[3].discard_digits",
            "needs a numbering plan",
        ),
        row(
            "discard_digits = §\"11/10D->7D\"",
            "pattern = \"9.0!\"",
            "route_pattern[3].discard_digits",
            "needs a numbering plan",
        ),
    ]);
}

#[test]
fn transformation_patterns_are_held_against_their_table_d24() {
    let with =
        |rest: &str| -> &'static str { Box::leak(format!("[[transformation_pattern]]\n{rest}").into_boxed_str()) };
    each_gives_exactly_its_problem(&[
        error("", with("kind = §\"caller\"\npattern = \"5XXX\""), "transformation_pattern[0].kind", "is no value"),
        error("", with("kind = \"called\"\npattern = §\"5@\""), "transformation_pattern[0].pattern", "numbering plan"),
        error("", "§[[transformation_pattern]]\npattern = \"5XXX\"", "transformation_pattern[0].kind", "has no kind"),
        error(
            "",
            with("kind = \"called\"\npattern = \"5XXX\"\nmask = §\"5!\""),
            "transformation_pattern[0].mask",
            "no mask",
        ),
        error(
            "",
            with(
                "kind = \"calling\"\npattern = \"5XXX\"\n[[transformation_pattern]]\nkind = \"called\"\npattern = \"5XXX\"\n\
                 [[transformation_pattern]]\nkind = \"calling\"\npattern = §\"5[0-9]XX\"",
            ),
            "transformation_pattern[2].pattern",
            "matches the same numbers",
        ),
        error(
            "kind = \"gateway\"",
            "kind = \"gateway\"\ncalled_transform_css = §\"CSS-Fone\"",
            "peer[1].called_transform_css",
            "there is no css",
        ),
        error(
            "kind = \"call-control\"",
            "kind = \"call-control\"\ncalling_transform_css = §\"CSS-Phone\"",
            "peer[0].calling_transform_css",
            "must not change",
        ),
        error(
            "css = \"CSS-Trunk\"",
            "css = \"CSS-Trunk\"\ncalling_transform_css = §\"CSS-Fone\"",
            "emcc_trunk.calling_transform_css",
            "there is no css",
        ),
        warning(
            "",
            with("kind = \"called\"\npattern = \"5XXX\"\npartition = §\"PT-Out\""),
            "transformation_pattern[0].partition",
            "nobody reaches",
        ),
    ]);
}
