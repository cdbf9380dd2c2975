//! `explain` and a running node decide alike: random calls over random dial plans, asked of the program by
//! `explain call --bulk` and put to an engine as INVITEs. A million of them; `EMCC_EXPLAINED_CALLS=N` makes it N.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a failing test may panic anywhere

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use emcc_policies::moment::{Civil, Moment};
use emcc_policies::route::Distribution;
use emcc_trunk::config::load;
use emcc_trunk::config::plan::Plan;
use emcc_trunk::engine::effects::{Input, Now};
use emcc_trunk::engine::running::Local;
use emcc_trunk::engine::{Bounds, Engine, Worker};
use emcc_trunk::metrics::Counters;
use emcc_trunk::neighbour::{Flow, Transport};
use serde_json::Value;

const CALLS: u64 = 1_000_000;
/// Random dial plans, half of each cluster.
const PLANS: u64 = 40;
/// Calls an engine sees before the next one takes over: each leaves rows behind that only time takes away.
const CALLS_PER_ENGINE: u64 = 10_000;
/// One call in so many is refused by every next hop in turn, so that all of them are seen.
const FOLLOWED: usize = 6;
/// A start of both nodes, Unix seconds: 2026-01-05 08:00 UTC, a Monday.
const AT_S: i64 = 1_767_600_000;
/// When calls are placed, Unix seconds: Monday morning and noon; Saturday 04:00, which is Friday night in New York; its noon.
const TIMES: [i64; 4] = [AT_S, AT_S + 14_400, AT_S + 417_600, AT_S + 446_400];

/// Open on some days, and on some nights where it is another day already in UTC.
const SCHEDULES: &str = "\n[[schedule]]\nname = \"office\"\n\
    periods = [{ days = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\"], from = \"07:00\", to = \"20:00\" }]\n\
    [[schedule]]\nname = \"night\"\nzone = \"America/New_York\"\n\
    periods = [{ days = [\"fri\"], from = \"22:00\", to = \"06:00\" }]\n";

/// What the trails must have said, and how often at least, so that equal answers are about all of it.
const MET: [(&str, u64); 10] = [
    ("translated by ", 1_000),
    ("pstn-access CSS: original device", 1_000),
    ("pstn-access CSS: trunk", 1_000),
    ("calling number for ", 1_000),
    ("called number for ", 1_000),
    ("local route group of ", 1_000),
    ("local route group of an EMCC phone: trunk to its visited cluster", 1_000),
    ("emergency: a configured number behind an access code", 100),
    ("emergency: a configured number", 1_000),
    ("emergency goes on ", 100),
];

/// Most members of a circular group.
const TURNS: usize = 3;

/// What callers offer, plan by plan: names and payload types. The third has nothing for a link of 8 kbit/s.
const OFFERS: [&[(&str, u8)]; 5] = [
    &[("PCMU", 0), ("isac", 104), ("G729", 18), ("G722", 9)],
    &[("G722", 9), ("PCMA", 8), ("G7221", 107), ("PCMU", 0), ("G729", 18)],
    &[("G722", 9), ("isac", 104), ("PCMU", 0)],
    &[("opus", 96), ("PCMU", 0), ("G729", 18)],
    &[("AMR-WB", 98), ("AMR", 97), ("PCMA", 8), ("iLBC", 99)],
];

/// An offer as its caller writes it.
fn description(formats: &[(&str, u8)]) -> String {
    let numbers: Vec<_> = formats.iter().map(|(_, number)| number.to_string()).collect();
    let mut text = format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP {} 101\r\n",
        numbers.join(" ")
    );
    for (name, number) in formats {
        let clock = match *name {
            "isac" | "G7221" | "AMR-WB" => "16000",
            "opus" => "48000/2",
            _ => "8000",
        };
        write!(text, "a=rtpmap:{number} {name}/{clock}\r\n").unwrap();
        let parameter = match *name {
            "G7221" => "bitrate=24000",
            "AMR" => "mode-set=0,2,5",
            "iLBC" => "mode=20",
            _ => continue,
        };
        write!(text, "a=fmtp:{number} {parameter}\r\n").unwrap();
    }
    text + "a=rtpmap:101 telephone-event/8000\r\n"
}

/// Any fixed generator will do.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn of<'a>(&mut self, among: &[&'a str]) -> &'a str {
        let place = self.below(among.len() as u64);
        among[usize::try_from(place).unwrap()]
    }
}

/// The file with, at random, what a site may set otherwise: emergency numbers, search spaces of transformation patterns at
/// gateways and trunk, the CSS of calls from the trunk, and codecs of variable rate.
fn settings(text: &str, dice: &mut Dice) -> String {
    let is_set_here =
        |line: &&str| !["variable_rate_codecs", "pstn_access_css"].iter().any(|key| line.starts_with(key));
    let text: String = text.lines().filter(is_set_here).flat_map(|line| [line, "\n"]).collect();
    let (variable, access) = (dice.of(&["exclude", "bound"]), dice.of(&["trunk", "original-device"]));
    let feature = format!("[feature]\nvariable_rate_codecs = \"{variable}\"\npstn_access_css = \"{access}\"\n");
    let numbers = dice.of(&["", "numbers = [\"112\"]\n", "numbers = [\"911\", \"112\"]\naccess_codes = [\"9\"]\n"]);
    let text = text.replace("[feature]\n", &feature).replace("[emergency]\n", &format!("[emergency]\n{numbers}"));
    let mut spaces = || {
        let [calling, called] = [dice.below(2), dice.below(2)];
        let calling = if calling == 1 { "calling_transform_css = \"CSS-Calling\"\n" } else { "" };
        format!("{calling}{}", if called == 1 { "called_transform_css = \"CSS-Called\"\n" } else { "" })
    };
    let text = text.replace("[emcc_trunk]\n", &format!("[emcc_trunk]\n{}", spaces()));
    let mut parts = text.split("kind = \"gateway\"\n");
    let mut made = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        write!(made, "kind = \"gateway\"\n{}{part}", spaces()).unwrap();
    }
    made
}

/// Transformation patterns, and a route list whose members have transforms of their own: two local route groups, of which
/// not every pool has the second, and a route group.
fn transforms(file: &str, dice: &mut Dice) -> String {
    let mut text = String::from(
        "[[css]]\nname = \"CSS-Calling\"\npartitions = [\"PT-Calling\"]\n\
         [[css]]\nname = \"CSS-Called\"\npartitions = [\"PT-Called\"]\n",
    );
    for (kind, partition, patterns) in [
        ("calling", "PT-Calling", ["0", "5XXX", "7!", "\\\\+44!"]),
        ("called", "PT-Called", ["2!", "3[2-4]!", "4X", "0!"]),
    ] {
        for pattern in patterns {
            let change =
                dice.of(&["prefix_digits = \"1\"", "mask = \"555XXX\"", "mask = \"XX\"\nprefix_digits = \"+4\"", ""]);
            write!(text, "[[transformation_pattern]]\nkind = \"{kind}\"\npattern = \"{pattern}\"\n").unwrap();
            write!(text, "partition = \"{partition}\"\n{change}\n").unwrap();
        }
    }
    let group = if file == "hq.toml" { "RG-HQ" } else { "RG-Trunk" };
    let standard = "Standard Local Route Group";
    write!(text, "[[route_list]]\nname = \"RL-Member\"\nmembers = [\"{standard}\", \"LRG-Two\", \"{group}\"]\n")
        .unwrap();
    for (member, change) in [
        (standard, dice.of(&["prefix_digits = \"77\"", "called_mask = \"2XXX\"", "calling_prefix = \"88\""])),
        (group, dice.of(&["discard_digits = \"PreDot\"", "prefix_digits = \"66\"", "calling_mask = \"XX\""])),
    ] {
        write!(text, "[route_list.transform.\"{member}\"]\n{change}\n").unwrap();
    }
    text
}

/// More gateways, and the route groups they are in: some begin with their first member, some where the last call ended.
fn groups(file: &str, text: &str, dice: &mut Dice) -> String {
    let (gateways, groups): (_, &[(&str, &str, &str)]) = match file {
        "hq.toml" => (["gw-hq-2", "gw-hq-3"], &[("RG-HQ", "[\"gw-hq\"]", "[\"gw-hq\", \"gw-hq-2\", \"gw-hq-3\"]")]),
        _ => (
            ["gw-br-3", "gw-br-4"],
            &[
                ("RG-London", "[\"gw-br-1\", \"gw-br-2\"]", "[\"gw-br-1\", \"gw-br-2\", \"gw-br-3\"]"),
                ("RG-Trunk", "[\"gw-trunk-pool\"]", "[\"gw-trunk-pool\", \"gw-br-4\"]"),
            ],
        ),
    };
    let is_theirs = |line: &&str| !line.starts_with("distribution = ");
    let mut text: String = text.lines().filter(is_theirs).flat_map(|line| [line, "\n"]).collect();
    for (name, before, after) in groups {
        let distribution = dice.of(&["top-down", "circular"]);
        text = text.replace(
            &format!("name = \"{name}\"\npeers = {before}\n"),
            &format!("name = \"{name}\"\npeers = {after}\ndistribution = \"{distribution}\"\n"),
        );
    }
    for (last, name) in (31..).zip(gateways) {
        let address = format!("udp:127.0.3.{last}:5060");
        write!(text, "[[peer]]\nname = \"{name}\"\nkind = \"gateway\"\naddresses = [\"{address}\"]\n").unwrap();
    }
    text
}

/// A file of the pair with random patterns added: they begin with digits that no emergency number begins with.
fn configuration(file: &str, dice: &mut Dice) -> String {
    let pair = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/pair").join(file);
    let text = groups(file, &std::fs::read_to_string(pair).unwrap(), dice);
    // Links without a limit: what a link has room for is no part of the decision.
    let unlimited = text.lines().filter(|line| !line.starts_with("link_"));
    let mut text: String = unlimited.flat_map(|line| [line, "\n"]).collect();
    text = text.replace("region_max_audio_kbps = 8\n", "").replace("region_link_loss = \"low-loss\"", "#");
    let (cap, loss) = (dice.of(&["8", "24", "64"]), dice.of(&["low-loss", "lossy"]));
    let region = format!("[feature]\nregion_max_audio_kbps = {cap}\nregion_link_loss = \"{loss}\"\n");
    text = settings(&text.replace("[feature]\n", &region), dice) + SCHEDULES + &transforms(file, dice);
    let (first, second) = if file == "hq.toml" { ("\"RG-HQ\" }", "RG-HQ") } else { ("\"RG-London\" }", "RG-Trunk") };
    text = text.replace(first, &format!("{}, \"LRG-Two\" = \"{second}\" }}", &first[..first.len() - 2]));
    let (partitions, list, css): (&[&str], _, &[&str]) = match file {
        "hq.toml" => (&["PT-Local", "PT-Internal", "PT-Emergency-London"], "RL-HQ", &["CSS-Line", "CSS-EMCC"]),
        _ => (&["PT-National", "PT-Translate", "PT-Europe"], "RL-Local", &["CSS-Trunk", "CSS-Emergency"]),
    };
    for (partition, schedule) in [(partitions[0], "office"), (partitions[2], "night")] {
        write!(text, "[[partition]]\nname = \"{partition}\"\nschedule = \"{schedule}\"\n").unwrap();
    }
    // What the PSTN dials for numbers of this cluster, among the random patterns that may take it.
    let (dialed, mask) = if file == "hq.toml" { ("4085555XXX", "5XXX") } else { ("2079467XXX", "7XXX") };
    let place = "partition = \"PT-Internal\"\noriginator_css = true";
    write!(text, "[[translation_pattern]]\npattern = \"{dialed}\"\n{place}\ncalled_mask = \"{mask}\"\n").unwrap();
    let mut seen = std::collections::HashSet::new();
    for _ in 0..60 {
        let mut pattern = String::from(dice.of(&["2", "3", "4", "6", "8"]));
        for _ in 0..dice.below(4) {
            pattern += dice.of(&["2", "3", "4", "X", "[2-4]", "[^3]"]);
            if dice.below(12) == 0 && !pattern.contains('.') {
                pattern.push('.');
            }
        }
        pattern += dice.of(&["", "X", "!"]);
        // Discarding what stands before the dot must leave something.
        if pattern.ends_with('.') {
            pattern.push('X');
        }
        // One `^` a pattern, and `[^3]` beside `X` is all a plan may need.
        if pattern.matches('^').count() > 1 || !seen.insert(pattern.replace('.', "")) {
            continue;
        }
        let partition = dice.of(partitions);
        let transform = match dice.below(6) {
            0 => "prefix_digits = \"4\"\n",
            5 if pattern.contains('.') => "discard_digits = \"PreDot\"\nprefix_digits = \"6\"\n",
            1 => "called_mask = \"3X2X\"\n",
            2 => "calling_mask = \"555XXXX\"\n",
            _ => "",
        };
        let (table, target) = match dice.below(8) {
            6 | 7 => ("route_pattern", "route_list = \"RL-Member\"\n".to_owned()),
            0 => ("route_pattern", "block = true\n".to_owned()),
            1 => ("translation_pattern", "originator_css = true\n".to_owned()),
            2 => ("translation_pattern", format!("css = \"{}\"\n", dice.of(css))),
            3 => ("route_pattern", "route_list = \"RL-Local\"\n".to_owned()),
            _ => ("route_pattern", format!("route_list = \"{list}\"\n")),
        };
        let transform = if target.starts_with("block") { "" } else { transform };
        write!(text, "\n[[{table}]]\npattern = \"{pattern}\"\npartition = \"{partition}\"\n{target}{transform}")
            .unwrap();
    }
    text
}

/// Who calls: what `explain` is asked, and how an INVITE shows it.
struct Caller {
    from: &'static str,
    via: &'static str,
    at: &'static str,
    header: &'static str,
    number: &'static str,
}

const MARK: &str = "Call-Info: <urn:emcc:device:SEP001122334455>;purpose=emcc-device;cluster=HQ\r\n";
const MARK_HOME: &str = "Call-Info: <urn:emcc:device:SEP00AA00AA0001>;purpose=emcc-device;cluster=HQ\r\n";
const NOBODYS: &str = "Call-Info: <urn:emcc:device:SEPFFFFFFFFFFFF>;purpose=emcc-device;cluster=HQ\r\n";

const AT_HQ: &[Caller] = &[
    Caller { from: "alice", via: "", at: "127.0.1.10:5060", header: MARK, number: "0" },
    Caller { from: "SEP00AA00AA0001", via: "", at: "127.0.1.10:5060", header: MARK_HOME, number: "0" },
    Caller { from: "5002", via: "", at: "127.0.1.10:5060", header: "", number: "5002" },
    Caller { from: "4085550100", via: "gw-hq", at: "127.0.1.20:5060", header: "", number: "4085550100" },
];
const AT_BR: &[Caller] = &[
    Caller { from: "SEP001122334455", via: "HQ", at: "127.0.1.1:5060", header: MARK, number: "0" },
    Caller { from: "SEPFFFFFFFFFFFF", via: "HQ", at: "127.0.1.1:5060", header: NOBODYS, number: "0" },
    Caller { from: "7001", via: "", at: "127.0.2.10:5060", header: "", number: "7001" },
    Caller { from: "+442079460100", via: "gw-br-2", at: "127.0.2.21:5060", header: "", number: "+442079460100" },
];

/// Numbers people in the PSTN dial: those of the pair, as they are and as its translations know them.
const FROM_PSTN: &[&str] =
    &["5001", "5002", "5999", "7001", "7999", "4085555001", "4085555002", "2079467001", "+911", "112"];

impl Caller {
    fn is_behind_gateway(&self) -> bool {
        self.via.starts_with("gw-")
    }
}

/// A random number: emergency numbers, numbers near the patterns, and any.
fn number(dice: &mut Dice) -> String {
    match dice.below(8) {
        0 => dice
            .of(&["9911", "911", "9999", "999", "112", "99", "91", "+911", "9112", "9-11#", "9 99", "9-1 1", "911#"])
            .into(),
        1 => String::from(dice.of(&["912025550123", "919005551234", "902079460000", "02079460000", "5001", "7001"])),
        2 => (0..=dice.below(6)).map(|_| dice.of(&["0", "1", "2", "3", "5", "9", "*", "#"])).collect(),
        _ => {
            let head = dice.of(&["2", "3", "4", "6", "8"]);
            let rest = (0..=dice.below(5)).map(|_| dice.of(&["2", "3", "4", "2", "3", "4", "5"]));
            [head].into_iter().chain(rest).collect()
        }
    }
}

/// What a node did with an INVITE, or what `explain` says it does: the status of a refusal, or the way it went.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Refused(u64),
    To(Way),
}

#[derive(Debug, PartialEq, Eq)]
struct Way {
    /// Address of each next hop and the number it gets, in order; the first alone where nobody looked further.
    hops: Vec<(String, String)>,
    /// The number the first of them is told as the caller's.
    calling: String,
    /// Speech codecs of the offer that leaves, in order.
    codecs: Vec<String>,
    is_emergency: bool,
}

impl Fate {
    /// The mark is for the trunk alone; that a call is an emergency is seen from its hops elsewhere.
    fn seen(mut self, is_followed: bool) -> Self {
        if let Self::To(way) = &mut self {
            way.is_emergency &= way.hops[0].0 == "127.0.2.1:5060";
            if !is_followed {
                way.hops.truncate(1);
            }
        }
        self
    }
}

fn told(line: &str, met: &mut [u64; MET.len()]) -> Fate {
    let answer: Value = serde_json::from_str(line).unwrap();
    assert!(answer["error"].is_null(), "{line}");
    for (count, (said, _)) in met.iter_mut().zip(MET) {
        let because = answer["because"].as_array().unwrap();
        *count += u64::from(because.iter().any(|step| step.as_str().unwrap().contains(said)));
    }
    if let Some(status) = answer["status"].as_u64() {
        return Fate::Refused(status);
    }
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("no text in {line}")).to_owned();
    let hops = answer["next_hops"].as_array().unwrap().iter().map(|hop| {
        let address = hop["address"].as_str().unwrap().strip_prefix("udp:").unwrap();
        (address.to_owned(), text(&hop["called"]))
    });
    Fate::To(Way {
        hops: hops.collect(),
        calling: text(&answer["calling"]),
        codecs: answer["codecs"].as_array().unwrap().iter().map(text).collect(),
        is_emergency: answer["emergency"].as_bool().unwrap(),
    })
}

/// One message a node sent: to whom, and what.
type Sent = (SocketAddr, String);

struct Node {
    engine: Engine,
    worker: Worker,
    heard: u64,
    circles: Vec<Circle>,
}

/// A circular group of more members than one. `explain` begins with its first, and a node where its last call ended (P-20).
struct Circle {
    members: Vec<String>,
    /// Whose turn it is; none after a call of which nothing tells whether it took one.
    turn: Option<usize>,
}

impl Circle {
    fn all(plan: &Plan) -> Vec<Self> {
        let circular = plan.routes.groups.iter().filter(|group| group.distribution == Distribution::Circular);
        let members = circular.map(|group| {
            let addresses = group.peers.iter().map(|peer| plan.peer(*peer).unwrap().addresses[0].socket.to_string());
            addresses.collect::<Vec<_>>()
        });
        let several = members.filter(|members| members.len() > 1);
        several.map(|members| Self { members, turn: Some(0) }).collect()
    }

    /// Where the group stands first among hops as `explain` tells them.
    fn begins(&self, hops: &[(String, String)]) -> Option<usize> {
        let are_they = |some: &[(String, String)]| some.iter().map(|(address, _)| address).eq(&self.members);
        hops.windows(self.members.len()).position(are_they)
    }

    /// The hops as they are at `turn`: one turn however often the group is among them.
    fn turn(&self, hops: &mut [(String, String)], turn: usize) {
        let mut rest = hops;
        while let Some(begins) = self.begins(rest) {
            let (group, behind) = rest[begins..].split_at_mut(self.members.len());
            group.rotate_left(turn);
            rest = behind;
        }
    }
}

impl Node {
    fn new(file: &Path, heard: u64) -> Self {
        let plan = load(file).unwrap().plan;
        let circles = Circle::all(&plan);
        let locals = plan.sip.listen.iter().map(|listen| Local::new(listen.address, listen.advertised)).collect();
        let engine = Engine::new(plan, locals, Counters::noop(), Bounds::default(), AT_S.cast_unsigned(), 7);
        for caller in AT_HQ.iter().chain(AT_BR) {
            let at: SocketAddr = caller.at.parse().unwrap();
            engine.verify(at.ip(), Moment(1_000));
        }
        let worker = engine.worker(0);
        Self { engine, worker, heard, circles }
    }

    /// What `explain` says, as it is at the turns of this node's groups; counts the turns that were foretold.
    fn turned(&mut self, explained: Fate, lived: &Fate, foretold: &mut [u64; TURNS]) -> Fate {
        let (mut way, lived) = match (explained, lived) {
            (Fate::To(way), Fate::To(lived)) => (way, lived),
            (explained, _) => {
                // It may have come to a group before it was refused.
                self.circles.iter_mut().for_each(|circle| circle.turn = None);
                return explained;
            }
        };
        let first = way.hops[0].0.clone();
        for circle in &mut self.circles {
            let Some(begins) = circle.begins(&way.hops) else { continue };
            let shown = lived.hops.get(begins);
            match circle.turn {
                Some(turn) if shown.is_some() => foretold[turn] += 1,
                Some(_) => {}
                None => circle.turn = shown.and_then(|hop| circle.members.iter().position(|member| *member == hop.0)),
            }
            if let Some(turn) = circle.turn {
                circle.turn(&mut way.hops, turn);
                circle.turn = Some((turn + 1) % circle.members.len());
            }
        }
        // It is told of the first hop alone, and each gateway may have transforms of its own.
        if way.hops[0].0 != first {
            way.calling.clone_from(&lived.calling);
        }
        Fate::To(way)
    }

    /// The one thing beside 100 and ACK that comes of a message.
    fn causes(&mut self, from: SocketAddr, at_s: i64, text: &str) -> Sent {
        let flow = Flow { transport: Transport::Udp, listener: 0, remote: from, connection: 0 };
        let now = Now { moment: Moment(1_000), civil: Civil(at_s) };
        self.engine.handle(&mut self.worker, now, Input::Message { flow, bytes: text.as_bytes() });
        let effects = &mut self.worker.effects;
        let sent = effects.sends.iter().filter_map(|send| {
            let text = std::str::from_utf8(&effects.arena[send.bytes.clone()]).unwrap();
            let is_beside = text.starts_with("SIP/2.0 100 ") || text.starts_with("ACK ");
            (!is_beside).then(|| (send.flow.remote, text.to_owned()))
        });
        let mut sent: Vec<Sent> = sent.collect();
        effects.clear();
        assert_eq!(sent.len(), 1, "one thing came of {text}: {sent:?}");
        sent.remove(0)
    }

    fn fate(&mut self, asked: &Asked<'_>, node: &str, offer: &str) -> Fate {
        self.heard += 1;
        let Asked { caller, called, at_s, is_followed } = asked;
        let (n, at, from) = (self.heard, caller.at, caller.number);
        let called = &called.replace('#', "%23").replace(' ', "%20");
        let invite = format!(
            "INVITE sip:{called}@{node} SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bK-x{n}\r\nMax-Forwards: 70\r\n\
             From: <sip:{from}@{at}>;tag=a{n}\r\nTo: <sip:{called}@{node}>\r\nCall-ID: x{n}\r\nCSeq: 1 INVITE\r\n\
             Contact: <sip:{from}@{at}>\r\n{}Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{offer}",
            caller.header,
            offer.len()
        );
        let (mut hop, mut sent) = self.causes(at.parse().unwrap(), *at_s, &invite);
        if let Some(status) = status(&sent) {
            return Fate::Refused(status);
        }
        let mut way = Way {
            hops: vec![(hop.to_string(), called_of(&sent))],
            calling: calling_of(&sent),
            codecs: codecs_of(&sent),
            is_emergency: sent.contains("\r\nPriority: emergency\r\n"),
        };
        if !is_followed {
            return Fate::To(way);
        }
        loop {
            (hop, sent) = self.causes(hop, *at_s, &refusal_of(&sent));
            if status(&sent).is_some() {
                return Fate::To(way);
            }
            assert_eq!(codecs_of(&sent), way.codecs, "every hop gets one offer:\n{sent}");
            way.hops.push((hop.to_string(), called_of(&sent)));
        }
    }
}

fn status(text: &str) -> Option<u64> {
    text.strip_prefix("SIP/2.0 ").map(|rest| rest[..3].parse().unwrap())
}

fn lines<'t>(text: &'t str, name: &str) -> impl Iterator<Item = &'t str> {
    let head = text.split("\r\n\r\n").next().unwrap();
    head.split("\r\n").filter(move |line| line.starts_with(name))
}

/// The number in the first URI of a line.
fn number_in(line: &str) -> String {
    line.split_once("sip:").unwrap().1.split('@').next().unwrap().replace("%23", "#")
}

fn called_of(invite: &str) -> String {
    assert!(invite.starts_with("INVITE sip:"), "{invite}");
    number_in(invite)
}

/// What a transform made of the calling number leaves in P-Asserted-Identity.
fn calling_of(invite: &str) -> String {
    number_in(lines(invite, "P-Asserted-Identity: ").chain(lines(invite, "From: ")).next().unwrap())
}

fn codecs_of(invite: &str) -> Vec<String> {
    let line = invite.lines().find(|line| line.starts_with("m=audio ")).unwrap();
    let numbers = line.split(' ').skip(3).filter(|number| *number != "101");
    let name = |number: &str| {
        let mut all = OFFERS.into_iter().flatten();
        let found = all.find(|(_, of)| of.to_string() == number);
        found.unwrap_or_else(|| panic!("{line}")).0.to_owned()
    };
    numbers.map(name).collect()
}

/// What a hop says to an INVITE it cannot serve: the next one is tried (P-8).
fn refusal_of(invite: &str) -> String {
    let mut text = String::from("SIP/2.0 500 No\r\n");
    for name in ["Via: ", "From: ", "To: ", "Call-ID: ", "CSeq: "] {
        for line in lines(invite, name) {
            write!(text, "{line}{}\r\n", if name == "To: " { ";tag=hop" } else { "" }).unwrap();
        }
    }
    text + "Content-Length: 0\r\n\r\n"
}

/// One call of a plan.
struct Asked<'a> {
    caller: &'a Caller,
    called: String,
    at_s: i64,
    /// Whether its hops are followed to the last.
    is_followed: bool,
}

/// How many calls of a kind there were.
#[derive(Debug, Default)]
struct Sums {
    /// Whose trail said so.
    met: [u64; MET.len()],
    /// Left with a codec of variable rate.
    variable_rate: u64,
    /// To a circular group, at each turn, where the call before said that it is this one's.
    foretold: [u64; TURNS],
    /// At each of the times.
    refused_at: [u64; TIMES.len()],
    emergencies: u64,
    /// Followed over more hops than one.
    several_hops: u64,
    /// A transform changed the caller's number.
    other_calling: u64,
    /// The region took a codec out, or changed their order.
    other_codecs: u64,
    /// From behind a gateway: emergencies, calls to numbers of the cluster, and what is refused.
    gateway_emergencies: u64,
    gateway_calls: u64,
    gateway_refused: u64,
}

/// `calls` random calls over one random plan, counted by kind.
fn compare(plan: u64, calls: u64, sums: &mut Sums) {
    let mut dice = Dice(plan + 1);
    let (name, node, callers) = if plan.is_multiple_of(2) {
        ("hq.toml", "127.0.1.1:5060", AT_HQ)
    } else {
        ("br.toml", "127.0.2.1:5060", AT_BR)
    };
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("explained");
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join(format!("{plan}.toml"));
    std::fs::write(&file, configuration(name, &mut dice)).unwrap();
    let formats = OFFERS[usize::try_from(plan).unwrap() % OFFERS.len()];
    let (offer, offer_file) = (description(formats), folder.join(format!("{plan}.sdp")));
    std::fs::write(&offer_file, &offer).unwrap();
    let mut below = |end: usize| usize::try_from(dice.below(end as u64)).unwrap();
    let drawn: Vec<_> = (0..calls).map(|_| (below(callers.len()), below(TIMES.len()), below(FOLLOWED) == 0)).collect();
    let asked: Vec<Asked<'_>> = drawn
        .into_iter()
        .map(|(caller, at, is_followed)| {
            let caller = &callers[caller];
            let is_known = caller.is_behind_gateway() && dice.below(2) == 0;
            let called = if is_known { dice.of(FROM_PSTN).to_owned() } else { number(&mut dice) };
            Asked { caller, called, at_s: TIMES[at], is_followed }
        })
        .collect();
    let mut explain = Command::new(env!("CARGO_BIN_EXE_emcc-trunk"))
        .args(["explain", "call", "--json", "--bulk", "-", "--config"])
        .args([&file, Path::new("--offer"), &offer_file])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut rows = std::io::BufWriter::new(explain.stdin.take().unwrap());
    let mut answers = BufReader::new(explain.stdout.take().unwrap()).lines();
    let offered: Vec<_> = formats.iter().map(|(name, _)| *name).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            writeln!(rows, "from,to,via,calling,at").unwrap();
            for Asked { caller, called, at_s, .. } in &asked {
                // Behind a gateway whoever calls is the number.
                let calling = if caller.is_behind_gateway() { "" } else { caller.number };
                writeln!(rows, "{},{called},{},{calling},{at_s}", caller.from, caller.via).unwrap();
            }
            drop(rows);
        });
        let mut live = Node::new(&file, 0);
        for call in &asked {
            if live.heard.is_multiple_of(CALLS_PER_ENGINE) {
                live = Node::new(&file, live.heard);
            }
            let Asked { caller, called, at_s, is_followed } = call;
            let explained = told(&answers.next().expect("an answer a row").unwrap(), &mut sums.met);
            let lived = live.fate(call, node, &offer).seen(*is_followed);
            if caller.is_behind_gateway() {
                match &explained {
                    Fate::To(way) if way.is_emergency => sums.gateway_emergencies += 1,
                    Fate::To(_) => sums.gateway_calls += 1,
                    Fate::Refused(_) => sums.gateway_refused += 1,
                }
            }
            match &explained {
                Fate::To(way) => {
                    sums.emergencies += u64::from(way.is_emergency);
                    sums.several_hops += u64::from(*is_followed && way.hops.len() > 1);
                    sums.other_calling += u64::from(way.calling != caller.number);
                    sums.other_codecs += u64::from(way.codecs != offered);
                    let is_variable = |codec: &String| ["opus", "AMR", "AMR-WB"].contains(&codec.as_str());
                    sums.variable_rate += u64::from(way.codecs.iter().any(is_variable));
                }
                Fate::Refused(_) => sums.refused_at[TIMES.iter().position(|at| at == at_s).unwrap()] += 1,
            }
            let explained = live.turned(explained, &lived, &mut sums.foretold).seen(*is_followed);
            assert_eq!(lived, explained, "plan {}: {} calls {called} at {at_s}", file.display(), caller.from);
        }
        assert!(answers.next().is_none());
    });
    assert!(explain.wait().unwrap().success());
}

#[test]
fn a_million_random_calls_are_decided_as_explain_says() {
    let calls = std::env::var("EMCC_EXPLAINED_CALLS").ok().map_or(CALLS, |text| text.parse().unwrap());
    let mut sums = Sums::default();
    for plan in 0..PLANS {
        compare(plan, calls / PLANS, &mut sums);
    }
    println!("{calls} calls over {PLANS} plans: {sums:?}");
    // The calls are of all kinds, so that equal answers say something.
    let refused: u64 = sums.refused_at.iter().sum();
    for some in [refused, sums.emergencies * 5, calls - refused] {
        assert!(some > calls / 4, "{sums:?} of {calls}");
    }
    let [most, least] = [sums.refused_at.iter().max(), sums.refused_at.iter().min()].map(Option::unwrap);
    let from_gateways = [sums.gateway_emergencies, sums.gateway_calls, sums.gateway_refused];
    for some in
        [sums.several_hops, sums.other_calling, sums.other_codecs, most - least].into_iter().chain(from_gateways)
    {
        assert!(some > calls / 100, "{sums:?} of {calls}");
    }
    for (seen, (said, least)) in sums.met.iter().zip(MET) {
        assert!(*seen >= least * calls / CALLS, "{said}: {seen} of {calls}");
    }
    for turn in sums.foretold {
        assert!(turn > calls / 200, "{sums:?} of {calls}");
    }
    assert!(sums.variable_rate > calls / 1_000, "{sums:?}");
}
