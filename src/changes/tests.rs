use std::collections::{BTreeSet, HashSet};

use emcc_policies::emergency::Called;
use proptest::prelude::*;

use emcc_policies::route::Party;

use super::*;
use crate::config;
use crate::engine::decide::{Question, Source};

const AT: Civil = Civil(1_700_000_000);

/// The numbers of brute force: all of up to so many of these characters, and what an emergency number may be written as with
/// a `+` or a `#` more.
const ALPHABET: &[u8] = b"129*";
const LENGTH: usize = 4;

fn numbers() -> Vec<Digits> {
    let mut all: Vec<Vec<u8>> = vec![vec![]];
    let mut found = Vec::new();
    for _ in 0..LENGTH {
        all = all.iter().flat_map(|head| ALPHABET.iter().map(|byte| [head.as_slice(), &[*byte]].concat())).collect();
        found.extend(all.iter().map(|text| Digits::from_bytes(text).unwrap()));
    }
    let written = |number: &Digits| [format!("+{number}"), format!("{number}#"), format!("+{number}#")];
    let written: Vec<String> = found.iter().flat_map(written).filter(|text| text.len() <= LENGTH).collect();
    found.extend(written.iter().map(|text| Digits::from_bytes(text.as_bytes()).unwrap()));
    found
}

/// A row of a generated dial plan.
#[derive(Clone, Debug)]
struct RowSpec {
    text: &'static str,
    kind: usize,
    partition: usize,
    target: usize,
    discard: &'static str,
    mask: &'static str,
    prefix: &'static str,
    calling_mask: &'static str,
    emergency: bool,
}

impl RowSpec {
    const NONE: Self = Self {
        text: "",
        kind: 0,
        partition: 0,
        target: 0,
        discard: "",
        mask: "",
        prefix: "",
        calling_mask: "",
        emergency: false,
    };
}

/// A transformation pattern of a generated configuration.
#[derive(Clone, Debug)]
struct TransformationSpec {
    is_calling: bool,
    text: &'static str,
    partition: usize,
    discard: &'static str,
    mask: &'static str,
    prefix: &'static str,
}

fn transformation() -> impl Strategy<Value = TransformationSpec> {
    let texts = vec!["1", "9.!", "9.1", "X", "[12]X", "2!", "!", "*!", "1!.2", "XX!", "[^9]XX", "12", "**!"];
    (
        any::<bool>(),
        prop::sample::select(texts),
        0usize..4,
        prop::sample::select(vec!["", "PreDot"]),
        prop::sample::select(vec!["", "", "X", "9XX", "21", "X1"]),
        prop::sample::select(vec!["", "9", "0"]),
    )
        .prop_map(|(is_calling, text, partition, discard, mask, prefix)| TransformationSpec {
            is_calling,
            text,
            partition,
            discard,
            mask,
            prefix,
        })
}

fn rows() -> impl Strategy<Value = RowSpec> {
    let texts = vec![
        "1", "2", "12", "9.1", "9.11", "9.X", "9.!", "X", "XX", "[12]X", "1!", "*X", "*!", "XXX", "2XX", "91X", "!",
        "9.1!", "1.1!", "1+.2", "[12]!.1", "99XX", "[^1]XX", "1*2", "**", "X?2", "\\+!", "\\+1X", "X#", "!#", "2X#",
    ];
    (
        prop::sample::select(texts),
        0usize..8,
        0usize..4,
        0usize..5,
        prop::sample::select(vec!["", "PreDot", "NoDigits", "PreDot Trailing-#"]),
        prop::sample::select(vec!["", "", "XX", "1X", "2", "XXX9"]),
        prop::sample::select(vec!["", "", "9", "1"]),
        prop::sample::select(vec!["", "", "", "XX", "1"]),
        prop::bool::weighted(0.12),
    )
        .prop_map(|(text, kind, partition, target, discard, mask, prefix, calling_mask, emergency)| RowSpec {
            text,
            kind,
            partition,
            target,
            discard,
            mask,
            prefix,
            calling_mask,
            emergency,
        })
}

/// What a configuration is made of, beside its rows.
#[derive(Clone, Debug)]
struct Spec {
    rows: Vec<RowSpec>,
    /// Partitions of each search space.
    spaces: Vec<Vec<usize>>,
    /// Members of each route list.
    lists: Vec<Vec<usize>>,
    circular: bool,
    last_resort: bool,
    numbers: Vec<&'static str>,
    codes: Vec<&'static str>,
    pool_group: usize,
    original_device: bool,
    pstn_access: bool,
    gateway_port: u16,
    transformations: Vec<TransformationSpec>,
    /// Search spaces of the transformation patterns of the trunk, `g0` and `g1`, for the calling and the called number; 3
    /// for none.
    exits: [[usize; 2]; 3],
    /// The schedule of each partition: open when calls are made, closed then, or none.
    hours: [usize; 3],
    /// Whether the sessions on phones abroad and on ours are secure, over a trunk of TLS, and whether the other cluster may
    /// send an INVITE (S-7).
    trust: [bool; 3],
}

fn specs() -> impl Strategy<Value = Spec> {
    (
        prop::collection::vec(rows(), 1..9),
        prop::collection::vec(prop::collection::vec(0usize..3, 0..4), 3),
        prop::collection::vec(prop::collection::vec(0usize..3, 1..3), 2),
        (any::<bool>(), any::<bool>(), any::<bool>(), prop::bool::weighted(0.9)),
        prop::sample::subsequence(vec!["91", "22", "2"], 0..3),
        prop::sample::subsequence(vec!["9", "1", "12"], 0..3),
        (0usize..2, 0u16..2),
        (prop::collection::vec(transformation(), 0..6), prop::array::uniform3(prop::array::uniform2(0usize..4))),
        prop::array::uniform3(prop::sample::select(vec![2usize, 2, 2, 0, 1])),
        prop::array::uniform3(prop::bool::weighted(0.25)),
    )
        .prop_map(
            |(rows, spaces, lists, flags, numbers, codes, (pool_group, gateway_port), leaving, hours, trust)| Spec {
                rows,
                spaces,
                lists,
                circular: flags.0,
                last_resort: flags.1,
                original_device: flags.2,
                pstn_access: flags.3,
                numbers,
                codes,
                pool_group,
                gateway_port,
                transformations: leaving.0,
                exits: leaving.1,
                hours,
                trust,
            },
        )
}

/// Two plans of which some parts are the same.
fn pairs() -> impl Strategy<Value = (Spec, Spec)> {
    (specs(), specs(), any::<u32>()).prop_map(|(now, other, taken)| {
        let is = |bit: u32| taken >> bit & 1 == 1;
        let mut next = now.clone();
        if is(0) {
            next.rows = now.rows.iter().skip(1).cloned().chain(other.rows.iter().take(1).cloned()).collect();
        }
        if is(1) {
            next.rows.extend(other.rows.iter().skip(1).take(2).cloned());
        }
        if is(2) && is(3) {
            next.spaces[0] = other.spaces[0].clone();
        }
        if is(4) && is(5) {
            next.lists = other.lists.clone();
        }
        if is(6) && is(7) {
            (next.numbers, next.codes) = (other.numbers.clone(), other.codes.clone());
        }
        if is(8) && is(9) {
            (next.circular, next.last_resort) = (other.circular, other.last_resort);
        }
        if is(10) && is(11) {
            (next.pool_group, next.gateway_port) = (other.pool_group, other.gateway_port);
        }
        if is(12) && is(13) {
            (next.original_device, next.pstn_access) = (other.original_device, other.pstn_access);
        }
        if is(14) {
            next.spaces[1..].clone_from_slice(&other.spaces[1..]);
        }
        if is(15) {
            next.transformations =
                now.transformations.iter().skip(1).chain(other.transformations.iter().take(2)).cloned().collect();
        }
        if is(16) && is(17) {
            next.exits = other.exits;
        }
        if is(18) && is(19) {
            next.hours = other.hours;
        }
        if is(20) && is(21) {
            next.trust = other.trust;
        }
        (now, next)
    })
}

impl Spec {
    fn row(row: &RowSpec) -> String {
        let table = match row.kind {
            0..=3 => "route_pattern",
            4..=6 => "translation_pattern",
            _ => "directory_number",
        };
        let mut text = format!("[[{table}]]\npattern = {:?}\n", row.text);
        if row.partition < 3 {
            text += &format!("partition = \"P{}\"\n", row.partition);
        }
        if table == "directory_number" {
            return text + "peer = \"cc\"\n" + if row.target == 0 { "intercom = true\n" } else { "" };
        }
        match (table, row.target) {
            ("route_pattern", 4) => text += "block = true\n",
            ("route_pattern", target) => text += &format!("route_list = \"L{}\"\n", target % 2),
            (_, 0..=2) => text += &format!("css = \"C{}\"\n", row.target),
            _ => text += "originator_css = true\n",
        }
        let values = [
            ("discard_digits", row.discard),
            ("called_mask", row.mask),
            ("prefix_digits", row.prefix),
            ("calling_mask", row.calling_mask),
        ];
        for (key, value) in values {
            if !value.is_empty() {
                text += &format!("{key} = {value:?}\n");
            }
        }
        if row.emergency {
            text += "emergency = true\n";
        }
        text
    }

    /// A transformation pattern in a partition of its number alone: `T0` to `T2`, or none.
    fn transformation(row: &TransformationSpec) -> String {
        let kind = if row.is_calling { "calling" } else { "called" };
        let mut text = format!("[[transformation_pattern]]\nkind = \"{kind}\"\npattern = {:?}\n", row.text);
        if row.partition < 3 {
            text += &format!("partition = \"T{}\"\n", row.partition);
        }
        for (key, value) in [("discard_digits", row.discard), ("mask", row.mask), ("prefix_digits", row.prefix)] {
            if !value.is_empty() {
                text += &format!("{key} = {value:?}\n");
            }
        }
        text
    }

    /// The keys of an end's transformation patterns.
    fn exit(&self, end: usize) -> String {
        let [calling, called] = self.exits[end];
        let keys = [("calling_transform_css", calling), ("called_transform_css", called)];
        let named = keys.into_iter().filter(|(_, css)| *css < 3);
        named.map(|(key, css)| format!("{key} = \"N{css}\"\n")).collect()
    }

    fn toml(&self) -> String {
        let names = |list: &[usize], name: fn(usize) -> String| {
            let quoted: Vec<String> = list.iter().map(|item| format!("{:?}", name(*item))).collect();
            format!("[{}]", quoted.join(", "))
        };
        let mut text = format!(
            "[cluster]\nid = \"HQ\"\n[sip]\nlisten = [\"udp:127.0.1.1:5060\"]\nphones = [\"127.9.0.0/16\"]\n\
             [intercluster_service_profile]\nemcc = true\npstn_access = {}\n\
             [feature]\npstn_access_css = {:?}\n[emcc_trunk]\ncss = \"C1\"\ndevice_pool = \"DP\"\n{}\
             [emergency]\nnumbers = {:?}\naccess_codes = {:?}\n{}",
            self.pstn_access,
            if self.original_device { "original-device" } else { "trunk" },
            self.exit(0),
            self.numbers,
            self.codes,
            if self.last_resort { "last_resort = [\"g0\"]\n" } else { "" },
        );
        text += "[[peer]]\nname = \"cc\"\nkind = \"call-control\"\naddresses = [\"udp:127.0.1.10:5060\"]\n";
        for gateway in 0..2 {
            let port = 5060 + self.gateway_port * gateway;
            text += &format!(
                "[[peer]]\nname = \"g{gateway}\"\nkind = \"gateway\"\naddresses = [\"udp:127.0.1.2{gateway}:{port}\"]\n"
            );
            text += &self.exit(usize::from(gateway) + 1);
        }
        text += "[[css]]\nname = \"N0\"\npartitions = [\"T0\", \"T1\"]\n[[css]]\nname = \"N1\"\n\
                 partitions = [\"T1\", \"T0\", \"T2\"]\n[[css]]\nname = \"N2\"\npartitions = []\n";
        let [is_secure, is_tls, is_silent] = self.trust;
        text += &format!(
            "[[remote_cluster]]\nid = \"BR\"\ntrunk = [\"{}:127.0.2.1:5060\"]\nservices = [\"emcc\", \"pstn-access\"]\n{}",
            if is_tls { "tls" } else { "udp" },
            if is_silent { "methods = [\"OPTIONS\"]\n" } else { "" },
        );
        text += &format!(
            "[[device_pool]]\nname = \"DP\"\nlocal_route_groups = {{ \"Standard Local Route Group\" = \"G{}\" }}\n",
            self.pool_group
        );
        // AT is on a Tuesday.
        for (name, day) in [("open", "tue"), ("closed", "wed")] {
            text += &format!(
                "[[schedule]]\nname = {name:?}\nperiods = [{{ days = [{day:?}], from = \"00:00\", to = \"24:00\" }}]\n"
            );
        }
        for (place, hours) in self.hours.iter().enumerate() {
            text += &format!("[[partition]]\nname = \"P{place}\"\n");
            text += ["schedule = \"open\"\n", "schedule = \"closed\"\n", ""][*hours];
        }
        for (place, list) in self.spaces.iter().enumerate() {
            let mut seen = HashSet::new();
            let once: Vec<usize> = list.iter().copied().filter(|item| seen.insert(*item)).collect();
            text += &format!("[[css]]\nname = \"C{place}\"\npartitions = {}\n", names(&once, |p| format!("P{p}")));
        }
        for (place, list) in self.lists.iter().enumerate() {
            let member = |m| if m == 2 { "Standard Local Route Group".to_owned() } else { format!("G{m}") };
            text += &format!("[[route_list]]\nname = \"L{place}\"\nmembers = {}\n", names(list, member));
        }
        let distribution = if self.circular { "circular" } else { "top-down" };
        text += &format!("[[route_group]]\nname = \"G0\"\npeers = [\"g0\", \"g1\"]\ndistribution = {distribution:?}\n");
        text += "[[route_group]]\nname = \"G1\"\npeers = [\"g1\"]\n";
        let mode = if is_secure { "security_mode = \"secure\"\n" } else { "" };
        text += "[[device]]\nname = \"SEP1\"\ncss = \"C0\"\ndevice_pool = \"DP\"\ndirectory_numbers = [\"88881\"]\n\
                 [[user]]\nid = \"alice\"\ndirectory_number = \"88882\"\nline_css = \"C0\"\nemcc_css = \"C2\"\nemcc_enabled = true\n\
                 [[emcc_session]]\nuser = \"bob\"\ndevice = \"SEP2\"\nhome_cluster = \"BR\"\n";
        text += &format!("[[device]]\nname = \"SEP2\"\ncss = \"C2\"\ndevice_pool = \"DP\"\n{mode}");
        text += &format!("[[emcc_session]]\nuser = \"alice\"\ndevice = \"SEP3\"\nvisiting_cluster = \"BR\"\n{mode}");
        let mut seen = HashSet::new();
        for row in self.rows.iter().filter(|row| seen.insert((row.text, row.partition))) {
            text += &Self::row(row);
        }
        let mut seen = HashSet::new();
        let once = |row: &&TransformationSpec| seen.insert((row.is_calling, row.text, row.partition));
        text.extend(self.transformations.iter().filter(once).map(Self::transformation));
        text
    }

    fn plan(&self) -> Plan {
        config::unchecked(&self.toml()).unwrap_or_else(|problems| panic!("{problems:?}\n{}", self.toml()))
    }
}

fn asked() -> Asked {
    let calling = Some(Digits::from_bytes(b"291").unwrap());
    Asked { calling, digits_max: LENGTH, steps_max: 500_000_000, ..Asked::everything(AT) }
}

/// Whether a number's decision differs, asked of the deciding function alone.
fn differs(pair: &Pair<'_>, who: &Who, number: &Digits) -> bool {
    (0..pair.turns).any(|turn| {
        let [(now, of_now), (next, of_next)] = [&pair.now, &pair.next].map(|side| {
            // As the node reads a Request-URI, before anything is decided of the call.
            let called = side.plan.emergency.read(&side.plan.dial_plan, number.as_bytes()).unwrap();
            let question = who.question(side.plan, Target::Digits(called), &asked(), turn).unwrap();
            (unsent::decided(side.plan, &question, Sender::of(side.plan, question.source, None)), called)
        });
        fate::is_other(&now, &next, [&of_now, &of_next])
    })
}

/// Compares what is listed for every caller with every number tried.
fn compared_with_brute_force(now: &Plan, next: &Plan) -> Result<usize, TestCaseError> {
    let changes = match between(now, next, &asked()) {
        Ok(changes) => changes,
        Err(fault) => return Err(TestCaseError::fail(format!("the deciding function disagrees on {}", fault.number))),
    };
    prop_assert!(changes.is_complete);
    let pair = Pair::of(now, next, &asked());
    let facts = |who: &Who| (Facts::of(&pair.now, who, &asked()), Facts::of(&pair.next, who, &asked()));
    for who in callers(now) {
        let group = changes.groups.iter().position(|group| facts(&group.example) == facts(&who));
        for number in numbers() {
            let of_it = |change: &&Change| Some(change.group) == group;
            let listed: Vec<&Change> = changes.changes.iter().filter(of_it).collect();
            let times: usize =
                listed.iter().map(|change| change.shapes.iter().filter(|shape| shape.has(&number)).count()).sum();
            prop_assert_eq!(times, usize::from(differs(&pair, &who, &number)), "{} dialing {}", who, number);
        }
    }
    for change in changes.changes.iter().filter(|change| change.example.is_some()) {
        let example = change.example.unwrap();
        prop_assert!(change.shapes.iter().any(|shape| shape.has(&example)), "{} is not in its set", example);
        let read = [read(now, &example), read(next, &example)];
        prop_assert!(fate::is_other(&change.now, &change.next, read.each_ref()));
    }
    for party in [Party::Calling, Party::Called] {
        for to in [None, Some("g0"), Some("g1")] {
            let of_it = |found: &&Leaving| found.party == party && found.to.iter().any(|name| name.as_deref() == to);
            let listed: Vec<&Leaving> = changes.leaving.iter().filter(of_it).collect();
            for number in numbers() {
                let shapes = listed.iter().flat_map(|found| &found.shapes);
                let times = shapes.filter(|shape| shape.has(&number)).count();
                let differs = leave::is_left_otherwise(&pair, party, to, &number, AT);
                prop_assert_eq!(times, usize::from(differs), "{:?} {:?} {}", party, to, number);
            }
        }
    }
    let emergencies: Vec<bool> = changes.changes.iter().map(|change| !change.is_emergency()).collect();
    prop_assert!(emergencies.is_sorted());
    Ok(changes.changes.len())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    /// The union of the sets is exactly what differs: every string of up to four of four characters is tried.
    #[test]
    fn what_is_listed_is_exactly_what_the_deciding_function_decides_otherwise((now, next) in pairs()) {
        compared_with_brute_force(&now.plan(), &next.plan())?;
    }

    /// What `explain` says of every caller and every emergency number, over any dial plan: there is a way.
    #[test]
    fn p_23_no_emergency_call_of_anybody_is_refused_where_there_is_a_last_resort(spec in specs(), marked in any::<bool>()) {
        let plan = Spec { last_resort: true, ..spec }.plan();
        let urn = Target::Service(b"urn:service:sos.fire");
        for who in callers(&plan) {
            for target in numbers().iter().map(|number| Target::Digits(*number)).chain([urn]) {
                let Some(question) = who.question(&plan, target, &asked(), 0) else { continue };
                let is_marked_emergency = marked && matches!(question.source, Source::Trunk(_));
                let sender = Sender::of(&plan, question.source, None);
                let decision = unsent::decided(&plan, &Question { is_marked_emergency, ..question }, sender);
                let recognised = match target {
                    Target::Digits(number) => {
                        let called = Called::Number(&number);
                        plan.emergency.recognise(&plan.dial_plan, called, is_marked_emergency).is_some()
                    }
                    _ => true,
                };
                prop_assert!(decision.emergency || !recognised, "{} dialing {:?}", who, target);
                let has_way = decision.refusal.is_none() && !decision.next_hops.is_empty();
                prop_assert!(has_way || !decision.emergency, "{} dialing {:?}", who, target);
            }
        }
    }

    #[test]
    fn a_configuration_does_not_differ_from_itself(spec in specs()) {
        let changes = between(&spec.plan(), &spec.plan(), &asked()).unwrap();
        prop_assert!(changes.changes.is_empty() && changes.is_complete);
    }
}

/// Whether the last resort dials what a translation made of an emergency number depends on the digit that its mask sets:
/// the first pair the search gave up, the second it told wrong.
#[test]
fn an_emergency_number_with_more_before_it_is_told_from_another_digit_by_digit_p23() {
    let emergency = RowSpec { text: "!", partition: 2, emergency: true, ..RowSpec::NONE };
    let masked =
        |mask| RowSpec { text: "[^1]XX", kind: 4, partition: 3, target: 2, mask, prefix: "9", ..RowSpec::NONE };
    let plan = |rows: Vec<RowSpec>| {
        let spec = Spec {
            rows,
            spaces: vec![vec![], vec![], vec![2]],
            lists: vec![vec![0], vec![0]],
            circular: false,
            last_resort: true,
            numbers: vec![],
            codes: vec![],
            pool_group: 0,
            original_device: false,
            pstn_access: false,
            gateway_port: 0,
            transformations: vec![],
            exits: [[0; 2]; 3],
            hours: [2; 3],
            trust: [false; 3],
        };
        spec.plan()
    };
    let without = plan(vec![emergency.clone(), RowSpec { text: "1", ..RowSpec::NONE }]);
    assert!(compared_with_brute_force(&plan(vec![masked("XXX9"), emergency.clone()]), &without).unwrap() > 0);
    let [ends_in_2, as_dialed] = ["XXX2", ""].map(|mask| plan(vec![masked(mask), emergency.clone()]));
    assert!(compared_with_brute_force(&ends_in_2, &as_dialed).unwrap() > 0);
}

fn example() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/pair/hq.toml")).unwrap()
}

/// What changes where `from` becomes `to` in the example: callers, numbers.
fn edited(from: &str, to: &str) -> BTreeSet<(String, String)> {
    let (now, next) = (example(), example().replacen(from, to, 1));
    assert_ne!(now, next, "{from}");
    let plan = |text: &str| config::load_text("hq.toml", text).unwrap_or_else(|why| panic!("{why:?}")).plan;
    let changes = between(&plan(&now), &plan(&next), &Asked::everything(AT)).unwrap();
    assert!(changes.is_complete);
    let told = |change: Change| {
        let numbers = if change.example.is_none() {
            "urn".to_owned()
        } else {
            emcc_policies::numbers::listed(change.shapes).join(" ")
        };
        (changes.groups[change.group].example.to_string(), numbers)
    };
    changes.changes.into_iter().map(told).collect()
}

const PHONE: &str = "device SEP00AA00AA0001";
const ALICE: &str = "phone SEP001122334455 abroad";

#[test]
fn a_pattern_that_is_gone_changes_its_numbers_and_their_beginnings() {
    let row = "[[route_pattern]]\npattern = \"9.1900!\"\npartition = \"PT-Local\"\nblock = true\n";
    // Blocked before; afterwards the closest match that is left, where there is one.
    let got = edited(row, "");
    assert!(got.iter().any(|(who, numbers)| who == PHONE && numbers.contains("91900[2-9]XXXXXX")), "{got:?}");
    assert!(got.iter().any(|(who, numbers)| who == ALICE && numbers.contains("91900[2-9]XXXXXX")), "{got:?}");
}

#[test]
fn a_number_that_a_wildcard_comes_to_cover_is_told_with_every_length() {
    let got = edited("pattern = \"9.0!\"", "pattern = \"9.00!\"");
    let of_phone: Vec<&String> = got.iter().filter(|(who, _)| who == PHONE).map(|(_, numbers)| numbers).collect();
    assert!(of_phone.iter().any(|numbers| numbers.split(' ').any(|set| set == "90[1-9]X?")), "{got:?}");
}

#[test]
fn equal_files_change_nothing_whatever_their_order() {
    let now = example();
    let (head, dial_plan) = now.split_at(now.find("[[route_pattern]]").unwrap());
    let mut tables: Vec<&str> = dial_plan.split_inclusive("\n\n").collect();
    let (rows, rest): (Vec<&str>, Vec<&str>) = tables.drain(..).partition(|table| table.contains("[[route_pattern]]"));
    let next = format!("{head}{}{}", rest.concat(), rows.into_iter().rev().collect::<String>());
    let plan = |text: &str| config::load_text("hq.toml", text).unwrap_or_else(|why| panic!("{why:?}")).plan;
    let changes = between(&plan(&now), &plan(&next), &Asked::everything(AT)).unwrap();
    assert!(changes.changes.is_empty() && changes.only_now.is_empty() && changes.only_next.is_empty());
}

#[test]
fn an_emergency_number_is_followed_without_any_pattern_of_its_own_p23() {
    let next = example().replacen("[emergency]\n", "[emergency]\nnumbers = [\"112\"]\naccess_codes = [\"9\"]\n", 1);
    let plan = |text: &str| config::load_text("hq.toml", text).unwrap_or_else(|why| panic!("{why:?}")).plan;
    let changes = between(&plan(&example()), &plan(&next), &Asked::everything(AT)).unwrap();
    assert!(changes.is_complete);
    for who in [PHONE, ALICE, "a caller behind a gateway", "an unknown caller", "an unknown phone over the trunk of BR"]
    {
        let group = changes.groups.iter().position(|group| group.example.to_string() == who).unwrap();
        // However it is written, it is one change with the number itself.
        let has = |change: &Change, dialed: &str| {
            let number = Digits::from_bytes(dialed.as_bytes()).unwrap();
            change.shapes.iter().any(|shape| shape.has(&number))
        };
        let of_it = || changes.changes.iter().filter(|change| change.group == group);
        assert!(
            of_it().any(|change| ["112", "+112", "112#", "+1112#"].iter().all(|dialed| has(change, dialed))),
            "{who}"
        );
        assert!(of_it().any(|change| ["9112", "+9112", "9112#"].iter().all(|dialed| has(change, dialed))), "{who}");
    }
}

/// Of emergency patterns that match as closely the first one is taken, by whom no pattern of its own has the number.
#[test]
fn emergency_patterns_in_another_order_are_a_change_for_who_has_none_p23() {
    let two = |first: &str, second: &str| {
        let row = |partition: &str, list: &str| {
            format!(
                "[[route_pattern]]\npattern = \"112\"\nemergency = true\npartition = \"{partition}\"\nroute_list = \"{list}\"\n"
            )
        };
        let of = |partition: &str| row(partition, if partition == "P1" { "RL" } else { "RL2" });
        let base = "[cluster]\nid = \"HQ\"\n[sip]\nlisten = [\"udp:127.0.1.1:5060\"]\n\
             [[peer]]\nname = \"gw\"\nkind = \"gateway\"\naddresses = [\"udp:127.0.1.20:5060\"]\n\
             [[peer]]\nname = \"gw2\"\nkind = \"gateway\"\naddresses = [\"udp:127.0.1.21:5060\"]\n\
             [[route_group]]\nname = \"RG\"\npeers = [\"gw\"]\n[[route_list]]\nname = \"RL\"\nmembers = [\"RG\"]\n\
             [[route_group]]\nname = \"RG2\"\npeers = [\"gw2\"]\n[[route_list]]\nname = \"RL2\"\nmembers = [\"RG2\"]\n";
        let phones = "[[css]]\nname = \"C\"\npartitions = [\"P2\"]\n[[css]]\nname = \"N\"\npartitions = [\"NONE\"]\n\
             [[partition]]\nname = \"NONE\"\n[[device_pool]]\nname = \"DP\"\n\
             [[device]]\nname = \"HAS\"\ncss = \"C\"\ndevice_pool = \"DP\"\n\
             [[device]]\nname = \"HASNOT\"\ncss = \"N\"\ndevice_pool = \"DP\"\n";
        let text = format!("{base}{}{}{phones}", of(first), of(second));
        config::unchecked(&text).unwrap_or_else(|problems| panic!("{problems:?}\n{text}"))
    };
    let changes = between(&two("P1", "P2"), &two("P2", "P1"), &Asked::everything(AT)).unwrap();
    let number = Digits::from_bytes(b"112").unwrap();
    let has = |who: &str| {
        let group = changes.groups.iter().position(|group| group.example.to_string() == who).unwrap();
        changes
            .changes
            .iter()
            .any(|change| change.group == group && change.shapes.iter().any(|shape| shape.has(&number)))
    };
    assert_eq!((has("device HASNOT"), has("device HAS")), (true, false));
}

#[test]
fn the_bound_on_steps_is_said() {
    let (now, next) = (example(), example().replacen("pattern = \"9.0!\"", "pattern = \"9.00!\"", 1));
    let plan = |text: &str| config::load_text("hq.toml", text).unwrap().plan;
    let asked = Asked { steps_max: 50_000, ..Asked::everything(AT) };
    let changes = between(&plan(&now), &plan(&next), &asked).unwrap();
    assert!(!changes.is_complete);
}

/// A configuration of one phone and one gateway, with what stands in `[emergency]` and one pattern to the gateway.
fn small(emergency: &str, pattern: &str) -> Plan {
    let text = format!(
        "[cluster]\nid = \"HQ\"\n[sip]\nlisten = [\"udp:127.0.1.1:5060\"]\n[emergency]\n{emergency}\n\
         [[peer]]\nname = \"gw\"\nkind = \"gateway\"\naddresses = [\"udp:127.0.1.20:5060\"]\n\
         [[peer]]\nname = \"gw2\"\nkind = \"gateway\"\naddresses = [\"udp:127.0.1.21:5060\"]\n\
         [[route_group]]\nname = \"RG\"\npeers = [\"gw\"]\n[[route_list]]\nname = \"RL\"\nmembers = [\"RG\"]\n\
         [[route_pattern]]\npartition = \"A\"\nroute_list = \"RL\"\n{pattern}\n\
         [[css]]\nname = \"C\"\npartitions = [\"A\"]\n[[device_pool]]\nname = \"DP\"\n\
         [[device]]\nname = \"PH\"\ncss = \"C\"\ndevice_pool = \"DP\"\n"
    );
    config::unchecked(&text).unwrap_or_else(|problems| panic!("{problems:?}\n{text}"))
}

const LISTED: &str = "numbers = [\"911\"]\nlast_resort = [\"gw2\"]";

#[test]
fn an_emergency_number_written_otherwise_changes_as_it_does_itself_p23() {
    let flagged = "pattern = \"911\"\nemergency = true";
    for (now, next, changed) in [
        (small("", flagged), small("", "pattern = \"911\""), "911"),
        (small("", flagged), small("numbers = [\"112\"]\nlast_resort = [\"gw\"]", flagged), "112"),
        // An ordinary row decides, and it is another.
        (small(LISTED, "pattern = \"9X1\""), small(LISTED, "pattern = \"9X1\"\nprefix_digits = \"0\""), "911"),
    ] {
        let changes = between(&now, &next, &Asked::everything(AT)).unwrap();
        assert!(changes.is_complete);
        let phone = changes.groups.iter().position(|group| group.example.to_string() == "device PH").unwrap();
        for dialed in [changed, &format!("+{changed}"), &format!("{changed}#"), &format!("+1{changed}#")] {
            let number = Digits::from_bytes(dialed.as_bytes()).unwrap();
            let has = |change: &&Change| change.group == phone && change.shapes.iter().any(|shape| shape.has(&number));
            let of_it: Vec<&Change> = changes.changes.iter().filter(has).collect();
            assert_eq!(of_it.len(), 1, "{dialed}");
            assert!(of_it[0].is_emergency(), "{dialed}");
        }
    }
}

/// The last resort is a gateway the route leads to already.
#[test]
fn another_number_that_the_last_resort_asks_a_hop_for_is_a_change_p23() {
    let plan = |numbers: &str, code: &str| {
        small(
            &format!("numbers = [{numbers}]\naccess_codes = [\"{code}\"]\nlast_resort = [\"gw\"]"),
            "pattern = \"9911\"",
        )
    };
    let asked_for = |decision: &Decision| -> Vec<String> {
        decision.next_hops.iter().map(|hop| hop.called.unwrap().to_string()).collect()
    };
    let (of_three, of_two, of_four) = (plan("\"911\"", "9"), plan("\"11\"", "99"), plan("\"9911\", \"911\"", "0"));
    for (now, next, wanted) in [
        (&of_three, &of_two, [vec!["9911", "911"], vec!["9911", "11"]]),
        (&of_three, &of_four, [vec!["9911", "911"], vec!["9911"]]),
    ] {
        let changes = between(now, next, &Asked::everything(AT)).unwrap();
        assert!(changes.is_complete);
        let phone = changes.groups.iter().position(|group| group.example.to_string() == "device PH").unwrap();
        let number = Digits::from_bytes(b"9911").unwrap();
        let has = |change: &&Change| change.group == phone && change.shapes.iter().any(|shape| shape.has(&number));
        let of_it: Vec<&Change> = changes.changes.iter().filter(has).collect();
        let [change] = &of_it[..] else { panic!("{wanted:?}: {} changes", of_it.len()) };
        assert_eq!([asked_for(&change.now), asked_for(&change.next)], wanted);
    }
}

#[test]
fn an_emergency_number_is_in_no_set_of_an_ordinary_pattern_it_is_written_like_p23() {
    let (now, next) = (small(LISTED, "pattern = '\\+!'"), small(LISTED, "pattern = '\\+49!'"));
    let changes = between(&now, &next, &Asked::everything(AT)).unwrap();
    assert!(changes.is_complete && !changes.changes.is_empty());
    for (dialed, listed) in [("+911", false), ("+911#", false), ("+1911", false), ("+912", true), ("+9110", true)] {
        let number = Digits::from_bytes(dialed.as_bytes()).unwrap();
        let is_in = changes.changes.iter().flat_map(|change| &change.shapes).any(|shape| shape.has(&number));
        assert_eq!(is_in, listed, "{dialed}");
    }
    assert!(changes.changes.iter().all(|change| !change.is_emergency()));
}
