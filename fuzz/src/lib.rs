//! What the fuzz targets share: the checked-in inputs, and seeded changes of them.
//!
//! A target is one function over octets. Under `cargo test` it sees every checked-in input, then a fixed number of
//! changed ones, the same on every machine; under a fuzzer it sees what the fuzzer thinks of.

use std::path::{Path, PathBuf};
use std::time::Instant;

use emcc_trunk::engine::ids::Ids;

/// Octets that mean something to one of the parsers, and a few that should not.
const SHARP: &[u8] = b"\r\n \t:;,<>\"\\@=?%/[]*.#{}-0123456789aSl\0\x7f\xff";
/// Longest changed input, in octets.
const INPUT_BYTES_MAX: usize = 8_192;
/// Changes of one input at most, plus one.
const CHANGES_MAX: u64 = 8;

/// Where a target's inputs are: where bolero looks for them too.
fn corpus_of(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/targets/__fuzz__").join(target).join("corpus")
}

/// The checked-in inputs of a target, in the order of their names.
///
/// # Panics
/// Where there are none: a target without inputs tests next to nothing.
#[must_use]
pub fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = corpus_of(target);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let read = |file: PathBuf| std::fs::read(&file).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
    let inputs: Vec<_> = files.into_iter().map(read).collect();
    assert!(!inputs.is_empty(), "{} is empty", folder.display());
    inputs
}

/// Runs `check` on `rounds` changed inputs of the target's corpus. A failure prints the input and its seed. Does nothing
/// under a fuzzer, which makes better changes.
///
/// `EMCC_FUZZ_ROUNDS` in the environment plays that many instead, `EMCC_FUZZ_FIRST` begins at that seed, and
/// `EMCC_FUZZ_SECONDS` ends after that time.
#[expect(
    clippy::disallowed_methods,
    reason = "how long it plays is told in real seconds; what is checked reads no clock"
)]
pub fn replay(target: &str, rounds: u64, check: impl Fn(&[u8])) {
    if cfg!(fuzzing) {
        return;
    }
    let inputs = corpus(target);
    let first = number("EMCC_FUZZ_FIRST").unwrap_or(0);
    let rounds = number("EMCC_FUZZ_ROUNDS").unwrap_or(rounds);
    let (began, seconds) = (Instant::now(), number("EMCC_FUZZ_SECONDS").unwrap_or(u64::MAX));
    for seed in first..first.saturating_add(rounds) {
        let case = Case { target, seed, input: changed(&inputs, seed) };
        check(&case.input);
        if seed % 1_024 == 0 && began.elapsed().as_secs() >= seconds {
            println!("{target}: {} inputs in {seconds} s", seed - first);
            return;
        }
    }
    println!("{target}: {rounds} inputs in {} s", began.elapsed().as_secs());
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// An input that says what it is when its check panics.
struct Case<'t> {
    target: &'t str,
    seed: u64,
    input: Vec<u8>,
}

impl Drop for Case<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("target {} seed {} input b\"{}\"", self.target, self.seed, self.input.escape_ascii());
        }
    }
}

/// One of the inputs with up to eight changes; equal seeds give equal octets.
#[must_use]
pub fn changed(inputs: &[Vec<u8>], seed: u64) -> Vec<u8> {
    let mut dice = Ids::new(seed, 9);
    let mut below = |bound: usize| (dice.next_u64() % bound.max(1) as u64) as usize;
    let mut input = inputs[below(inputs.len())].clone();
    for _ in 0..=below(CHANGES_MAX as usize) {
        let at = below(input.len());
        let len = below(24).min(input.len() - at);
        let sharp = SHARP[below(SHARP.len())];
        match below(9) {
            0 | 1 if !input.is_empty() => input[at] = sharp,
            2 | 3 => input.insert(at, sharp),
            4 => drop(input.drain(at..at + len)),
            5 => {
                let piece = input[at..at + len].to_vec();
                let to = below(input.len());
                drop(input.splice(to..to, piece));
            }
            6 => {
                let other = &inputs[below(inputs.len())];
                let from = below(other.len());
                let piece = other[from..(from + 64).min(other.len())].to_vec();
                drop(input.splice(at..at + len, piece));
            }
            7 => {
                let long = vec![sharp; 1 << below(11)];
                drop(input.splice(at..at, long));
            }
            _ if !input.is_empty() => input[at] = below(256) as u8,
            _ => input.push(sharp),
        }
    }
    input.truncate(INPUT_BYTES_MAX);
    input
}

/// Octets of an input as numbers, in order. Past the end everything is zero.
#[derive(Debug)]
pub struct Dials<'i> {
    left: &'i [u8],
}

impl<'i> Dials<'i> {
    /// The dials of an input.
    #[must_use]
    pub fn new(input: &'i [u8]) -> Self {
        Self { left: input }
    }

    /// The next octet.
    pub fn octet(&mut self) -> u8 {
        let Some((first, rest)) = self.left.split_first() else { return 0 };
        self.left = rest;
        *first
    }

    /// The next octet, brought below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::from(self.octet()) % bound.max(1)
    }

    /// The next two octets.
    pub fn wide(&mut self) -> usize {
        usize::from(self.octet()) << 8 | usize::from(self.octet())
    }

    /// So many octets as they stand, fewer at the end.
    pub fn take(&mut self, count: usize) -> &'i [u8] {
        let (taken, rest) = self.left.split_at(count.min(self.left.len()));
        self.left = rest;
        taken
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.left.is_empty()
    }

    /// Everything that is left.
    #[must_use]
    pub fn rest(self) -> &'i [u8] {
        self.left
    }
}
