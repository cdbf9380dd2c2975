//! Configuration text: whatever a file holds, checking it ends with problems, and what passes is what loads.

use std::path::PathBuf;

use emcc_trunk::config::{self, Probe};

#[test]
fn configuration() {
    bolero::check!(name = "config").with_iterations(0).for_each(|input: &[u8]| check(input));
    emcc_fuzz::replay("config", 800, check);
}

fn check(input: &[u8]) {
    // Includes would read files of this machine.
    if input.windows(7).any(|part| part.eq_ignore_ascii_case(b"include")) {
        return;
    }
    let path = file();
    std::fs::write(&path, input).expect("a file in the temporary folder");
    let checked = config::check(&path, Probe::Offline);
    assert!(checked.readable || std::str::from_utf8(input).is_err());
    let loaded = config::load(&path);
    assert_eq!(checked.is_ok(), loaded.is_ok(), "{:?}", checked.problems);
    let told = match loaded {
        Ok(loaded) => loaded.warnings,
        Err(problems) => problems,
    };
    assert_eq!(told.len(), checked.problems.len());
    for problem in told {
        assert!(!problem.to_string().is_empty());
    }
}

/// One file a process: a fuzzer runs several.
fn file() -> PathBuf {
    std::env::temp_dir().join(format!("emcc-fuzz-{}.toml", std::process::id()))
}
