//! What an octet may be part of: one table, so that a reader asks once an octet instead of once a character it knows.

/// May stand in a token (RFC 3261, section 25.1).
pub(super) const TOKEN: u8 = 1;
/// White space inside a field, folds included.
pub(super) const SPACE: u8 = 2;
/// May stand unquoted in a parameter's value: everything but separators of parameters and values. Wider than a token,
/// because branches with `=` and hosts with `[` and `:` are in the field.
pub(super) const VALUE: u8 = 4;
/// The same in a parameter's name, which an equals sign ends.
pub(super) const PARAM_NAME: u8 = 8;
/// May stand in a domain name or an IPv4 address; `_` is none of the RFC's and in every network.
pub(super) const HOST: u8 = 16;
/// Stands in a URI without parting it from anything: neither one of `:@;?%` nor what no URI holds.
pub(super) const URI_INNER: u8 = 32;
/// A decimal digit.
pub(super) const DIGIT: u8 = 64;

static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let (mut left, mut octet) = (classes.as_mut_slice(), 0_u8);
    while let [place, places @ ..] = left {
        *place = classes_of(octet);
        (left, octet) = (places, octet.wrapping_add(1));
    }
    classes
};

const fn classes_of(octet: u8) -> u8 {
    let mut classes = 0;
    if octet.is_ascii_alphanumeric()
        || matches!(octet, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~')
    {
        classes |= TOKEN;
    }
    if matches!(octet, b' ' | b'\t' | b'\r' | b'\n') {
        classes |= SPACE;
    }
    let is_control = octet <= b' ' || octet == 0x7f;
    if !is_control && !matches!(octet, b';' | b',' | b'<' | b'>' | b'"') {
        classes |= VALUE;
        if octet != b'=' {
            classes |= PARAM_NAME;
        }
    }
    if octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_') {
        classes |= HOST;
    }
    if !is_control && !matches!(octet, b'<' | b'>' | b'"' | b':' | b'@' | b';' | b'?' | b'%') {
        classes |= URI_INNER;
    }
    if octet.is_ascii_digit() {
        classes |= DIGIT;
    }
    classes
}

/// Whether the octet is of one of the classes in `class`.
#[inline]
pub(super) fn is(octet: u8, class: u8) -> bool {
    CLASSES.get(usize::from(octet)).is_some_and(|classes| classes & class != 0)
}

/// How many octets of one of the classes in `class` the text begins with.
#[inline]
pub(super) fn run(text: &[u8], class: u8) -> usize {
    text.iter().position(|octet| !is(*octet, class)).unwrap_or(text.len())
}

/// What stands behind the octet at a place; `None` where there is no such octet.
#[inline]
pub(super) fn behind(text: &[u8], place: usize) -> Option<&[u8]> {
    text.get(place..)?.split_first().map(|(_, behind)| behind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds_what_the_grammar_says() {
        let of = |class| (0..=255).filter(|octet| is(*octet, class)).map(char::from).collect::<String>();
        let (digits, letters) = ("0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz");
        assert_eq!(of(TOKEN), format!("!%'*+-.{digits}{}", letters.replace('_', "_`")) + "~");
        assert_eq!((of(SPACE).as_str(), of(DIGIT).as_str()), ("\t\n\r ", digits));
        assert_eq!(of(HOST), format!("-.{digits}{letters}"));
        let missing = |class| (b'!'..0x7f).filter(|octet| !is(*octet, class)).map(char::from).collect::<String>();
        assert_eq!((missing(VALUE).as_str(), missing(PARAM_NAME).as_str()), ("\",;<>", "\",;<=>"));
        assert_eq!(missing(URI_INNER), "\"%:;<>?@");
        for octet in (0..=b' ').chain([0x7f]) {
            assert!(!is(octet, VALUE | PARAM_NAME | URI_INNER), "{octet}");
        }
        assert!((0x80..=0xff).all(|octet| is(octet, VALUE) && is(octet, URI_INNER) && !is(octet, TOKEN | HOST)));
    }

    #[test]
    fn a_run_ends_at_the_first_octet_of_another_class() {
        assert_eq!((run(b"To : x", TOKEN), run(b"abc", TOKEN), run(b"", TOKEN)), (2, 3, 0));
        assert_eq!(run(b" \r\n\tx ", SPACE), 4);
    }
}
