//! Parameters: `;name`, `;name=value`, `;name="value"`, with white space and folds wherever the grammar lets them.

use super::octet::{PARAM_NAME, SPACE, VALUE, is, run};

/// One parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param<'a> {
    /// The name as written; compare it in any case.
    pub name: &'a [u8],
    /// The value as written, quotes included; `None` where there is no equals sign.
    pub value: Option<&'a [u8]>,
}

impl<'a> Param<'a> {
    /// The value without the quotes around it; backslashes inside stay.
    pub fn unquoted(&self) -> Option<&'a [u8]> {
        let value = self.value?;
        Some(value.strip_prefix(b"\"").and_then(|v| v.strip_suffix(b"\"")).unwrap_or(value))
    }
}

/// The parameters of a URI or of a header value, checked once when the value was parsed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Params<'a> {
    raw: &'a [u8],
}

impl<'a> Params<'a> {
    /// Checks `raw`, which is empty or begins with a semicolon (white space aside); `None` where it is not well formed.
    pub fn parse(raw: &'a [u8]) -> Option<Self> {
        Self::parse_each(raw, |_| ())
    }

    /// As [`Params::parse`], and shows each parameter on the way: what a header always asks about is found in one pass.
    pub(super) fn parse_each(raw: &'a [u8], mut each: impl FnMut(Param<'a>)) -> Option<Self> {
        let mut rest = raw;
        while let Some(step) = next(rest) {
            let (param, after) = step?;
            each(param);
            rest = after;
        }
        Some(Self { raw })
    }

    /// The parameters in order.
    pub fn iter(&self) -> impl Iterator<Item = Param<'a>> + use<'a> {
        let mut rest = self.raw;
        std::iter::from_fn(move || {
            let (param, after) = next(rest)??;
            rest = after;
            Some(param)
        })
    }

    /// The first parameter of this name, in any case.
    pub fn get(&self, name: &str) -> Option<Param<'a>> {
        self.iter().find(|param| param.name.eq_ignore_ascii_case(name.as_bytes()))
    }

    /// The value of the first parameter of this name, quotes taken off.
    pub fn value(&self, name: &str) -> Option<&'a [u8]> {
        self.get(name)?.unquoted()
    }

    /// Whether a parameter of this name is there, with a value or without.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The octets, first semicolon included.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }
}

/// The next parameter and what follows it: `None` at the end, `Some(None)` where the text is no parameter.
fn next(text: &[u8]) -> Option<Option<(Param<'_>, &[u8])>> {
    let text = skip_space(text);
    let (semicolon, rest) = text.split_first()?;
    if *semicolon != b';' {
        return Some(None);
    }
    Some(one(skip_space(rest)))
}

/// The parameter that `text`, which stands behind a semicolon, begins with.
pub(super) fn first_param(text: &[u8]) -> Option<Param<'_>> {
    one(skip_space(text)).map(|(param, _)| param)
}

fn one(text: &[u8]) -> Option<(Param<'_>, &[u8])> {
    let (name, rest) = text.split_at(run(text, PARAM_NAME));
    if name.is_empty() {
        return None;
    }
    let Some(after) = skip_space(rest).strip_prefix(b"=") else {
        return Some((Param { name, value: None }, rest));
    };
    let text = skip_space(after);
    let length = match text.first()? {
        b'"' => quoted_len(text)?,
        _ => run(text, VALUE),
    };
    let (value, rest) = text.split_at_checked(length)?;
    (!value.is_empty()).then_some((Param { name, value: Some(value) }, rest))
}

/// Length of the quoted string `text` begins with, both quotes included; `None` where it does not end.
pub(super) fn quoted_len(text: &[u8]) -> Option<usize> {
    let mut at = 1_usize;
    loop {
        let found = at.checked_add(memchr::memchr2(b'"', b'\\', text.get(at..)?)?)?;
        if text.get(found) == Some(&b'"') {
            return found.checked_add(1);
        }
        at = found.checked_add(2)?;
    }
}

/// `text` without the white space it begins with.
pub(super) fn skip_space(text: &[u8]) -> &[u8] {
    text.get(run(text, SPACE)..).unwrap_or(&[])
}

/// `text` without the white space around it.
pub(super) fn trim(text: &[u8]) -> &[u8] {
    trim_end(skip_space(text))
}

/// `text` without the white space it ends with.
pub(super) fn trim_end(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|b| !is(*b, SPACE)).map_or(0, |last| last.saturating_add(1));
    text.get(..end).unwrap_or(&[])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(raw: &str) -> Option<Vec<(String, Option<String>)>> {
        let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        Some(Params::parse(raw.as_bytes())?.iter().map(|p| (text(p.name), p.value.map(text))).collect())
    }

    #[test]
    fn parameters_are_read_through_spaces_and_folds() {
        let want = vec![("tag".to_owned(), Some("98".to_owned())), ("lr".to_owned(), None)];
        for raw in [";tag=98;lr", " ; tag = 98 ; lr ", "\r\n ;\r\n  tag\t=\r\n 98;lr"] {
            assert_eq!(read(raw).as_ref(), Some(&want), "{raw:?}");
        }
    }

    #[test]
    fn a_branch_keeps_its_equals_sign_and_a_quoted_value_its_separators() {
        let params = Params::parse(b";branch=z9hG4bK-a=b;x=\"a;b,\\\"c\"").unwrap();
        assert_eq!(params.value("BRANCH"), Some(&b"z9hG4bK-a=b"[..]));
        assert_eq!(params.value("x"), Some(&b"a;b,\\\"c"[..]));
        assert!(!params.has("b"));
    }

    #[test]
    fn what_is_no_parameter_is_refused() {
        for raw in [";;", ";", ";a=", ";=b", "a", ";a=\"b", ";a b", ";a=<b>", ";a=b,c"] {
            assert_eq!(read(raw), None, "{raw:?}");
        }
        assert_eq!(read(""), Some(vec![]));
    }
}
