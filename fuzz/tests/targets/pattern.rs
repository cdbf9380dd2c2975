//! Digit patterns: whatever calls itself one, and numbers it is compared with.

use emcc_policies::digits::{DIGITS_MAX, Digits, Discard, Pattern, Reach};

/// What can be dialed.
const ALPHABET: &[u8] = b"0123456789*#+ABCD";
/// Longest pattern and number compared with the slow matcher, whose ways multiply.
const NAIVE_MAX: (usize, usize) = (24, 8);
/// Longest numbers that are all tried.
const COUNTED_MAX: usize = 2;

#[test]
fn patterns() {
    bolero::check!(name = "pattern").with_iterations(0).for_each(|input: &[u8]| check(input));
    emcc_fuzz::replay("pattern", 40_000, check);
}

/// The input is a pattern, a space, and a number.
fn check(input: &[u8]) {
    let (text, dialed) = match input.iter().position(|byte| *byte == b' ') {
        Some(space) => (&input[..space], &input[space + 1..]),
        None => (input, &b""[..]),
    };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let pattern = match Pattern::parse(text) {
        Ok(pattern) => pattern,
        Err(why) => return assert!(why.at <= text.len(), "a mistake is in the text"),
    };
    assert_eq!(pattern.text(), text);
    let dialable: Vec<u8> = dialed.iter().copied().filter(|byte| ALPHABET.contains(byte)).take(DIGITS_MAX).collect();
    let dialed = Digits::from_bytes(&dialable).expect("nothing but what can be dialed");
    let reach = pattern.matches(&dialed);
    laws(&pattern, &dialed, reach);
    if text.len() <= NAIVE_MAX.0 && dialed.len() <= NAIVE_MAX.1 {
        assert_eq!(reach.full, naive(text.as_bytes(), dialed.as_bytes()), "{text} on {dialed}");
        let mut strings = vec![Vec::new()];
        for length in 0..=COUNTED_MAX {
            let whole = strings.iter().filter(|string| naive(text.as_bytes(), string)).count();
            assert_eq!(pattern.count(length), whole as u128, "{text} at {length}");
            strings = strings
                .iter()
                .flat_map(|string| ALPHABET.iter().map(move |byte| [string.as_slice(), &[*byte]].concat()))
                .collect();
        }
    }
}

/// What holds of every pattern and number.
fn laws(pattern: &Pattern, dialed: &Digits, reach: Reach) {
    assert!(!reach.full || pattern.count(dialed.len()) > 0, "{dialed} is counted");
    if reach.full && pattern.is_literal() {
        assert_eq!(pattern.count(dialed.len()), 1);
    }
    assert!(pattern.literal_prefix_len() <= pattern.text().len());
    let taken = pattern.before_dot(dialed);
    assert!(taken.is_none_or(|taken| reach.full && pattern.has_dot() && taken <= dialed.len()));
    let kept = Discard::PreDot.apply(pattern, dialed);
    assert!(dialed.as_bytes().ends_with(kept.as_bytes()));
    let again = Pattern::parse(pattern.text()).expect("what is read once is read twice");
    assert_eq!(again.language(), pattern.language());
}

/// Whether a text that is known to be a pattern matches: read from left to right, every way tried.
fn naive(pattern: &[u8], dialed: &[u8]) -> bool {
    let Some((class, rest, is_more)) = first(pattern) else { return dialed.is_empty() };
    let (least, most, rest) = match rest {
        [b'?', b'?', rest @ ..] => (1, dialed.len(), rest),
        [b'?', rest @ ..] => (0, dialed.len(), rest),
        [b'+', rest @ ..] => (1, dialed.len(), rest),
        rest => (1, if is_more { dialed.len() } else { 1 }, rest),
    };
    // Further question marks after two: one more each.
    let more = rest.iter().take_while(|byte| **byte == b'?').count();
    (least..=most).any(|count| {
        count <= dialed.len()
            && dialed[..count].iter().all(|byte| class.contains(byte))
            && count >= least + more
            && naive(&rest[more..], &dialed[count..])
    })
}

/// The characters that the first part of a pattern stands for, what follows it, and whether it stands for several.
fn first(pattern: &[u8]) -> Option<(Vec<u8>, &[u8], bool)> {
    let digits = || b"0123456789".to_vec();
    match pattern {
        [] => None,
        [b'.', rest @ ..] => first(rest),
        [b'X', rest @ ..] => Some((digits(), rest, false)),
        [b'!', rest @ ..] => Some((digits(), rest, true)),
        [b'\\', plus, rest @ ..] => Some((vec![*plus], rest, false)),
        [b'[', b'^', rest @ ..] => {
            let (listed, rest) = bracketed(rest);
            Some((digits().into_iter().filter(|digit| !listed.contains(digit)).collect(), rest, false))
        }
        [b'[', rest @ ..] => {
            let (listed, rest) = bracketed(rest);
            Some((listed, rest, false))
        }
        [literal, rest @ ..] => Some((vec![*literal], rest, false)),
    }
}

fn bracketed(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let end = text.iter().position(|byte| *byte == b']').unwrap_or(text.len());
    let (mut listed, mut inside) = (Vec::new(), &text[..end]);
    while let [first, rest @ ..] = inside {
        inside = match rest {
            [b'-', last, rest @ ..] => {
                listed.extend(*first..=*last);
                rest
            }
            rest => {
                listed.push(*first);
                rest
            }
        };
    }
    (listed, &text[(end + 1).min(text.len())..])
}
