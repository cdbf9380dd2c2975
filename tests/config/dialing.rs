//! What `check` says of schedules, transformation patterns, and what stands before an emergency number.

use super::{each_gives_exactly_its_problem, error, warning};

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
