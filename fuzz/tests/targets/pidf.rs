//! Whatever calls itself a location.

use emcc_policies::location::pidf::{Conveyed, PIDF_BYTES_MAX, Writing, read, write};
use emcc_policies::moment::Civil;

#[test]
fn documents() {
    bolero::check!(name = "pidf").with_iterations(0).for_each(|input: &[u8]| check(input));
    emcc_fuzz::replay("pidf", 40_000, check);
}

/// The input is the document.
fn check(input: &[u8]) {
    let conveyed = match read(input) {
        Ok(conveyed) => conveyed,
        Err(error) => return assert!(error.at <= input.len(), "{error:?}"),
    };
    assert!(input.len() <= PIDF_BYTES_MAX && !conveyed.location.is_blank());
    let location = conveyed.location;
    let writing =
        Writing { location: &location, entity: &["pres:a@h"], device: "SEP1", at: Civil(0), may_be_passed_on: false };
    let mut out = Vec::new();
    write(&writing, &mut out);
    if out.len() <= PIDF_BYTES_MAX {
        assert_eq!(read(&out), Ok(Conveyed { location, is_gateway: None }), "what is written is read back");
    }
}
