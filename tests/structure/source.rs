//! Rust sources as the house rules read them: comments and texts blanked, tests told apart.

use std::fs;
use std::path::Path;

/// One file.
pub(crate) struct Source {
    /// Path from the root of the repository, with forward slashes.
    pub(crate) path: String,
    /// As it stands.
    pub(crate) text: String,
    /// Comments, texts and characters blanked; lines stay where they are.
    pub(crate) whole: String,
    /// The part of `whole` before the tests at the file's end; empty in a file of tests.
    pub(crate) code: String,
    /// Whether the file holds tests only.
    pub(crate) is_test: bool,
}

/// Every Rust file below `folders`, sorted by path; folders that are not there are passed over.
pub(crate) fn rust_sources(root: &Path, folders: &[&str]) -> Vec<Source> {
    let mut paths = Vec::new();
    for folder in folders {
        walk(&root.join(folder), &mut paths);
    }
    let mut sources: Vec<_> = paths
        .iter()
        .filter_map(|path| path.strip_prefix(root).ok()?.to_str())
        .filter(|path| path.ends_with(".rs"))
        .map(|path| Source::new(path.replace('\\', "/"), text_of(&root.join(path))))
        .collect();
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    let tests: Vec<_> = sources.iter().flat_map(Source::test_files).collect();
    for source in &mut sources {
        if tests.contains(&source.path) {
            source.is_test = true;
            source.code.clear();
        }
    }
    sources
}

/// The rules and traps a test's name carries: `d_11`, `d11`, `p_20_to_p_22`, `traps_13_to_15_and_21`.
pub(crate) fn rules_of_name(name: &str) -> Vec<(String, u32)> {
    let (mut found, mut of, mut last, mut is_range) = (Vec::new(), None, None, false);
    for token in name.split('_') {
        let (word, digits) = match token.find(|c: char| c.is_ascii_digit()) {
            Some(at) => token.split_at(at),
            None => (token, ""),
        };
        let kind = match word {
            "p" | "d" | "g" | "m" => Some(word),
            "trap" | "traps" => Some("trap"),
            "" => of,
            _ => None,
        };
        match (kind, digits.parse::<u32>()) {
            (Some(kind), Ok(number)) => {
                let first = last.filter(|_| is_range && of == Some(kind)).map_or(number, |last: u32| last + 1);
                found.extend((first..=number).map(|number| (kind.to_owned(), number)));
                (of, last, is_range) = (Some(kind), Some(number), false);
            }
            (Some(kind), Err(_)) if digits.is_empty() && !word.is_empty() => {
                (of, is_range) = (Some(kind), is_range && of == Some(kind));
            }
            (None, _) if token == "and" => is_range = false,
            (None, _) if token == "to" && last.is_some() => is_range = true,
            _ => (of, last, is_range) = (None, None, false),
        }
    }
    found
}

#[test]
fn a_name_carries_the_rules_it_is_written_to_carry() {
    for (name, want) in [
        ("d_11_order", "d11"),
        ("closest_wins_d11", "d11"),
        ("p_20_to_p_22_members", "p20 p21 p22"),
        ("d4_to_d6_analysis", "d4 d5 d6"),
        ("m_14_and_m_15_order", "m14 m15"),
        ("filters_m3_to_m5_m10_traps_13_to_15_and_21", "m3 m4 m5 m10 trap13 trap14 trap15 trap21"),
        ("p_8_rfc_3261_16_7_step_6_goes_back", "p8"),
        ("a_480_after_16", ""),
    ] {
        let got: Vec<_> = rules_of_name(name).into_iter().map(|(kind, number)| format!("{kind}{number}")).collect();
        assert_eq!(got.join(" "), want, "{name}");
    }
}

/// The documents: Markdown at the root and in `docs`.
pub(crate) fn markdown(root: &Path) -> Vec<String> {
    let mut paths = Vec::new();
    walk(&root.join("docs"), &mut paths);
    let mut found: Vec<_> = paths
        .iter()
        .filter_map(|path| path.strip_prefix(root).ok()?.to_str())
        .filter(|path| path.ends_with(".md"))
        .map(str::to_owned)
        .collect();
    found.push("README.md".to_owned());
    found.sort();
    found
}

/// A file's text; a file that cannot be read fails the test by name.
pub(crate) fn text_of(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn walk(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let is_built = path.file_name().is_some_and(|name| name == "target");
        match path.is_dir() {
            true if !is_built => walk(&path, found),
            true => {}
            false => found.push(path),
        }
    }
}

impl Source {
    /// A file of that path and text.
    pub(crate) fn new(path: String, text: String) -> Self {
        let whole = blanked(&text);
        // Tests stand at a file's end; an attribute on anything else does not end the code.
        let end = whole
            .match_indices("#[cfg(test)]")
            .find(|(at, _)| declared(&whole[at + 12..]).is_some())
            .map_or(whole.len(), |(at, _)| at);
        let is_test = ["tests/", "benches/"].iter().any(|folder| path.contains(folder));
        let code = if is_test { String::new() } else { whole[..end].to_owned() };
        Self { path, text, whole, code, is_test }
    }

    /// Lines of the file.
    pub(crate) fn lines(&self) -> usize {
        self.text.lines().count()
    }

    /// Lines outside the tests.
    pub(crate) fn code_lines(&self) -> usize {
        self.code.lines().count()
    }

    /// The module below the root of `src` the file belongs to.
    pub(crate) fn top_module(&self) -> Option<&str> {
        self.path.strip_prefix("src/")?.split('/').next()?.split('.').next()
    }

    /// Lints the whole file denies outside tests: `#![cfg_attr(not(test), deny(...))]`.
    pub(crate) fn denied(&self) -> Vec<String> {
        let attribute = self.whole.split("#![cfg_attr(").nth(1).and_then(|rest| rest.split(")]").next());
        let attribute: String = attribute.unwrap_or_default().split_whitespace().collect();
        let list = attribute.strip_prefix("not(test),deny(").and_then(|list| list.strip_suffix(')'));
        list.unwrap_or_default().split(',').map(str::to_owned).collect()
    }

    /// Lines of the code that name `name`: as a whole word or path.
    pub(crate) fn named(&self, name: &'static str) -> impl Iterator<Item = usize> {
        words(&self.code, name)
    }

    /// Lines that name `name`, tests included.
    pub(crate) fn named_anywhere(&self, name: &'static str) -> impl Iterator<Item = usize> {
        words(&self.whole, name)
    }

    /// Modules at the root of the crate that the code names, by `crate::` or by enough `super::`, each with its line.
    pub(crate) fn modules_named(&self) -> Vec<(usize, String)> {
        let inner = self.path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
        let up = "super::".repeat(inner.split('/').count());
        let mut found = Vec::new();
        for prefix in ["crate::", &up] {
            for (at, _) in self.code.match_indices(prefix) {
                let before = self.code[..at].chars().next_back();
                if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                    continue;
                }
                let line = line_of(&self.code, at);
                let rest = &self.code[at + prefix.len()..];
                found.extend(names_of(rest).into_iter().map(|name| (line, name)));
            }
        }
        found
    }

    /// Files this one declares for tests alone.
    fn test_files(&self) -> Vec<String> {
        let (folder, file) = self.path.rsplit_once('/').unwrap_or(("", &self.path));
        let stem = file.trim_end_matches(".rs");
        let below = if matches!(stem, "mod" | "lib" | "main") { folder.to_owned() } else { format!("{folder}/{stem}") };
        let mut found = Vec::new();
        for (at, _) in self.whole.match_indices("#[cfg(test)]") {
            let Some((name, false)) = declared(&self.whole[at + 12..]) else { continue };
            // The name of the file is a text, so it stands in the original alone.
            let lines = self.text.lines().skip(line_of(&self.whole, at)).take(2);
            let named = lines.filter_map(|line| line.trim().strip_prefix("#[path = \"")?.strip_suffix("\"]")).next();
            match named {
                Some(file) => found.push(format!("{folder}/{file}")),
                None => found.extend([format!("{below}/{name}.rs"), format!("{below}/{name}/mod.rs")]),
            }
        }
        found
    }
}

/// The module that follows a `cfg(test)`, and whether its body stands there too.
fn declared(rest: &str) -> Option<(&str, bool)> {
    let mut rest = rest.trim_start();
    while rest.starts_with("#[") {
        rest = rest.split_once(']')?.1.trim_start();
    }
    let (name, body) = rest.strip_prefix("mod ")?.split_once(['{', ';'])?;
    Some((name.trim(), rest.as_bytes().get(rest.len() - body.len() - 1) == Some(&b'{')))
}

/// First names of a path or of a braced list of paths.
fn names_of(path: &str) -> Vec<String> {
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(list) = path.strip_prefix('{') else { return vec![name(path)] };
    let (mut depth, mut names, mut start) = (0_usize, Vec::new(), 0);
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                names.push(name(list[start..at].trim_start()));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                names.push(name(list[start..at].trim_start()));
                start = at + 1;
            }
            _ => {}
        }
    }
    names
}

fn words(text: &str, name: &'static str) -> impl Iterator<Item = usize> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let found: Vec<_> = text
        .match_indices(name)
        .filter(|(at, _)| {
            let before = text[..*at].chars().next_back().is_some_and(is_word);
            let after = text[at + name.len()..].chars().next().is_some_and(is_word);
            let goes_on = before && name.starts_with(is_word) || after && name.ends_with(is_word);
            !goes_on
        })
        .map(|(at, _)| line_of(text, at))
        .collect();
    found.into_iter()
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// Rule numbers in a line: a letter of the domain's chapters, a hyphen, digits, an `a` where there is a second one.
pub(crate) fn rules_in(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices('-').filter_map(|(hyphen, _)| {
        let before = line.get(..hyphen)?;
        let letter = before.chars().next_back().filter(|c| "PDGMVRLCEXKIS".contains(*c))?;
        let start = hyphen - letter.len_utf8();
        let free = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_');
        let rest = line.get(hyphen + 1..)?;
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let end = hyphen + 1 + digits + usize::from(rest.as_bytes().get(digits) == Some(&b'a'));
        let is_rule = (1..=2).contains(&digits)
            && free(before[..start].chars().next_back())
            && !before[..start].ends_with('-')
            && free(line.get(end..)?.chars().next());
        is_rule.then(|| &line[start..end])
    })
}

/// Comments, texts and characters replaced by blanks, so that only code is left where it stood.
fn blanked(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let length = match rest {
            [b'/', b'/', ..] => rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len()),
            [b'/', b'*', ..] => comment(rest),
            [b'"', ..] => quoted(rest),
            [b'r', b'"' | b'#', ..] if !at.checked_sub(1).is_some_and(|before| is_name(bytes, before)) => raw(rest),
            [b'\'', b'\\', ..] => 4 + rest[3..].iter().position(|b| *b == b'\'').unwrap_or(0),
            // One character of one to four octets, then the closing mark; a lifetime has none.
            [b'\'', ..] => rest.iter().take(6).skip(2).position(|b| *b == b'\'').map_or(0, |found| {
                let inside = &rest[1..found + 2];
                std::str::from_utf8(inside).map_or(0, |c| if c.chars().count() == 1 { found + 3 } else { 0 })
            }),
            _ => 0,
        };
        let end = (at + length).min(bytes.len());
        for byte in &mut out[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end.max(at + 1);
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Whether the octet at `at` goes on a name; the `b` of `br"..."` does not.
fn is_name(bytes: &[u8], at: usize) -> bool {
    let goes_on = |at: usize| bytes[at].is_ascii_alphanumeric() || bytes[at] == b'_';
    let is_prefix = bytes[at] == b'b' && !at.checked_sub(1).is_some_and(goes_on);
    goes_on(at) && !is_prefix
}

fn comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => {
                depth += 1;
                at += 2;
            }
            [b'*', b'/', ..] => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    rest.len()
}

fn quoted(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// A raw text, `r"..."` or `r#"..."#`; 0 for a raw name such as `r#type`.
fn raw(rest: &[u8]) -> usize {
    let hashes = rest[1..].iter().take_while(|b| **b == b'#').count();
    if rest.get(1 + hashes) != Some(&b'"') {
        return 0;
    }
    let body = 2 + hashes;
    let ends = |at: usize| {
        rest[at] == b'"' && rest.len() > at + hashes && rest[at + 1..=at + hashes].iter().all(|b| *b == b'#')
    };
    (body..rest.len()).find(|at| ends(*at)).map_or(rest.len(), |at| at + 1 + hashes)
}

#[test]
fn comments_and_texts_are_not_code() {
    for (text, want) in [
        ("a // unsafe\nb", "a b"),
        ("a /* x /* y */ z */ b", "a b"),
        ("f(\"un\\\"safe\") g", "f( ) g"),
        ("r#\"a\"b\"# + r#type", "+ r#type"),
        ("br\"x\" 'a' b'\\'' '\u{e9}' c", "b b c"),
        ("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)"),
    ] {
        let left = blanked(text);
        assert_eq!(left.split_whitespace().collect::<Vec<_>>().join(" "), want, "{text}");
        assert_eq!((left.len(), left.lines().count()), (text.len(), text.lines().count()), "{text}");
    }
}

#[test]
fn tests_at_the_end_are_told_from_code() {
    let source = Source::new("src/x.rs".into(), "a\n#[cfg(test)]\nuse b;\nc\n#[cfg(test)]\nmod tests {\nd\n}".into());
    assert!(source.code.contains('c') && !source.code.contains('d'));
    let parent = "#[cfg(test)]\n#[path = \"y_tests.rs\"]\nmod tests;\n#[cfg(test)]\nmod z;";
    let files = Source::new("src/a/y.rs".into(), parent.into()).test_files();
    assert_eq!(files, ["src/a/y_tests.rs", "src/a/y/z.rs", "src/a/y/z/mod.rs"]);
}

#[test]
fn what_a_file_denies_is_read_off_its_first_lines() {
    for (text, want) in [
        ("//! x\n#![cfg_attr(\n    not(test),\n    deny(\n        a::b,\n        c\n    )\n)]\nmod d;", "a::b c"),
        ("#![cfg_attr(not(test), deny(a))]", "a"),
        ("// #![cfg_attr(not(test), deny(a))]", ""),
        ("#![cfg_attr(not(test), warn(a))]", ""),
        ("#![cfg_attr(test, deny(a))]", ""),
    ] {
        assert_eq!(Source::new("src/x.rs".into(), text.into()).denied().join(" "), want, "{text}");
    }
}

#[test]
fn a_module_is_found_however_it_is_named() {
    let text =
        "use crate::{engine::{a, b}, sip::c, io};\nuse super::super::cli;\nlet x = crate::admin::y();\nuse super::z;";
    let found = Source::new("src/sip/edit.rs".into(), text.into()).modules_named();
    let names: Vec<_> = found.iter().map(|(line, name)| (*line, name.as_str())).collect();
    assert_eq!(names, [(1, "engine"), (1, "sip"), (1, "io"), (3, "admin"), (2, "cli")]);
}

#[test]
fn a_rule_number_stands_alone() {
    let found: Vec<_> = rules_in("(P-4, V-27a) SEP-1 M-7x X-800 C-9a. RG-1 G-10").collect();
    assert_eq!(found, ["P-4", "V-27a", "C-9a", "G-10"]);
}
