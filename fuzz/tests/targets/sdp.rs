//! Region policy on whatever calls itself a description.

use emcc_fuzz::Dials;
use emcc_policies::region::{Allowed, Region, Role, Trail, VariableRate};

#[test]
fn descriptions() {
    bolero::check!(name = "sdp").with_iterations(0).for_each(|input: &[u8]| check(input));
    emcc_fuzz::replay("sdp", 40_000, check);
}

/// The input is one octet of choices, one of the audio cap, and the description.
fn check(input: &[u8]) {
    let mut dials = Dials::new(input);
    let (choices, cap) = (dials.octet(), dials.octet());
    let sdp = dials.rest();
    let role = if choices & 1 == 0 { Role::Offer } else { Role::Answer };
    let allowed = if choices & 2 == 0 { Allowed::AudioAndVideo } else { Allowed::AudioOnly };
    let variable_rate = if choices & 4 == 0 { VariableRate::Exclude } else { VariableRate::Bound };
    let region = Region { audio_kbps: 6 + 2 * u32::from(cap), variable_rate, ..Region::default() };
    let apply = |sdp: &[u8]| {
        let mut out = b"kept".to_vec();
        let shaped = region.apply(sdp, role, allowed, &mut Trail::new(), &mut out);
        assert!(out.starts_with(b"kept"), "what stood in the buffer stays");
        (shaped, out.split_off(4))
    };
    let (Ok(shaped), out) = apply(sdp) else {
        let (_, out) = apply(sdp);
        return assert!(out.is_empty(), "nothing is written on a refusal");
    };
    assert_eq!(shaped.changed, out != sdp, "what is said of a change is true");
    for codec in &shaped.codecs {
        assert!(!codec.name.as_str().is_empty());
    }
    let (again, twice) = apply(&out);
    let again = again.unwrap_or_else(|why| panic!("what leaves may leave again: {why:?}"));
    assert_eq!(twice.escape_ascii().to_string(), out.escape_ascii().to_string(), "policy applied twice is policy");
    assert_eq!(again.codecs, shaped.codecs);
}
