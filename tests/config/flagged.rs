//! What is written for emergency calls and does less than it seems to (P-23).

use super::*;

const NO_112: &str = "pattern = \"112\"\npartition = \"PT-Emergency\"\nroute_list = \"RL\"\nemergency = true";

/// The clean file with one emergency pattern in place of 112, and the emergency numbers written so.
fn told(pattern: &str, numbers: &str) -> Vec<(u32, String, String, String)> {
    assert!(CLEAN.contains(NO_112), "{NO_112} is not in clean.toml");
    let text = CLEAN.replacen(NO_112, &NO_112.replace("\"112\"", &format!("'{pattern}'")), 1);
    let text = text.replacen("numbers = [\"112\"]", numbers, 1);
    problems_of(&text).into_iter().map(|p| (p.line, p.key, p.message, p.fix)).collect()
}

#[test]
fn an_emergency_number_that_is_none_as_people_dial_it_is_named_p23() {
    for (pattern, written, bare) in [
        ("911#", "911#", "911"),
        (r"\+911", "+911", "911"),
        (r"\+911#", "+911#", "911"),
        ("1[12]2#", "112#", "112"),
        ("8.911#", "8911#", "8911"),
    ] {
        let all = told(pattern, "");
        let [(line, key, message, fix)] = &all[..] else { panic!("{pattern}: {all:#?}") };
        assert_eq!((*line, key.as_str()), (77, "route_pattern[1].pattern"), "{pattern}");
        let wanted = format!("{written} is an emergency number, and {bare}, as people dial it, is none");
        assert_eq!(*message, wanted, "{pattern}");
        let wanted = format!("List \"{bare}\" in emergency.numbers, or write it as an emergency pattern of its own.");
        assert_eq!(*fix, wanted, "{pattern}");
        // Listed, it is one.
        let listed = told(pattern, &format!("numbers = [\"{bare}\", \"122\"]"));
        assert!(listed.iter().all(|(.., message, _)| !message.contains("as people dial it")), "{listed:#?}");
    }
    let listed = told("911", "numbers = [\"112#\"]");
    let at: Vec<_> = listed.iter().filter(|(.., message, _)| message.contains("as people dial it")).collect();
    assert!(matches!(&at[..], [(_, key, ..)] if key == "emergency.numbers[0]"), "{listed:#?}");
    // One of E.164 is dialled so, and one behind a country code is 911 behind it.
    for (pattern, numbers) in [(r"\+442079460000", ""), (r"\+1911", "numbers = [\"911\"]"), ("911", "")] {
        let told = told(pattern, numbers);
        assert!(told.iter().all(|(.., message, _)| !message.contains("as people dial it")), "{pattern}: {told:#?}");
    }
}

#[test]
fn an_access_code_that_stands_before_no_number_is_named_p23() {
    let coded = |codes: &str| format!("access_codes = [{codes}]");
    let all = told("911", &coded("\"0\", \"9\""));
    let [(line, key, message, fix)] = &all[..] else { panic!("{all:#?}") };
    assert_eq!((*line, key.as_str()), (28, "emergency.access_codes[0]"), "9911 is one by its own pattern: {all:#?}");
    let wanted =
        "the access code \"0\" counts before emergency.numbers alone, and there are none: 0911 is no emergency number";
    assert_eq!(message, wanted);
    assert_eq!(fix, "Write numbers = [\"911\"] in [emergency], or remove the access code.");
    // What another pattern has before its dot is no use of the code.
    let all = told("118", &coded("\"9\""));
    let wanted =
        "the access code \"9\" counts before emergency.numbers alone, and there are none: 9118 is no emergency number";
    assert!(matches!(&all[..], [(28, _, message, _)] if message == wanted), "{all:#?}");
    assert_eq!(told("112", &format!("numbers = [\"112\"]\n{}", coded("\"0\""))), []);
}

#[test]
fn an_emergency_pattern_that_is_a_block_is_told_at_itself_p23() {
    let put = "[[route_pattern]]\npattern = §\"919000\"\npartition = \"PT-Emergency\"\nblock = true\nemergency = true";
    each_gives_exactly_its_problem(&[warning("", put, "route_pattern[3].pattern", "\"919000\" is a block")]);
}
