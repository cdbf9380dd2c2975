//! One reader's view of a message, and whether two are the same.

use emcc_trunk::sip::{CSeq, Index, Message, Name, NameAddrRef, Strictness, ViaRef, scan};

/// What a reader found. What it cannot tell is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct View {
    /// Name, long and as it is usually written, and value of every header in order.
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) call_id: Option<Vec<u8>>,
    pub(crate) from_tag: Option<Vec<u8>>,
    pub(crate) to_tag: Option<Vec<u8>>,
    /// Number and method.
    pub(crate) cseq: Option<(u32, Vec<u8>)>,
    /// Of the top Via.
    pub(crate) branch: Option<Vec<u8>>,
    pub(crate) body_octets: Option<usize>,
}

/// A header's name, long or compact, in the one form all views have.
pub(crate) fn name_of(written: &[u8]) -> String {
    match Name::of(written) {
        Name::Other => String::from_utf8_lossy(written).to_ascii_lowercase(),
        name => name.as_str().to_owned(),
    }
}

/// A value without the white space around it.
pub(crate) fn trimmed(value: &[u8]) -> &[u8] {
    let is_space = |octet: &u8| b" \t\r\n".contains(octet);
    let first = value.iter().position(|octet| !is_space(octet)).unwrap_or(value.len());
    let last = value.iter().rposition(|octet| !is_space(octet)).map_or(first, |last| last + 1);
    &value[first..last]
}

/// This node's own view of a message it sent.
pub(crate) fn ours(bytes: &[u8]) -> View {
    let mut index = Index::default();
    let message = scan(bytes, &mut index)
        .unwrap_or_else(|broken| panic!("the node cannot read what it wrote, {:?}:\n{}", broken.why, shown(bytes)));
    assert_eq!(message.trailing(), 0, "{}", shown(bytes));
    of(&message)
}

fn of(message: &Message<'_>) -> View {
    let header = |field: &emcc_trunk::sip::Field| {
        (name_of(message.text(field.name_span)), trimmed(message.text(field.value)).to_vec())
    };
    let tag = |name| {
        let read = NameAddrRef::parse(message.value(name)?, Strictness::Salvage).ok()?;
        Some(read.tag().unwrap_or_default().to_vec())
    };
    let cseq = message.value(Name::CSeq).and_then(|value| CSeq::parse(value).ok());
    let via = message.values(Name::Via).next().and_then(|value| ViaRef::parse(value.text).ok());
    View {
        headers: message.fields().iter().map(header).collect(),
        call_id: message.value(Name::CallId).map(|value| trimmed(value).to_vec()),
        from_tag: tag(Name::From),
        to_tag: tag(Name::To),
        cseq: cseq.map(|cseq| (cseq.number, cseq.token.to_vec())),
        branch: via.and_then(|via| via.branch).map(<[u8]>::to_vec),
        body_octets: Some(message.body().len()),
    }
}

/// The view of the `rsip` crate, where it can read the message.
pub(crate) fn of_rsip(bytes: &[u8]) -> Option<View> {
    use rsip::prelude::{HasHeaders, HeadersExt};
    let message = rsip::SipMessage::try_from(bytes).ok()?;
    let header = |header: &rsip::Header| {
        let line = header.to_string();
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        (name_of(name.as_bytes()), trimmed(value.as_bytes()).to_vec())
    };
    Some(View {
        headers: message.headers().iter().map(header).collect(),
        call_id: message.call_id_header().ok().map(|id| trimmed(id.to_string().as_bytes()).to_vec()).map(|line| {
            let colon = line.iter().position(|octet| *octet == b':').unwrap_or(0);
            trimmed(line.get(colon + 1..).unwrap_or_default()).to_vec()
        }),
        body_octets: Some(message.body().len()),
        ..View::default()
    })
}

impl View {
    /// In what `other` differs, where it can tell, and how; nothing where they are the same.
    pub(crate) fn unlike(&self, other: &Self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        for at in 0..self.headers.len().max(other.headers.len()) {
            let (a, b) = (self.headers.get(at), other.headers.get(at));
            if a != b {
                let show = |header: Option<&(String, Vec<u8>)>| {
                    header
                        .map_or_else(|| "none".to_owned(), |(name, value)| format!("{name}: {}", value.escape_ascii()))
                };
                found.push(("headers", format!("{} and {}", show(a), show(b))));
                break;
            }
        }
        let mut part = |what, a: &Option<Vec<u8>>, b: &Option<Vec<u8>>| {
            if let (Some(a), Some(b)) = (a, b)
                && a != b
            {
                found.push((what, format!("{} and {}", a.escape_ascii(), b.escape_ascii())));
            }
        };
        part("Call-ID", &self.call_id, &other.call_id);
        part("From tag", &self.from_tag, &other.from_tag);
        part("To tag", &self.to_tag, &other.to_tag);
        part("branch", &self.branch, &other.branch);
        if let (Some(a), Some(b)) = (&self.cseq, &other.cseq)
            && a != b
        {
            found.push(("CSeq", format!("{a:?} and {b:?}")));
        }
        if let (Some(a), Some(b)) = (self.body_octets, other.body_octets)
            && a != b
        {
            found.push(("body", format!("{a} and {b} octets")));
        }
        found
    }

    /// How many headers of that name hold the text.
    pub(crate) fn holding(&self, name: &str, text: &str) -> usize {
        self.headers.iter().filter(|(found, value)| found == name && holds(value, text)).count()
    }

    /// How many headers have that name.
    pub(crate) fn count(&self, name: &str) -> usize {
        self.headers.iter().filter(|(found, _)| found == name).count()
    }
}

/// Whether a value holds a text.
pub(crate) fn holds(value: &[u8], text: &str) -> bool {
    value.windows(text.len()).any(|part| part == text.as_bytes())
}

/// A message with every odd octet shown.
pub(crate) fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string().replace("\\n", "\\n\n").replace("\\'", "'").replace("\\\"", "\"")
}
