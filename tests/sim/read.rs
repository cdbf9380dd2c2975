//! Just enough of a message for a law: read apart from the node's own scanner, so that the two can find each other's
//! mistakes.

/// Status of a response; `None` for anything else.
pub(crate) fn status(bytes: &[u8]) -> Option<u16> {
    let rest = bytes.strip_prefix(b"SIP/2.0 ")?;
    std::str::from_utf8(rest.get(..3)?).ok()?.parse().ok()
}

/// First word of a request; empty for a response.
pub(crate) fn method(bytes: &[u8]) -> &str {
    let end = bytes.iter().position(|octet| *octet == b' ').unwrap_or(0);
    let word = std::str::from_utf8(&bytes[..end]).unwrap_or_default();
    if word.starts_with("SIP/") { "" } else { word }
}

/// Value of the first header of that name, spelled as nodes and agents spell it.
pub(crate) fn header<'m>(bytes: &'m [u8], name: &str) -> Option<&'m str> {
    for line in bytes.split(|octet| *octet == b'\n') {
        if line.len() < 2 {
            return None;
        }
        let Some(rest) = line.get(name.len()..) else { continue };
        if line[..name.len()].eq_ignore_ascii_case(name.as_bytes()) && rest.first() == Some(&b':') {
            return std::str::from_utf8(&rest[1..]).ok().map(str::trim);
        }
    }
    None
}

/// A parameter of a header's value.
pub(crate) fn param<'v>(value: &'v str, name: &str) -> Option<&'v str> {
    value.split(';').skip(1).find_map(|param| param.trim().strip_prefix(name)?.strip_prefix('='))
}

/// Tag of the From or To header.
pub(crate) fn tag<'m>(bytes: &'m [u8], name: &str) -> Option<&'m str> {
    // The tag stands behind the closing bracket: URIs of agents carry no tags.
    param(header(bytes, name)?, "tag")
}

/// Branch of the top Via.
pub(crate) fn branch(bytes: &[u8]) -> Option<&str> {
    let via = header(bytes, "Via")?;
    param(via.split(',').next().unwrap_or(via), "branch")
}

/// Method of the CSeq header.
pub(crate) fn cseq_method(bytes: &[u8]) -> &str {
    header(bytes, "CSeq").and_then(|value| value.split_whitespace().nth(1)).unwrap_or_default()
}
