//! The mark of the phone a call comes from: which header carries it, and what it says (P-13).

use std::sync::Arc;

use crate::sip::read::InfoRef;
use crate::sip::{Field, Message, Name};

/// The header that carries the mark to and from one neighbour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DeviceHeader {
    /// Call-Info, unless configured.
    #[default]
    CallInfo,
    /// Another one, that no message needs for anything else.
    Named(Arc<str>),
}

/// A mark as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceMark<'m> {
    /// The phone's name.
    pub device: &'m [u8],
    /// What this node called the call it gave call control the mark for, as it stands in the parameter `call`.
    pub call: Option<&'m [u8]>,
}

const DEVICE_URN: &[u8] = b"urn:emcc:device:";

impl DeviceHeader {
    /// The header of that name; nothing for one that a message needs, or that means something else already.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        match Name::of(name.as_bytes()) {
            Name::CallInfo => Some(Self::CallInfo),
            Name::Other => Some(Self::Named(name.into())),
            _ => None,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::CallInfo => "Call-Info",
            Self::Named(name) => name,
        }
    }

    /// The mark a message carries in this header; the first where it carries several.
    #[must_use]
    pub fn mark<'m>(&self, message: &Message<'m>) -> Option<DeviceMark<'m>> {
        match self {
            Self::CallInfo => message.call_infos().find_map(|(_, info)| mark(&info)),
            Self::Named(name) => {
                let is_it = |text: &[u8]| text.eq_ignore_ascii_case(name.as_bytes());
                let fields = message.all(Name::Other).filter(|(_, field)| is_it(message.text(field.name_span)));
                let mut values = fields.flat_map(|(place, _)| message.values_of(place));
                values.find_map(|value| mark(&InfoRef::parse(value.text)?))
            }
        }
    }

    /// Every mark a message carries in this header, in order.
    pub fn marks<'m>(&self, message: &Message<'m>) -> impl Iterator<Item = DeviceMark<'m>> {
        let message = *message;
        let is_it = move |field: &Field| match self {
            Self::CallInfo => field.name == Name::CallInfo,
            Self::Named(name) => {
                field.name == Name::Other && message.text(field.name_span).eq_ignore_ascii_case(name.as_bytes())
            }
        };
        let fields = message.fields().iter().enumerate().filter(move |(_, field)| is_it(field));
        let values = fields.flat_map(move |(place, _)| message.values_of(place));
        values.filter_map(|value| mark(&InfoRef::parse(value.text)?))
    }
}

fn mark<'m>(info: &InfoRef<'m>) -> Option<DeviceMark<'m>> {
    let is_mark = info.params.value("purpose").is_some_and(|value| value.eq_ignore_ascii_case(b"emcc-device"));
    let (scheme, device) = info.uri.split_at_checked(DEVICE_URN.len())?;
    let is_whole = is_mark && scheme.eq_ignore_ascii_case(DEVICE_URN) && !device.is_empty();
    is_whole.then_some(DeviceMark { device, call: info.params.value("call") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::{Index, scan};

    fn marked(header: &DeviceHeader, lines: &str) -> Option<String> {
        let text = format!(
            "INVITE sip:1@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:1@h>\r\n\
             Call-ID: 1\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n{lines}Content-Length: 0\r\n\r\n"
        );
        let mut index = Index::default();
        let message = scan(text.as_bytes(), &mut index).unwrap();
        header.mark(&message).map(|mark| String::from_utf8(mark.device.to_vec()).unwrap())
    }

    #[test]
    fn p_13_each_header_carries_its_own_mark_and_no_other() {
        let info = "Call-Info: <urn:emcc:device:A>;purpose=emcc-device;cluster=HQ\r\n";
        let other = "X-Device: <h:x>, <urn:emcc:device:B>;purpose=emcc-device\r\n";
        let named = DeviceHeader::of("x-device").unwrap();
        for (header, lines, want) in [
            (&DeviceHeader::CallInfo, format!("{info}{other}"), Some("A")),
            (&named, format!("{info}{other}"), Some("B")),
            (&named, info.to_owned(), None),
            (&DeviceHeader::CallInfo, other.to_owned(), None),
            (&named, "X-Device: <urn:emcc:device:>;purpose=emcc-device\r\n".into(), None),
            (&named, "X-Device: <urn:emcc:device:B>\r\n".into(), None),
        ] {
            assert_eq!(marked(header, &lines).as_deref(), want, "{header:?}: {lines}");
        }
    }

    #[test]
    fn a_header_that_means_something_else_carries_no_mark() {
        assert_eq!(DeviceHeader::of("call-info"), Some(DeviceHeader::CallInfo));
        for name in ["Via", "v", "From", "Priority", "P-Asserted-Identity"] {
            assert_eq!(DeviceHeader::of(name), None, "{name}");
        }
    }
}
