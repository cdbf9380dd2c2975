//! `explain` and a running node decide alike: random calls over random dial plans, asked of the program by
//! `explain call --bulk` and put to an engine as INVITEs. A million of them; `EMCC_EXPLAINED_CALLS=N` makes it N.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a failing test may panic anywhere

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use emcc_policies::moment::{Civil, Moment};
use emcc_trunk::config::load;
use emcc_trunk::engine::effects::{Input, Now};
use emcc_trunk::engine::running::Local;
use emcc_trunk::engine::{Bounds, Engine, Worker};
use emcc_trunk::metrics::Counters;
use emcc_trunk::neighbour::{Flow, Transport};
use serde_json::Value;

const CALLS: u64 = 1_000_000;
/// Random dial plans, half of each cluster.
const PLANS: u64 = 10;
/// Calls an engine sees before the next one takes over: each leaves rows behind that only time takes away.
const CALLS_PER_ENGINE: u64 = 10_000;
const AT_S: i64 = 1_767_600_000;

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

/// A file of the pair with random patterns added: they begin with digits that no emergency number begins with.
fn configuration(file: &str, dice: &mut Dice) -> String {
    let pair = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/pair").join(file);
    let text = std::fs::read_to_string(pair).unwrap();
    // Links without a limit: what a link has room for is no part of the decision.
    let unlimited = text.lines().filter(|line| !line.starts_with("link_"));
    let mut text: String = unlimited.flat_map(|line| [line, "\n"]).collect();
    let (partitions, list, css): (&[&str], _, &[&str]) = match file {
        "hq.toml" => (&["PT-Local", "PT-Internal", "PT-Emergency-London"], "RL-HQ", &["CSS-Line", "CSS-EMCC"]),
        _ => (&["PT-National", "PT-Translate", "PT-Europe"], "RL-Local", &["CSS-Trunk", "CSS-Emergency"]),
    };
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
        // One `^` a pattern, and `[^3]` beside `X` is all a plan may need.
        if pattern.matches('^').count() > 1 || !seen.insert(pattern.replace('.', "")) {
            continue;
        }
        let partition = dice.of(partitions);
        let transform = match dice.below(5) {
            0 => "prefix_digits = \"4\"\n",
            1 => "called_mask = \"3X2X\"\n",
            2 => "calling_mask = \"555XXXX\"\n",
            _ => "",
        };
        let (table, target) = match dice.below(6) {
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
];
const AT_BR: &[Caller] = &[
    Caller { from: "SEP001122334455", via: "HQ", at: "127.0.1.1:5060", header: MARK, number: "0" },
    Caller { from: "SEPFFFFFFFFFFFF", via: "HQ", at: "127.0.1.1:5060", header: NOBODYS, number: "0" },
    Caller { from: "7001", via: "", at: "127.0.2.10:5060", header: "", number: "7001" },
];

/// A random number: emergency numbers, numbers near the patterns, and any.
fn number(dice: &mut Dice) -> String {
    match dice.below(8) {
        0 => {
            dice.of(&["9911", "911", "9999", "999", "112", "99", "91", "+911", "9-11#", "9 99", "9-1 1", "911#"]).into()
        }
        1 => String::from(dice.of(&["912025550123", "919005551234", "902079460000", "02079460000", "5001", "7001"])),
        2 => (0..=dice.below(6)).map(|_| dice.of(&["0", "1", "2", "3", "5", "9", "*", "#"])).collect(),
        _ => {
            let head = dice.of(&["2", "3", "4", "6", "8"]);
            let rest = (0..=dice.below(5)).map(|_| dice.of(&["2", "3", "4", "2", "3", "4", "5"]));
            [head].into_iter().chain(rest).collect()
        }
    }
}

/// What a node did with an INVITE, or what `explain` says it does: the status of a refusal, or the first hop and the
/// number it gets.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Refused(u64),
    To(String, String, bool),
}

fn told(line: &str) -> Fate {
    let answer: Value = serde_json::from_str(line).unwrap();
    assert!(answer["error"].is_null(), "{line}");
    if let Some(status) = answer["status"].as_u64() {
        return Fate::Refused(status);
    }
    let hop = &answer["next_hops"][0];
    let address = hop["address"].as_str().unwrap().strip_prefix("udp:").unwrap();
    Fate::To(address.into(), hop["called"].as_str().unwrap().into(), answer["emergency"].as_bool().unwrap())
}

struct Node {
    engine: Engine,
    worker: Worker,
    heard: u64,
}

impl Node {
    fn new(file: &Path, heard: u64) -> Self {
        let plan = load(file).unwrap().plan;
        let locals = plan.sip.listen.iter().map(|listen| Local::new(listen.address, listen.advertised)).collect();
        let engine = Engine::new(plan, locals, Counters::noop(), Bounds::default(), AT_S.cast_unsigned(), 7);
        for caller in AT_HQ.iter().chain(AT_BR) {
            let at: SocketAddr = caller.at.parse().unwrap();
            engine.verify(at.ip(), Moment(1_000));
        }
        let worker = engine.worker(0);
        Self { engine, worker, heard }
    }

    fn fate(&mut self, node: &str, caller: &Caller, called: &str) -> Fate {
        self.heard += 1;
        let (n, at, from) = (self.heard, caller.at, caller.number);
        let called = &called.replace('#', "%23").replace(' ', "%20");
        let invite = format!(
            "INVITE sip:{called}@{node} SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bK-x{n}\r\nMax-Forwards: 70\r\n\
             From: <sip:{from}@{at}>;tag=a{n}\r\nTo: <sip:{called}@{node}>\r\nCall-ID: x{n}\r\nCSeq: 1 INVITE\r\n\
             Contact: <sip:{from}@{at}>\r\n{}Content-Length: 0\r\n\r\n",
            caller.header
        );
        let flow = Flow { transport: Transport::Udp, listener: 0, remote: at.parse().unwrap(), connection: 0 };
        let now = Now { moment: Moment(1_000), civil: Civil(AT_S) };
        self.engine.handle(&mut self.worker, now, Input::Message { flow, bytes: invite.as_bytes() });
        let effects = &mut self.worker.effects;
        let fates: Vec<Fate> = effects
            .sends
            .iter()
            .filter_map(|send| {
                let text = std::str::from_utf8(&effects.arena[send.bytes.clone()]).unwrap();
                let mut words = text.split(' ');
                match (words.next()?, words.next()?) {
                    ("SIP/2.0", "100") => None,
                    ("SIP/2.0", status) => Some(Fate::Refused(status.parse().unwrap())),
                    ("INVITE", uri) => {
                        let called = uri.strip_prefix("sip:")?.split('@').next()?.replace("%23", "#");
                        let is_emergency = text.contains("\r\nPriority: emergency\r\n");
                        Some(Fate::To(send.flow.remote.to_string(), called, is_emergency))
                    }
                    _ => panic!("{text}"),
                }
            })
            .collect();
        effects.clear();
        let mut fates = fates.into_iter();
        let first = fates.next().unwrap_or_else(|| panic!("nothing came of {invite}"));
        assert!(fates.next().is_none(), "one thing came of {invite}");
        first
    }
}

/// `calls` random calls over one random plan. Gives back how many were refused, and how many emergencies there were.
fn compare(plan: u64, calls: u64) -> (u64, u64) {
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
    let asked: Vec<(usize, String)> =
        (0..calls).map(|_| (usize::try_from(dice.below(callers.len() as u64)).unwrap(), number(&mut dice))).collect();
    let mut explain = Command::new(env!("CARGO_BIN_EXE_emcc-trunk"))
        .args(["explain", "call", "--json", "--bulk", "-", "--at", &AT_S.to_string(), "--config"])
        .arg(&file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut rows = std::io::BufWriter::new(explain.stdin.take().unwrap());
    let mut answers = BufReader::new(explain.stdout.take().unwrap()).lines();
    let (mut refused, mut emergencies) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            writeln!(rows, "from,to,via").unwrap();
            for (caller, called) in &asked {
                writeln!(rows, "{},{called},{}", callers[*caller].from, callers[*caller].via).unwrap();
            }
            drop(rows);
        });
        let mut live = Node::new(&file, 0);
        for (caller, called) in &asked {
            if live.heard.is_multiple_of(CALLS_PER_ENGINE) {
                live = Node::new(&file, live.heard);
            }
            let caller = &callers[*caller];
            let explained = told(&answers.next().expect("an answer a row").unwrap());
            let lived = live.fate(node, caller, called);
            // The mark is for the trunk alone; that a call is an emergency is seen from its hops elsewhere.
            let explained_as_seen = match explained {
                Fate::To(at, number, is_emergency) => {
                    emergencies += u64::from(is_emergency);
                    let marked = is_emergency && at == "127.0.2.1:5060";
                    Fate::To(at, number, marked)
                }
                refusal => {
                    refused += 1;
                    refusal
                }
            };
            let lived = match lived {
                Fate::To(at, number, marked) => {
                    let marked = marked && at == "127.0.2.1:5060";
                    Fate::To(at, number, marked)
                }
                refusal => refusal,
            };
            assert_eq!(lived, explained_as_seen, "plan {}: {} calls {called}", file.display(), caller.from);
        }
        assert!(answers.next().is_none());
    });
    assert!(explain.wait().unwrap().success());
    (refused, emergencies)
}

#[test]
fn a_million_random_calls_are_decided_as_explain_says() {
    let calls = std::env::var("EMCC_EXPLAINED_CALLS").ok().map_or(CALLS, |text| text.parse().unwrap());
    let mut sums = (0, 0);
    for plan in 0..PLANS {
        let (refused, emergencies) = compare(plan, calls / PLANS);
        sums = (sums.0 + refused, sums.1 + emergencies);
    }
    println!("{calls} calls over {PLANS} plans: {} refused, {} emergencies", sums.0, sums.1);
    // The calls are of all kinds, so that equal answers say something.
    for some in [sums.0, sums.1 * 5, calls - sums.0] {
        assert!(some > calls / 4, "{sums:?} of {calls}");
    }
}
