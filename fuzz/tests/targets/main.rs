//! The fuzz targets. `cargo test` replays the checked-in inputs and seeded changes of them; see the README for long runs.

mod config;
mod edit;
mod engine;
mod frame;
mod multipart;
#[path = "../../../benches/pair/mod.rs"]
mod pair;
mod pattern;
mod pidf;
mod scan;
mod sdp;
