//! Names with spaces that stand without quotation marks in a header or before a `=`, as the standard local route group's
//! easily does: the parser loses its way behind them, and names many mistakes but that one.

use std::ops::Range;

use crate::limits::SPACED_NAMES_MAX;

/// Where such names stand on the lines of these offsets, in order.
pub(super) fn names(text: &str, offsets: impl Iterator<Item = usize>) -> Vec<Range<usize>> {
    let mut begins: Vec<usize> = offsets.map(|offset| line_begins(text, offset)).collect();
    begins.sort_unstable();
    begins.dedup();
    let mut found = Vec::new();
    for begin in begins {
        let line = text.get(begin..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let in_line = match line.trim_start().starts_with('[') {
            true => in_header(line),
            false => before_equals(line),
        };
        found.extend(in_line.into_iter().map(|name| begin + name.start..begin + name.end));
    }
    found.truncate(SPACED_NAMES_MAX);
    found
}

/// The text with each of the names as one word of as many octets, so that all else stands where it stood.
pub(super) fn joined(text: &str, names: &[Range<usize>]) -> String {
    let mut joined = String::with_capacity(text.len());
    let mut at = 0;
    for name in names {
        joined.push_str(text.get(at..name.start).unwrap_or_default());
        let written = text.get(name.clone()).unwrap_or_default().bytes();
        joined.extend(written.map(|octet| if is_bare(octet) { char::from(octet) } else { '_' }));
        at = name.end;
    }
    joined.push_str(text.get(at..).unwrap_or_default());
    joined
}

/// What to write in place of the name: keys of ours are in small letters and have no spaces.
pub(super) fn fix(name: &str) -> String {
    let quoted = format!("\"{name}\"");
    if name.bytes().all(|octet| octet.is_ascii_lowercase() || octet == b' ') {
        let key = name.split_whitespace().collect::<Vec<_>>().join("_");
        return format!("Write a key without spaces, as in {key}; a name with spaces in double quotes: {quoted}.");
    }
    format!("Write the name in double quotes: {quoted}.")
}

fn line_begins(text: &str, offset: usize) -> usize {
    text.get(..offset).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1)
}

fn is_bare(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b'-')
}

fn in_header(line: &str) -> Vec<Range<usize>> {
    let begin = line.find(|c| c != '[' && c != ' ' && c != '\t').unwrap_or(line.len());
    let rest = line.get(begin..).unwrap_or_default();
    match rest.find(']') {
        Some(end) => parts(rest.get(..end).unwrap_or_default(), begin),
        None => Vec::new(),
    }
}

/// Of a key and its value, and of those in tables in braces.
fn before_equals(line: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    // Where what may be a key begins; nothing in a value.
    let mut begins = Some(0);
    let mut quote: Option<char> = None;
    let mut is_escaped = false;
    for (at, c) in line.char_indices() {
        if let Some(end) = quote {
            let closes = c == end && !is_escaped;
            is_escaped = c == '\\' && end == '"' && !is_escaped;
            if closes {
                quote = None;
            }
            continue;
        }
        match c {
            '"' | '\'' => quote = Some(c),
            '#' => break,
            '{' | ',' => begins = Some(at + 1),
            '[' | ']' | '}' => begins = None,
            '=' => {
                if let Some(begin) = begins.take() {
                    found.extend(parts(line.get(begin..at).unwrap_or_default(), begin));
                }
            }
            _ => {}
        }
    }
    found
}

/// The parts of a dotted key that are several words; none where some of it is quoted.
fn parts(key: &str, begins: usize) -> Vec<Range<usize>> {
    if key.contains(['"', '\'', '[', ']', '{', '}', '#', '=', ',']) {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut at = begins;
    for part in key.split('.') {
        let name = part.trim();
        if name.contains([' ', '\t']) {
            let begin = at + part.find(name).unwrap_or(0);
            found.push(begin..begin + name.len());
        }
        at += part.len() + 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_several_words_are_found_before_an_equals_sign_and_in_headers_alone() {
        for (line, expected) in [
            ("[route_list.transform.Standard Local Route Group] # a b = c", vec!["Standard Local Route Group"]),
            ("[[ route list ]]", vec!["route list"]),
            ("[ a . b c . d ]", vec!["b c"]),
            ("[a.\"b c\"]", vec![]),
            ("[a b", vec![]),
            ("Standard Local Route Group = \"R G = \\\" x y = \"", vec!["Standard Local Route Group"]),
            ("g = { A B = \"x, y z = \", C\tD = 'u v' }", vec!["A B", "C\tD"]),
            ("kind = gate way peer = 1", vec![]),
            ("a = [b c = 1]", vec![]),
            ("# a b = c", vec![]),
            ("Zürich Süd = 1", vec!["Zürich Süd"]),
        ] {
            let text = format!("x = 1\n{line}\ny = 2\n");
            let names = names(&text, [6, 7].into_iter());
            let found: Vec<_> = names.iter().map(|name| &text[name.clone()]).collect();
            assert_eq!(found, expected, "{line}");
            let joined = joined(&text, &names);
            assert_eq!(joined.len(), text.len(), "{line}");
            assert_eq!(joined == text, expected.is_empty(), "{line}");
        }
    }
}
