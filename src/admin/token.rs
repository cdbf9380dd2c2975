//! The token that a change needs.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Octets of a token at least: a shorter one is guessed.
const TOKEN_BYTES_MIN: usize = 16;
/// Octets read of a token file at most.
const FILE_BYTES_MAX: u64 = 4_096;

/// Whether a change may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The token is the one of the file.
    Right,
    /// It is not, or none was given.
    Wrong,
    /// There is no token to compare with.
    NoToken,
}

/// The token of an Authorization header (RFC 6750 section 2.1).
pub(super) fn of_header(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    (scheme.eq_ignore_ascii_case(b"Bearer ") && !token.is_empty()).then_some(token)
}

/// Compares `given` with the content of the token file, white space around that aside.
pub(super) fn judge(file: Option<&Path>, given: Option<&[u8]>) -> Verdict {
    let mut content = Vec::new();
    let read = file.and_then(|file| File::open(file).ok()?.take(FILE_BYTES_MAX).read_to_end(&mut content).ok());
    let token = content.trim_ascii();
    if read.is_none() || token.len() < TOKEN_BYTES_MIN {
        return Verdict::NoToken;
    }
    let Some(given) = given else { return Verdict::Wrong };
    // Every octet is compared, so that the time taken tells nothing of how many were right.
    let differ = token.iter().zip(given).fold(token.len() ^ given.len(), |sum, (a, b)| sum | usize::from(a ^ b));
    if differ == 0 { Verdict::Right } else { Verdict::Wrong }
}
