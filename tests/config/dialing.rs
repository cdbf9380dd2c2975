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

/// An ordinary pattern of the phones' search space, with the number's own emergency pattern gone.
const NO_112: (&str, &str) = (
    "pattern = \"112\"\npartition = \"PT-Emergency\"\nroute_list = \"RL\"\nemergency = true",
    "pattern = \"118\"\npartition = \"PT-Emergency\"\nroute_list = \"RL\"\nemergency = true",
);
const CODES: (&str, &str) = ("numbers = [\"112\"]", "numbers = [\"112\"]\naccess_codes = [\"9\", \"0\"]");

fn told_with(changes: &[(&str, &str)], more: &str) -> Vec<(Severity, String, String)> {
    let text = changes.iter().fold(CLEAN.to_owned(), |text, (find, put)| {
        assert!(text.contains(find), "{find} is not in clean.toml");
        text.replacen(find, put, 1)
    });
    let problems = problems_of(&format!("{text}\n{more}\n")).into_iter();
    problems.map(|problem| (problem.severity, problem.key, problem.message)).collect()
}

#[test]
fn p_23_a_number_is_kept_alone_or_behind_an_access_code_and_changed_by_anything_else() {
    let ordinary = |put: &str| format!("[[route_pattern]]\npartition = \"PT-Emergency\"\nroute_list = \"RL\"\n{put}");
    for (put, becomes) in [
        ("pattern = \"1XX\"\nprefix_digits = \"919125550\"", Some("919125550112")),
        ("pattern = \"1XX\"\nprefix_digits = \"0044\"", Some("0044112")),
        ("pattern = \"1XX\"\nprefix_digits = \"8\"", Some("8112")),
        ("pattern = \"1XX\"\nprefix_digits = \"9\"", None),
        ("pattern = \"1XX\"\nprefix_digits = \"0\"", None),
        ("pattern = \"0.1XX\"\ndiscard_digits = \"PreDot\"", None),
        ("pattern = \"0.1XX\"\ndiscard_digits = \"PreDot\"\nprefix_digits = \"9\"", None),
        ("pattern = \"0.1XX\"", None),
        ("pattern = \"01X.X\"\ndiscard_digits = \"PreDot\"", Some("2")),
        ("pattern = \"0112.\"\ndiscard_digits = \"PreDot\"", Some("")),
    ] {
        let told = told_with(&[NO_112, CODES], &ordinary(put));
        let errors: Vec<_> = told.iter().filter(|(severity, ..)| *severity == Severity::Error).collect();
        let changes = errors.iter().filter(|(_, _, message)| message.contains("takes the emergency number"));
        let changes: Vec<_> = changes.collect();
        match becomes {
            None => assert!(errors.is_empty(), "{put}: {errors:#?}"),
            Some("") => assert!(
                changes.iter().any(|(.., message)| message.contains("leaves nothing of it")),
                "{put}: {told:#?}"
            ),
            Some(number) => {
                let want =
                    format!("changes it to {number} by the member \"Standard Local Route Group\" of route list \"RL\"");
                assert!(matches!(&changes[..], [one] if one.2.contains(&want)), "{put}: {told:#?}");
            }
        }
    }
}

#[test]
fn p_23_a_number_changed_by_a_member_of_the_route_list_is_misled_d23() {
    let ordinary = "[[route_pattern]]\npattern = \"1XX\"\npartition = \"PT-Emergency\"\nroute_list = \"RL-Two\"\n\
                    [[route_list]]\nname = \"RL-Two\"\nmembers = [\"Standard Local Route Group\", \"RG\"]\n";
    let own = "[route_list.transform.RG]\nprefix_digits = \"+44\"\n";
    let told = told_with(&[NO_112], &format!("{ordinary}{own}"));
    let errors: Vec<_> = told.iter().filter(|(severity, ..)| *severity == Severity::Error).collect();
    let want = "\"1XX\" takes the emergency number 112 and changes it to +44112 by the member \"RG\" of route list \"RL-Two\" in the \
                search space CSS-Trunk";
    assert!(
        matches!(&errors[..], [(_, key, message)] if key == "route_pattern[3].pattern" && message == want),
        "{told:#?}"
    );
    // A member's transform replaces the pattern's own, which then changes nothing.
    let both = ordinary.replace("route_list = \"RL-Two\"", "route_list = \"RL-Two\"\nprefix_digits = \"+44\"");
    let undone = "[route_list.transform.RG]\ndiscard_digits = \"NoDigits\"\n[route_list.transform.\"Standard Local Route Group\"]\n\
                  discard_digits = \"NoDigits\"\n";
    let told = told_with(&[NO_112], &format!("{both}{undone}"));
    assert!(told.iter().all(|(severity, ..)| *severity == Severity::Warning), "{told:#?}");
}

#[test]
fn p_23_an_ordinary_pattern_that_takes_a_number_as_it_is_is_told_where_it_leads() {
    let route = "[[route_pattern]]\npattern = \"1XX\"\npartition = \"PT-Emergency\"\nroute_list = \"RL\"";
    let block = "[[route_pattern]]\npattern = \"11X\"\npartition = \"PT-Emergency\"\nblock = true";
    let takes = |text: &str, does: &str| {
        format!(
            "\"{text}\" takes the emergency number 112 in the search space CSS-Trunk and is no emergency pattern: {does}"
        )
    };
    let of_its_own = |told: Vec<String>| -> Vec<String> {
        told.into_iter().filter(|message| message.contains("is no emergency pattern")).collect()
    };
    assert_eq!(
        of_its_own(warned(&[NO_112], route)),
        [takes("1XX", "it leaves by route list \"RL\" as any other call does")]
    );
    assert_eq!(of_its_own(warned(&[NO_112], block)), [takes("11X", "it is blocked, and goes on by P-23 alone")]);
    // An emergency pattern that is closer takes it.
    assert_eq!(of_its_own(warned(&[], route)), [""; 0]);
    // What takes it from an emergency pattern is an error, told once.
    let told = told_with(&[], &block.replace("11X", "11[2]").replace("PT-Emergency", "PT-Internal"));
    let errors: Vec<_> = told.iter().filter(|(severity, ..)| *severity == Severity::Error).collect();
    assert!(matches!(&errors[..], [(.., message)] if message.contains("takes 112 from")), "{told:#?}");
    assert!(told.iter().all(|(.., message)| !message.contains("is no emergency pattern")), "{told:#?}");
}

/// What a row is nobody knows while its word on that cannot be read: the mistake alone is told.
#[test]
fn p_23_a_row_whose_emergency_cannot_be_read_is_not_called_an_ordinary_one() {
    let row = |text: &str, more: &str| {
        format!("[[route_pattern]]\npattern = \"{text}\"\npartition = \"PT-Emergency\"\nroute_list = \"RL\"\n{more}\n")
    };
    for (text, changes, more) in
        [("1XX", vec![NO_112], ""), ("9.1!", Vec::new(), "discard_digits = \"PreDot\"\n"), ("112", vec![NO_112], "")]
    {
        let of_it = |told: &[(Severity, String, String)]| {
            let messages = told.iter().map(|(.., message)| message.clone());
            messages.filter(|message| message.contains(&format!("\"{text}\""))).collect::<Vec<_>>()
        };
        let ordinary = told_with(&changes, &row(text, more));
        assert!(of_it(&ordinary).iter().any(|message| message.contains("emergency")), "{text}: {ordinary:#?}");
        for emergency in ["emergency = \"true\"", "emergency = 1"] {
            let told = told_with(&changes, &row(text, &format!("{more}{emergency}")));
            assert_eq!(of_it(&told), [""; 0], "{told:#?}");
            let is_told = |(severity, key, _): &(Severity, String, String)| {
                *severity == Severity::Error && key.ends_with(".emergency")
            };
            assert_eq!(told.iter().filter(|told| is_told(told)).count(), 1, "{told:#?}");
        }
    }
}

/// Calls from the PSTN reach the lines of every search space: one that nobody else has is no mistake while there is a gateway.
#[test]
fn a_search_space_of_numbers_that_come_from_outside_is_somebodys_5_3() {
    let outside = "[[css]]\nname = \"CSS-In\"\npartitions = [\"PT-In\"]\n[[translation_pattern]]\npattern = \"408555.5XXX\"\n\
                   partition = \"PT-In\"\ndiscard_digits = \"PreDot\"\ncss = \"CSS-Phone\"\n";
    let unused = |more: &str| -> Vec<String> {
        let all = told_with(&[], more).into_iter().map(|(.., message)| message);
        all.filter(|message| message.contains("no caller has") || message.contains("nobody reaches")).collect()
    };
    assert_eq!(unused(outside), [""; 0]);
    // What leads out is nothing to the PSTN, and what has been reached all along needs no second search space.
    let out =
        outside.replace("translation_pattern", "route_pattern").replace("css = \"CSS-Phone\"", "route_list = \"RL\"");
    assert_eq!(unused(&out).len(), 2, "{:?}", unused(&out));
    let again = format!("{outside}{}", "[[css]]\nname = \"CSS-Again\"\npartitions = [\"PT-In\"]\n");
    assert_eq!(unused(&again).len(), 1, "{:?}", unused(&again));
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

/// Field A.23: "9*, strip 1" turned 911 into 11.
#[test]
fn p_23_an_ordinary_pattern_that_makes_another_number_of_what_is_behind_an_access_code_is_told() {
    let row = |text: &str, more: &str| {
        format!("[[route_pattern]]\npattern = \"{text}\"\npartition = \"PT-Emergency\"\nroute_list = \"RL\"\n{more}")
    };
    let strips = row("9.1!", "discard_digits = \"PreDot\"");
    let told = warned(&[], &strips);
    let want = "\"9.1!\" takes 911, an emergency number behind an access code, and changes it to 11 by the member \
                \"Standard Local Route Group\" of route list \"RL\" in the search space CSS-Trunk";
    assert_eq!(told, [want], "once, though several search spaces have it");
    // As it is, or known as an emergency number, nobody is misled.
    assert_eq!(warned(&[], &row("9.1!", "")), [""; 0]);
    let listed = told_with(&[("numbers = [\"112\"]", "numbers = [\"112\", \"911\"]")], &strips);
    assert!(listed.iter().all(|(.., message)| !message.contains("behind an access code")), "{listed:#?}");
}

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
fn p_23_of_a_pattern_with_many_numbers_one_of_each_kind_is_looked_at() {
    let row = |text: &str, partition: &str| {
        format!(
            "[[route_pattern]]\npattern = \"{text}\"\npartition = \"{partition}\"\nroute_list = \"RL\"\nemergency = true\n"
        )
    };
    let told = |more: &str, says: &str| {
        let mut told = warned(&[], more);
        told.retain(|message| message.contains(says));
        told
    };
    // 1100 is reached, and so is 1187.
    let both = row("11XX", "PT-Emergency") + BARE + &row("110X", "PT-Bare") + &row("1187", "PT-Bare");
    assert_eq!(
        told(&both, "does not reach"),
        ["the search space CSS-Bare does not reach the emergency numbers 9911, 1110"]
    );
    // Behind an access code one of two hundred rings a phone.
    let rings = row("9.[27]1XX", "PT-Emergency")
        + "[[directory_number]]\npattern = \"7123\"\npartition = \"PT-Internal\"\npeer = \"cc\"\n";
    let want = "\"7123\" takes 7123, an emergency number behind an access code, and rings a phone in the search space CSS-Phone";
    assert_eq!(told(&rings, "behind an access code"), [want]);
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

/// Of `11[29]` one number is configured, and the other is its own alone.
#[test]
fn p_23_each_number_of_an_emergency_pattern_with_brackets_is_looked_at() {
    let told = |changes: &[(&str, &str)], more: &str, says: &str| -> Vec<String> {
        warned(changes, more).into_iter().filter(|message| message.contains(says)).collect()
    };
    let brackets = "[[route_pattern]]\npattern = \"11[29]\"\npartition = \"PT-Emergency\"\nroute_list = \"RL\"\nemergency = true\n";
    // Refused: 112 has a pattern whose gateway needs no device pool.
    let poor = "[[device_pool]]\nname = \"DP-Poor\"\n\
                [[device]]\nname = \"SEP04\"\ncss = \"CSS-Phone\"\ndevice_pool = \"DP-Poor\"\n\
                [[route_list]]\nname = \"RL-Fixed\"\nmembers = [\"RG\"]\n";
    let fixed =
        (NO_112.0, "pattern = \"112\"\npartition = \"PT-Emergency\"\nroute_list = \"RL-Fixed\"\nemergency = true");
    let refused = told(&[("last_resort = [\"gw\"]\n", ""), fixed], &format!("{poor}{brackets}"), "could be refused");
    let want = "an emergency call of \"SEP04\" could be refused: 9911, 119, 9911 over the trunk, 119 over the trunk";
    assert_eq!(refused, [want]);
    // Not reached.
    let bare = BARE.replace("\"112\"", "\"9.911\"") + &BARE[BARE.find("[[route_pattern]]").unwrap()..];
    let lost = told(&[], &format!("{bare}{brackets}"), "does not reach");
    assert_eq!(lost, ["the search space CSS-Bare does not reach the emergency number 119"]);
    // Taken behind the access code: 911 is configured, 915 is not.
    let row = |text: &str, more: &str| {
        format!("[[route_pattern]]\npattern = \"{text}\"\npartition = \"PT-Emergency\"\nroute_list = \"RL\"\n{more}\n")
    };
    let both = row("9.91[15]", "emergency = true") + &row("9.1!", "discard_digits = \"PreDot\"");
    let both = both.replace("9.1!", "9.15");
    let taken = told(&[("numbers = [\"112\"]", "numbers = [\"112\", \"911\"]")], &both, "behind an access code");
    assert!(
        matches!(&taken[..], [one] if one.contains("\"9.15\" takes 915, ") && one.contains("changes it to 15")),
        "{taken:#?}"
    );
    // Changed by a member of the route list: 9112 is 112 behind the access code, 9119 is nothing.
    let prefixed =
        "[[route_list]]\nname = \"RL-Nine\"\nmembers = [\"RG\"]\n[route_list.transform.RG]\nprefix_digits = \"9\"\n";
    let nine = format!("{prefixed}{}", brackets.replace("\"RL\"", "\"RL-Nine\""));
    let by = "the member \"RG\" of route list \"RL-Nine\" makes 9119 of the emergency number 119, which is none";
    assert_eq!(
        told(&[("numbers = [\"112\"]", "numbers = [\"112\"]\naccess_codes = [\"9\"]")], &nine, "which is none"),
        [by]
    );
}

#[test]
fn p_23_without_a_last_resort_users_without_a_device_are_told_of_too() {
    let no_last_resort = ("last_resort = [\"gw\"]\n", "");
    let both = ("numbers = [\"112\"]", "numbers = [\"112\", \"113\"]");
    let users = "[[user]]\nid = \"bob\"\ndirectory_number = \"5077\"\nline_css = \"CSS-Phone\"\n\
                 [[user]]\nid = \"carol\"\ndirectory_number = \"5078\"\nline_css = \"CSS-Phone\"\n";
    let has_no_way = |changes: &[(&str, &str)]| -> Vec<String> {
        warned(changes, users).into_iter().filter(|text| text.contains("has no way")).collect()
    };
    let of_bob =
        "an emergency call of user \"bob\" (and 1 more with its line CSS), whose number is on no device, has no way: ";
    // Without a device they have no pool, and the standard local route group stands for nothing.
    let all = "112, 113, 9911";
    assert_eq!(has_no_way(&[no_last_resort, both]), [format!("{of_bob}{all}")]);
    assert_eq!(has_no_way(&[both]), [""; 0]);
    // A guest of the same name is somebody else.
    let guest = "[[emcc_session]]\nuser = \"bob\"\ndevice = \"SEP01\"\nhome_cluster = \"BR\"\n";
    let told = warned(&[no_last_resort, both], &format!("{users}{guest}"));
    assert!(told.contains(&format!("{of_bob}{all}")), "{told:#?}");
}

/// A named local route group that only the trunk's search space asks for, and the phone's pool lacks.
#[test]
fn p_23_a_guest_whose_call_leaves_by_the_last_resort_alone_is_told_of() {
    let lists = "[[route_list]]\nname = \"RL-Named\"\nmembers = [\"LRG-911\"]\n\
                 [[route_pattern]]\npattern = \"114\"\npartition = \"PT-Guest\"\nroute_list = \"RL-Named\"\nemergency = true\n\
                 [[css]]\nname = \"CSS-Guest\"\npartitions = [\"PT-Guest\", \"PT-Emergency\"]\n\
                 [[device_pool]]\nname = \"DP-Named\"\nlocal_route_groups = { \"LRG-911\" = \"RG\" }\n";
    let told = warned(&[("css = \"CSS-Trunk\"", "css = \"CSS-Guest\"")], lists);
    let want =
        "an emergency call of \"SEP01\" leaves by the last resort alone, wherever the phone stands: 114 over the trunk";
    assert!(told.iter().any(|message| message == want), "{told:#?}");
}

#[test]
fn p_23_callers_that_reach_no_emergency_number_are_told_of_whoever_they_are() {
    let device = |name: &str, rest: &str| format!("[[device]]\nname = \"{name}\"\ndevice_pool = \"DP-HQ\"\n{rest}\n");
    let line = "[[css]]\nname = \"CSS-Bare\"\npartitions = [\"PT-Internal\"]\n";
    let bare = "does not reach the emergency numbers 112, 9911";
    // A device without any search space; several are told of together.
    let none = "device \"SEP03\" (and 1 more), without a search space, ";
    let told = warned(&[], &(device("SEP03", "") + &device("SEP04", "")));
    assert_eq!(told, [format!("{none}{bare}")]);
    // The line of a second number, which a call may come from.
    let bob = "[[user]]\nid = \"bob\"\ndirectory_number = \"5003\"\nline_css = \"CSS-Bare\"\n";
    let second = device("SEP03", "directory_numbers = [\"5002\", \"5003\"]");
    let told = warned(&[], &format!("{line}{bob}{second}"));
    assert!(told.contains(&format!("the search space CSS-Bare {bare}")), "{told:#?}");
    // A user with a number and no device at all.
    let told = warned(&[], &format!("{line}{bob}"));
    assert_eq!(told, [format!("the search space CSS-Bare {bare}")]);
    // A session that stands goes on after its user was disabled (L-22).
    let disabled = ("emcc_enabled = true", "emcc_enabled = false");
    let only_internal = ("line_css = \"CSS-Phone\"", "line_css = \"CSS-Bare\"");
    let told = warned(&[disabled, only_internal], line);
    assert!(told.contains(&format!("the search space CSS-Bare {bare}")), "{told:#?}");
}

#[test]
fn p_23_without_a_last_resort_every_line_of_a_device_and_the_service_urn_are_looked_at() {
    let no_last_resort = ("last_resort = [\"gw\"]\n", "");
    // A number that an ordinary pattern of one line's search space alone leads out.
    let lines = "[[css]]\nname = \"CSS-Line\"\npartitions = [\"PT-Line\"]\n\
                 [[route_pattern]]\npattern = \"113\"\npartition = \"PT-Line\"\nroute_list = \"RL\"\n\
                 [[user]]\nid = \"bob\"\ndirectory_number = \"5002\"\nline_css = \"CSS-Line\"\n\
                 [[user]]\nid = \"carol\"\ndirectory_number = \"5003\"\nline_css = \"CSS-Phone\"\n";
    let both = ("numbers = [\"112\"]", "numbers = [\"112\", \"113\"]");
    let numbers = |list: &'static str| ("directory_numbers = [\"5002\"]", list);
    let lost =
        |told: Vec<String>| told.into_iter().filter(|text| text.contains("could be refused")).collect::<Vec<_>>();
    let one = warned(&[no_last_resort, both, numbers("directory_numbers = [\"5002\"]")], lines);
    assert_eq!(lost(one), ["an emergency call of \"SEP01\" could be refused: 113 over the trunk"]);
    let two = warned(&[no_last_resort, both, numbers("directory_numbers = [\"5002\", \"5003\"]")], lines);
    assert_eq!(lost(two), ["an emergency call of \"SEP01\" could be refused: 113, 113 over the trunk"]);
    // A service URN goes on as the first number, which no emergency pattern has.
    let first = ("numbers = [\"112\"]", "numbers = [\"113\"]");
    let reach = lines.replace("partition = \"PT-Line\"", "partition = \"PT-Emergency\"");
    let told = lost(warned(&[no_last_resort, first], &reach));
    assert_eq!(
        told,
        ["an emergency call of \"SEP01\" could be refused: urn:service:sos, urn:service:sos over the trunk"]
    );
    // Without a number it goes on as nothing, for everybody.
    let told = warned(&[no_last_resort, ("numbers = [\"112\"]", "")], "");
    assert_eq!(told, ["an emergency call to urn:service:sos is refused: it has no number to go on as (P-23)"]);
}

#[test]
fn p_22_a_pool_whose_local_route_groups_lead_nowhere_leaves_emergencies_to_the_last_resort_alone_and_is_told_of() {
    let own = "local_route_groups = { \"Standard Local Route Group\" = \"RG\" }\n";
    let elsewhere = "[[device_pool]]\nname = \"DP-Far\"\n[[device]]\nname = \"SEP03\"\ncss = \"CSS-Phone\"\n\
                     device_pool = \"DP-Far\"\n[[device]]\nname = \"SEP04\"\ncss = \"CSS-Phone\"\ndevice_pool = \"DP-Far\"\n";
    let afar = |told: Vec<String>| told.into_iter().filter(|text| text.contains("last resort")).collect::<Vec<_>>();
    assert_eq!(
        afar(warned(&[], elsewhere)),
        [
            "an emergency call of \"SEP03\" (and 1 more of its search space and local route groups) leaves by the last resort \
          alone, wherever the phone stands: 112, 9911, 112 over the trunk, 9911 over the trunk"
        ]
    );
    let mapped = elsewhere.replacen("\n[[device]]", &format!("\n{own}[[device]]"), 1);
    assert_eq!(afar(warned(&[], &mapped)), Vec::<String>::new());
}

#[test]
fn g_5_phones_without_a_place_are_told_of_once_for_their_pool() {
    let pool = |name: &str, rest: &str| format!("[[device_pool]]\nname = \"{name}\"\n{rest}\n");
    let phone = |name: &str, pool: &str, rest: &str| {
        format!("[[device]]\nname = \"{name}\"\ndevice_pool = \"{pool}\"\n{rest}\n")
    };
    let plan = [
        pool("DP-Bare", ""),
        pool("DP-Void", ""),
        phone("SEP03", "DP-Bare", ""),
        phone("SEP04", "DP-Void", ""),
        phone("SEP05", "DP-Bare", "geolocation = \"GL-HQ\""),
        phone("SEP06", "DP-Bare", ""),
        phone("SEP07", "DP-HQ", ""),
    ];
    let told = warned(&[], &plan.concat());
    let told: Vec<_> = told.into_iter().filter(|text| text.contains("no geolocation")).collect();
    assert_eq!(
        told,
        [
            "device \"SEP03\" (and 1 more of its device pool) have no geolocation, its own or its pool's (G-5)",
            "device \"SEP04\" has no geolocation, its own or its pool's (G-5)",
        ]
    );
}

#[test]
fn p_22_a_number_of_phones_at_two_sites_is_told_of() {
    let phone = |pool: &str, number: &str| {
        format!(
            "[[device_pool]]\nname = \"DP-Far\"\nlocal_route_groups = {{ \"Standard Local Route Group\" = \"RG\" }}\n\
             [[device]]\nname = \"SEP03\"\ncss = \"CSS-Phone\"\ndevice_pool = \"{pool}\"\ndirectory_numbers = [\"5009\", \"{number}\"]\n"
        )
    };
    let shared =
        |text: String| warned(&[], &text).into_iter().filter(|text| text.contains("the number")).collect::<Vec<_>>();
    assert_eq!(
        shared(phone("DP-Far", "5002")),
        [
            "\"SEP03\" in device pool DP-Far has the number 5002 of \"SEP01\" in DP-HQ: a call that says the number alone, an \
          emergency call too, leaves at the site of \"SEP01\""
        ]
    );
    assert_eq!(shared(phone("DP-HQ", "5002")), Vec::<String>::new(), "of one site");
    assert_eq!(shared(phone("DP-Far", "5003")), Vec::<String>::new());
}

#[test]
fn p_23_a_member_that_changes_the_number_of_an_emergency_pattern_is_told_of() {
    let list = "[[route_list]]\nname = \"RL\"\nmembers = [\"Standard Local Route Group\"]\n";
    let transform = |text: &str| format!("{list}[route_list.transform.\"Standard Local Route Group\"]\n{text}\n");
    let changed = |text: &str| {
        let told = warned(&[(list, &transform(text))], "");
        told.into_iter().filter(|text| text.contains("which is none")).collect::<Vec<_>>()
    };
    let by = "the member \"Standard Local Route Group\" of route list \"RL\" makes";
    assert_eq!(
        changed("prefix_digits = \"1\""),
        [
            format!("{by} 1911 of the emergency number 9911, which is none"),
            format!("{by} 1112 of the emergency number 112, which is none"),
        ]
    );
    for kept in ["calling_mask = \"919XXXXXXX\"", "called_mask = \"112\""] {
        assert_eq!(changed(kept), Vec::<String>::new(), "{kept}");
    }
    // What the pattern itself makes of it was meant for it.
    let own = ("discard_digits = \"PreDot\"\nemergency", "called_mask = \"5911\"\nemergency");
    assert!(warned(&[own], "").iter().all(|text| !text.contains("which is none")));
}

#[test]
fn p_3_an_emergency_pattern_of_an_adjunct_css_leads_to_a_local_route_group() {
    let adjunct = |members: &str| {
        format!(
            "[[css]]\nname = \"CSS-London\"\npartitions = [\"PT-London\", \"PT-Emergency\"]\n\
             [[route_pattern]]\npattern = \"999\"\npartition = \"PT-London\"\nroute_list = \"RL-London\"\nemergency = true\n\
             [[route_list]]\nname = \"RL-London\"\nmembers = [{members}]\n"
        )
    };
    let pool = ("geolocation = \"GL-HQ\"\n", "geolocation = \"GL-HQ\"\nadjunct_css = \"CSS-London\"\n");
    let of_rule = |told: Vec<String>| told.into_iter().filter(|text| text.contains("(P-3)")).collect::<Vec<_>>();
    let told = of_rule(warned(&[pool], &adjunct("\"RG\"")));
    let want = "the emergency pattern \"999\" is in the adjunct CSS \"CSS-London\" of device pool \"DP-HQ\", and its route list \
                \"RL-London\" has no local route group";
    assert!(matches!(&told[..], [one] if one.starts_with(want)), "{told:#?}");
    assert_eq!(of_rule(warned(&[pool], &adjunct("\"RG\", \"Standard Local Route Group\""))), [""; 0]);
    // A named local route group is the trunk as well (P-5).
    let named =
        ("\"Standard Local Route Group\" = \"RG\"", "\"Standard Local Route Group\" = \"RG\", \"LRG-E\" = \"RG\"");
    assert_eq!(of_rule(warned(&[pool, named], &adjunct("\"LRG-E\""))), [""; 0]);
    // In a search space that is nobody's adjunct it is the gateway that is meant.
    assert_eq!(of_rule(warned(&[], &adjunct("\"RG\""))), [""; 0]);
}

#[test]
fn p_3_an_emergency_translation_of_an_adjunct_css_is_followed_to_its_route_list() {
    let adjunct = |members: &str| {
        format!(
            "[[css]]\nname = \"CSS-London\"\npartitions = [\"PT-London\"]\n\
             [[css]]\nname = \"CSS-Out\"\npartitions = [\"PT-Out\"]\n\
             [[translation_pattern]]\npattern = \"999\"\npartition = \"PT-London\"\ncss = \"CSS-Out\"\nemergency = true\n\
             called_mask = \"112\"\n\
             [[route_pattern]]\npattern = \"112\"\npartition = \"PT-Out\"\nroute_list = \"RL-London\"\nemergency = true\n\
             [[route_list]]\nname = \"RL-London\"\nmembers = [{members}]\n"
        )
    };
    let pool = ("geolocation = \"GL-HQ\"\n", "geolocation = \"GL-HQ\"\nadjunct_css = \"CSS-London\"\n");
    let of_rule = |told: Vec<String>| told.into_iter().filter(|text| text.contains("(P-3)")).collect::<Vec<_>>();
    let told = of_rule(warned(&[pool], &adjunct("\"RG\"")));
    let want = "the emergency translation \"999\" is in the adjunct CSS \"CSS-London\" of device pool \"DP-HQ\", and the route \
                list \"RL-London\" it leads to has no local route group";
    assert!(matches!(&told[..], [one] if one.starts_with(want)), "{told:#?}");
    assert_eq!(of_rule(warned(&[pool], &adjunct("\"Standard Local Route Group\""))), [""; 0]);
    assert_eq!(of_rule(warned(&[], &adjunct("\"RG\""))), [""; 0]);
    // Each number of it: 998 leads to the trunk, 999 to the gateway.
    let local = "[[route_pattern]]\npattern = \"118\"\npartition = \"PT-Out\"\nroute_list = \"RL\"\nemergency = true\n";
    let both =
        adjunct("\"RG\"").replace("\"999\"", "\"99[89]\"").replace("called_mask = \"112\"", "called_mask = \"11X\"");
    let told = of_rule(warned(&[pool], &(both.replace("\"112\"", "\"119\"") + local)));
    assert!(matches!(&told[..], [one] if one.starts_with(&want.replace("\"999\"", "\"99[89]\""))), "{told:#?}");
}

#[test]
fn location_bandwidth_is_refused_wherever_an_emcc_phone_stands_table_4() {
    let pools = "[[device_pool]]\nname = \"DP-London\"\ngeolocation = \"GL-London\"\nlocation = \"L\"\n\
                 local_route_groups = { \"Standard Local Route Group\" = \"RG\" }\n\
                 [[geolocation]]\nname = \"GL-London\"\ncountry = \"GB\"\n\
                 [[device]]\nname = \"SEP07\"\ncss = \"CSS-Phone\"\ndevice_pool = \"DP-London\"\n";
    let refused = |told: Vec<(Severity, String, String)>| -> Vec<(String, String)> {
        let errors = told.into_iter().filter(|(severity, ..)| *severity == Severity::Error);
        errors.map(|(_, key, message)| (key, message)).collect()
    };
    // Only a phone of this cluster is in it.
    assert_eq!(refused(told_with(&[], pools)), []);
    let key = "device_pool[1].location".to_owned();
    // The phone of a user abroad is placed there.
    let abroad = ("visiting_cluster = \"BR\"", "visiting_cluster = \"BR\"\ngeolocation = { country = \"GB\" }");
    let said = "\"SEP02\", which has an EMCC session, is in device pool \"DP-London\": location bandwidth is not for it (table 4)";
    assert_eq!(refused(told_with(&[abroad], pools)), [(key.clone(), said.to_owned())]);
    // A guest is logged in on a phone of it.
    let guest = "[[emcc_session]]\nuser = \"zoe\"\ndevice = \"SEP07\"\nhome_cluster = \"BR\"";
    let said = said.replace("SEP02", "SEP07");
    assert_eq!(refused(told_with(&[], &format!("{pools}{guest}"))), [(key, said)]);
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
fn d_22_what_discards_nothing_is_a_doubt_and_what_leaves_nothing_a_mistake() {
    let row = |put: &str| -> &'static str {
        Box::leak(format!("[[route_pattern]]\n{put}\npartition = \"PT-Local\"\nroute_list = \"RL\"").into_boxed_str())
    };
    let nothing = "\"7911.\" leaves nothing of the number it takes by the member \"Standard Local Route Group\"";
    each_gives_exactly_its_problem(&[
        warning(
            "",
            row("pattern = §\"70!\"\ndiscard_digits = \"PreDot\""),
            "route_pattern[3].pattern",
            "discards nothing",
        ),
        warning(
            "",
            row("pattern = §\"70!\"\ndiscard_digits = \"PreDot Trailing-#\""),
            "route_pattern[3].pattern",
            "discards nothing",
        ),
        error(
            "",
            row("pattern = §\"7911.\"\ndiscard_digits = \"PreDot\"\nemergency = true"),
            "route_pattern[3].pattern",
            nothing,
        ),
        error(
            "",
            row("pattern = §\"70XX.\"\ndiscard_digits = \"PreDot\""),
            "route_pattern[3].pattern",
            "leaves nothing",
        ),
        error(
            "pattern = \"8XXX\"\npartition = \"PT-Internal\"\noriginator_css = true\ncalled_mask = \"5XXX\"",
            "pattern = §\"8XXX.\"\npartition = \"PT-Internal\"\noriginator_css = true\ndiscard_digits = \"PreDot\"",
            "translation_pattern[0].pattern",
            "leaves nothing of the number",
        ),
    ]);
    // What a prefix puts there is something, and so is what a member does in the pattern's place.
    let prefixed = row("pattern = \"7911.\"\ndiscard_digits = \"PreDot\"\nprefix_digits = \"911\"\nemergency = true");
    let in_place = row("pattern = \"7911.\"\ndiscard_digits = \"PreDot\"\nemergency = true")
        .replace("\"RL\"", "\"RL-Own\"")
        + "\n[[route_list]]\nname = \"RL-Own\"\nmembers = [\"RG\"]\n[route_list.transform.RG]\ndiscard_digits = \"NoDigits\"";
    for text in [prefixed, &in_place] {
        let told = told_with(&[], text);
        assert!(told.iter().all(|(severity, ..)| *severity == Severity::Warning), "{told:#?}");
    }
}

#[test]
fn d_6_the_text_of_a_search_space_is_measured_as_a_phone_uses_it() {
    let long = |name: &str, letter: &str| {
        let partition = format!("PT-{}", letter.repeat(120));
        let names: Vec<_> = (0..5).map(|number| format!("\"{partition}{number}\"")).collect();
        let rows: String = (0..5)
            .map(|number| format!("[[route_pattern]]\npattern = \"6{number}\"\npartition = \"{partition}{number}\"\nroute_list = \"RL\"\n"))
            .collect();
        format!("[[css]]\nname = \"{name}\"\npartitions = [\"PT-Emergency\", {}]\n{rows}", names.join(", "))
    };
    let spaces = long("CSS-One", "a") + &long("CSS-Two", "b");
    let of_rule = |told: Vec<String>| told.into_iter().filter(|text| text.contains("(D-6)")).collect::<Vec<_>>();
    let user = |line: &str| format!("[[user]]\nid = \"bob\"\ndirectory_number = \"5002\"\nline_css = \"{line}\"\n");
    let device = ("css = \"CSS-Phone\"\ndevice_pool", "css = \"CSS-Two\"\ndevice_pool");
    // Each is short enough alone.
    assert_eq!(of_rule(warned(&[device], &(user("CSS-Phone") + &spaces))), [""; 0]);
    let told = of_rule(warned(&[device], &(user("CSS-One") + &spaces)));
    let want = "the search space CSS-One + CSS-Two, as a phone uses it, has 1275 characters, and 1024 is most (D-6)";
    assert_eq!(told, [want]);
    // Of a user who may log in elsewhere: line and EMCC CSS.
    let profile = ("line_css = \"CSS-Phone\"\n", "line_css = \"CSS-One\"\nemcc_css = \"CSS-Two\"\n");
    assert_eq!(of_rule(warned(&[profile], &spaces)), [want]);
}

#[test]
fn d_15_a_circle_says_what_becomes_of_an_emergency_call() {
    let flagged = "originator_css = true\ncalled_mask = \"8XXX\"\nemergency = true";
    let told = warned(&[("originator_css = true\ncalled_mask = \"5XXX\"", flagged)], "");
    let goes_on = "8000 is still translated after ten passes, so the emergency call goes on by P-23 alone (D-15)";
    assert!(told.iter().any(|message| message == goes_on), "{told:#?}");
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
