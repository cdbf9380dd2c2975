//! The demonstration, run as a user runs it.

use std::process::Command;

/// The demonstration binds the addresses of the pair's configuration; another program that has one of them fails the
/// test, with the sentence that says which.
#[test]
fn every_call_of_the_demonstration_does_what_it_should() {
    let ran = Command::new(env!("CARGO_BIN_EXE_emcc-trunk")).args(["demo", "--json"]).output().unwrap();
    let object: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_ne!(ran.status.code(), Some(3), "{}", object["error"]);
    for call in object["calls"].as_array().unwrap() {
        assert_eq!(call["happened"], call["expected"], "{}: {:#}", call["name"], call["ladder"]);
    }
    assert_eq!(object["ok"], true);
    assert_eq!(ran.status.code(), Some(0));
    assert!(ran.stderr.is_empty());
}
