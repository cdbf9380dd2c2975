//! The house rules, read off the sources: who may name whom, what pure code never touches, how long a file may be,
//! and that the documents know every rule, key and metric the code has. A failure names file and line.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a failing test may panic anywhere

#[path = "structure/source.rs"]
mod source;

use source::{Source, markdown, rust_sources, text_of};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Lines of a file that is no test.
const FILE_LINES_MAX: usize = 800;
/// Lines of code for which one `unwrap` or `expect` is granted, its invariant beside it.
const LINES_PER_UNWRAP: usize = 1_000;

/// The only files that may hold unsafe code: batched system calls, and the heap's settings by the name it looks for.
const UNSAFE_FILES: &[&str] = &["src/io/mmsg.rs", "src/main.rs"];
/// Where alarms are raised: told to the log and counted at once.
const ALARMS_FILE: &str = "src/engine/notes.rs";

/// Where what comes from outside is read: the first file of each crate, or module with all below it.
const READERS: &[&str] = &[
    "codecs/src/lib.rs",
    "policies/src/digits/mod.rs",
    "policies/src/location/mod.rs",
    "src/certificates/mod.rs",
    "src/dialog/mod.rs",
    "src/neighbour/mod.rs",
    "src/rows.rs",
    "src/sip/mod.rs",
    "src/transaction/mod.rs",
];
/// What readers deny themselves outside tests.
const DENIED: &[&str] = &[
    "clippy::indexing_slicing",
    "clippy::string_slice",
    "clippy::cast_possible_truncation",
    "clippy::cast_sign_loss",
    "clippy::arithmetic_side_effects",
    "clippy::unwrap_used",
];
/// Exceptions readers are granted, each with its reason: constants, which do not build where they are wrong, a row of a
/// table by its own number, and the civil date.
const EXCEPTIONS_MAX: usize = 6;

/// Modules of `src` and the modules of `src` they must not name.
const FORBIDDEN_MODULES: &[(&[&str], &[&str])] = &[
    (
        &["sip", "transaction", "dialog", "neighbour", "media", "timer", "table", "limits"],
        &["engine", "io", "admin", "cli", "store", "agent", "bench", "mobility"],
    ),
    (&["engine", "agent"], &["io", "admin", "cli", "store", "bench", "changes"]),
    (&["changes"], &["io", "admin", "cli", "store", "agent", "bench"]),
    (&["config", "certificates"], &["engine", "io", "admin", "cli", "store", "agent"]),
    (&["io"], &["admin", "cli", "store"]),
    (&["admin"], &["cli"]),
];

/// Granted exceptions: file, and the module it may name although the table above forbids it.
const GRANTED: &[(&str, &str)] = &[];

/// What is pure: its folders and files.
const PURE: &[&str] = &[
    "codecs/src/",
    "policies/src/",
    "src/engine/",
    "src/sip/",
    "src/transaction/",
    "src/dialog/",
    "src/neighbour/",
    "src/media/",
    "src/agent/",
    "src/changes/",
    "src/timer.rs",
    "src/table.rs",
    "src/limits.rs",
];

/// What pure code never names: sockets, runtimes, clocks, random numbers, files, standard streams, threads.
const IMPURE: &[&str] = &[
    "UdpSocket",
    "TcpStream",
    "TcpListener",
    "UnixStream",
    "tokio",
    "socket2",
    "Instant",
    "SystemTime",
    "std::fs",
    "std::env",
    "std::thread",
    "std::process",
    "rand",
    "getrandom",
    "print!",
    "println!",
    "eprint!",
    "eprintln!",
    "stdout",
    "stderr",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Sources of the three crates, benches and tests left out.
fn code() -> Vec<Source> {
    let sources = rust_sources(&root(), &["codecs/src", "policies/src", "src"]);
    assert!(sources.len() > 20, "the walk found only {} files", sources.len());
    sources
}

fn report(what: &str, places: &[String]) {
    assert!(places.is_empty(), "{what}:\n  {}", places.join("\n  "));
}

#[test]
fn dependencies_point_one_way() {
    let mut wrong = Vec::new();
    for source in code() {
        let crates: &[&str] = if source.path.starts_with("codecs/") {
            &["emcc_policies", "emcc_trunk"]
        } else if source.path.starts_with("policies/") {
            &["emcc_trunk"]
        } else {
            &[]
        };
        for name in crates {
            wrong.extend(source.named(name).map(|line| format!("{}:{line} names {name}", source.path)));
        }
        let Some(module) = source.top_module() else { continue };
        for (from, to) in FORBIDDEN_MODULES {
            if !from.contains(&module) {
                continue;
            }
            for (line, used) in source.modules_named() {
                let granted = GRANTED.contains(&(source.path.as_str(), used.as_str()));
                if to.contains(&used.as_str()) && !granted {
                    wrong.push(format!("{}:{line} {module} names {used}", source.path));
                }
            }
        }
    }
    report("a module names one it must not know", &wrong);
}

#[test]
fn pure_code_names_no_socket_no_runtime_no_clock_no_chance() {
    let mut wrong = Vec::new();
    for source in code() {
        if !PURE.iter().any(|place| source.path.starts_with(place)) {
            continue;
        }
        for name in IMPURE {
            wrong.extend(source.named(name).map(|line| format!("{}:{line} names {name}", source.path)));
        }
    }
    report("pure code touches the world", &wrong);
}

#[test]
fn no_file_outgrows_a_reader() {
    let long: Vec<_> = code()
        .iter()
        .filter(|source| !source.is_test && source.lines() > FILE_LINES_MAX)
        .map(|source| format!("{}:{} is its last line", source.path, source.lines()))
        .collect();
    report(&format!("files of more than {FILE_LINES_MAX} lines"), &long);
}

#[test]
fn nothing_is_left_open() {
    // Written in two halves, so that this file does not find itself.
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX:")];
    let macros = [concat!("to", "do!"), concat!("unimple", "mented!"), concat!("#[ig", "nore")];
    let mut open = Vec::new();
    let folders = ["codecs", "policies", "src", "tests", "benches", "fuzz"];
    for source in rust_sources(&root(), &folders) {
        for (number, line) in source.text.lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark)) {
                open.push(format!("{}:{} {}", source.path, number + 1, line.trim()));
            }
        }
        for name in macros {
            let lines = source.whole.lines().enumerate().filter(|(_, line)| line.contains(name));
            open.extend(lines.map(|(number, _)| format!("{}:{} has {name}", source.path, number + 1)));
        }
    }
    report("open marks", &open);
}

#[test]
fn alarms_are_raised_in_one_place() {
    let found: Vec<_> = code()
        .iter()
        .filter(|source| !source.is_test && source.path.starts_with("src/engine/") && source.path != ALARMS_FILE)
        .flat_map(|source| {
            source.named("Note::Alarm").map(|line| format!("{}:{line}", source.path)).collect::<Vec<_>>()
        })
        .collect();
    report(&format!("alarms that {ALARMS_FILE} does not raise, and the metric does not count"), &found);
}

#[test]
fn unsafe_code_stays_with_system_calls_and_the_allocator() {
    let found: Vec<_> = code()
        .iter()
        .filter(|source| !UNSAFE_FILES.contains(&source.path.as_str()))
        .flat_map(|source| {
            source.named_anywhere("unsafe").map(|line| format!("{}:{line}", source.path)).collect::<Vec<_>>()
        })
        .collect();
    report(&format!("unsafe code outside {}", UNSAFE_FILES.join(" and ")), &found);
}

#[test]
fn readers_deny_what_octets_could_make_go_wrong() {
    let sources = code();
    let (mut wrong, mut exceptions) = (Vec::new(), Vec::new());
    for reader in READERS {
        let denied = sources.iter().find(|source| source.path == *reader).map(Source::denied).unwrap_or_default();
        let missing = DENIED.iter().filter(|lint| !denied.iter().any(|denied| denied == *lint));
        wrong.extend(missing.map(|lint| format!("{reader} does not deny {lint}")));
    }
    let is_below = |path: &str, reader: &str| match reader.strip_suffix("mod.rs").or(reader.strip_suffix("lib.rs")) {
        Some(folder) => path.starts_with(folder),
        None => path == reader,
    };
    for source in sources.iter().filter(|source| READERS.iter().any(|reader| is_below(&source.path, reader))) {
        for line in DENIED.iter().flat_map(|lint| source.named(lint)) {
            let text = source.text.lines().nth(line - 1).unwrap_or_default();
            // In the list of what is denied a name stands alone.
            if !text.contains('(') {
                continue;
            }
            exceptions.push(format!("{}:{line} {}", source.path, text.trim()));
            if !text.contains("expect(") || !text.contains("reason = ") {
                wrong.push(format!("{}:{line} is no `expect` with its reason", source.path));
            }
        }
    }
    report("what comes from outside is read without a guard", &wrong);
    if exceptions.len() > EXCEPTIONS_MAX {
        report(&format!("{} exceptions, {EXCEPTIONS_MAX} are granted", exceptions.len()), &exceptions);
    }
}

#[test]
fn unwraps_are_as_rare_as_their_invariants() {
    let sources = code();
    let lines: usize = sources.iter().filter(|source| !source.is_test).map(Source::code_lines).sum();
    let found: Vec<_> = sources
        .iter()
        .flat_map(|source| {
            let lines = source.named(".unwrap()").chain(source.named(".expect("));
            lines.map(|line| format!("{}:{line}", source.path)).collect::<Vec<_>>()
        })
        .collect();
    let granted = lines.div_ceil(LINES_PER_UNWRAP);
    if found.len() > granted {
        report(&format!("{} unwraps in {lines} lines of code, {granted} are granted", found.len()), &found);
    }
}

#[test]
fn every_rule_the_code_cites_has_a_line_in_the_rules() {
    let rules = text_of(&root().join("docs/rules.md"));
    let mut listed = BTreeMap::new();
    let mut wrong = Vec::new();
    for (number, line) in rules.lines().enumerate() {
        let Some(rule) = line.strip_prefix("| ").and_then(|row| row.split(" |").next()) else { continue };
        if source::rules_in(rule).next() == Some(rule) && listed.insert(rule, number + 1).is_some() {
            wrong.push(format!("docs/rules.md:{} lists {rule} a second time", number + 1));
        }
    }
    let folders = ["codecs", "policies", "src", "tests", "benches", "fuzz", "examples"];
    for source in rust_sources(&root(), &folders) {
        for (number, line) in source.text.lines().enumerate() {
            let unknown = source::rules_in(line).filter(|rule| !listed.contains_key(rule));
            wrong.extend(unknown.map(|rule| format!("{}:{} cites {rule}", source.path, number + 1)));
        }
    }
    report("rules without a line of their own in docs/rules.md", &wrong);
}

/// Easily got wrong: what a test's name calls `trap_N`.
const TRAPS: std::ops::RangeInclusive<u32> = 1..=22;

#[test]
fn every_rule_of_routing_and_codecs_and_every_trap_has_a_test_of_its_name() {
    let mut named = BTreeSet::new();
    for source in rust_sources(&root(), &["codecs", "policies", "src", "tests"]) {
        for after in source.whole.split("#[test]").skip(1) {
            let name = after.split("fn ").nth(1).and_then(|rest| rest.split(['(', '<']).next()).unwrap_or_default();
            named.extend(source::rules_of_name(name));
        }
    }
    let rules = text_of(&root().join("docs/rules.md"));
    let mut missing = Vec::new();
    for (number, line) in rules.lines().enumerate() {
        let Some(rule) = line.strip_prefix("| ").and_then(|row| row.split(" |").next()) else { continue };
        let Some((letter, digits)) = rule.split_once('-') else { continue };
        let (Some(letter), Ok(digits)) = (["P", "D", "G", "M"].iter().find(|known| **known == letter), digits.parse())
        else {
            continue;
        };
        if !line.contains("*(not served") && !named.contains(&(letter.to_ascii_lowercase(), digits)) {
            missing.push(format!("docs/rules.md:{} {rule}", number + 1));
        }
    }
    missing.extend(TRAPS.filter(|trap| !named.contains(&("trap".into(), *trap))).map(|trap| format!("trap {trap}")));
    report("rules without a test that has their number in its name (`d_11_...`, `..._d11`, `d8_to_d13_...`)", &missing);
}

#[test]
fn every_key_of_the_configuration_is_in_the_reference() {
    let contracts = text_of(&root().join("docs/contracts.md"));
    let known: BTreeSet<_> = contracts.split('`').skip(1).step_by(2).collect();
    let mut missing = Vec::new();
    let complete = root().join("tests/config/every_key.toml");
    let keys = if complete.is_file() { text_of(&complete) } else { String::new() };
    for (number, line) in keys.lines().enumerate() {
        let Some((key, _)) = line.split_once(" = ") else { continue };
        if !known.contains(key.trim()) {
            missing.push(format!("tests/config/every_key.toml:{} {key}", number + 1));
        }
    }
    for (path, prefix) in [("src/config/without_effect.rs", "    (\""), ("src/metrics/table.rs", "emcc_")] {
        let file = root().join(path);
        let text = if file.is_file() { text_of(&file) } else { String::new() };
        let rows = text.split("#[cfg(test)]").next().unwrap_or_default().lines().enumerate();
        for (number, line) in rows {
            let name = match (line.strip_prefix(prefix), line.split('"').find(|part| part.starts_with(prefix))) {
                (Some(row), _) => row.split('"').next().unwrap_or_default(),
                (None, Some(metric)) if metric.len() > prefix.len() => metric,
                _ => continue,
            };
            if !known.contains(name) {
                missing.push(format!("{path}:{} {name}", number + 1));
            }
        }
    }
    report("not named in docs/contracts.md (in backquotes, as here)", &missing);
}

#[test]
fn every_path_the_documents_name_exists() {
    let mut missing = Vec::new();
    for document in markdown(&root()) {
        let text = text_of(&root().join(&document));
        for (number, line) in text.lines().enumerate() {
            let quoted = line.split('`').skip(1).step_by(2);
            let linked = line.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
            for path in quoted.chain(linked) {
                if is_path(path) && is_begun(path) && !root().join(path).exists() {
                    missing.push(format!("{document}:{} names {path}", number + 1));
                }
            }
        }
    }
    report("paths that lead nowhere", &missing);
}

/// A path inside this repository: it begins with one of its folders and has no blanks or wildcards.
fn is_path(text: &str) -> bool {
    let folders = ["codecs/", "policies/", "src/", "tests/", "benches/", "docs/", "examples/", ".ci/"];
    folders.iter().any(|folder| text.starts_with(folder))
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b))
}

/// Whether the folder or module below the first folder is there; what nobody has begun cannot be named wrongly.
fn is_begun(path: &str) -> bool {
    let mut parts = path.split('/');
    let (Some(first), Some(second), Some(_)) = (parts.next(), parts.next(), parts.next()) else { return true };
    root().join(first).join(second).exists() || root().join(first).join(format!("{second}.rs")).exists()
}
