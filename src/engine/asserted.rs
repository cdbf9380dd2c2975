//! Who calls, where a transform made the number: in P-Asserted-Identity (RFC 3325).

use std::net::IpAddr;

use emcc_policies::digits::Digits;

use super::trust::Crossing;
use crate::sip::edit::Text;
use crate::sip::{Editor, Message, Name, NameAddrRef, Scheme};

/// Writes the number a transform made in place of that of each asserted identity, and nothing else says who calls; From is
/// the caller's own and part of the dialog. There are two at most, of one user: a `sip` or `sips` one, and a `tel` one
/// (section 9.1). Each keeps its display name, unless its sender is not believed or may not send it.
pub(super) fn write(
    editor: &mut Editor,
    message: &Message<'_>,
    calling: &Digits,
    advertised: IpAddr,
    crossing: &Crossing,
) {
    let is_kept = !crossing.identity && !crossing.headers.hold(Name::PAssertedIdentity, b"");
    let first = |is: fn(Scheme) -> bool| {
        let mut values = message.addresses(Name::PAssertedIdentity).flatten().filter(|_| is_kept);
        values.find(|value| is(value.uri.scheme))
    };
    let sip = first(|scheme| matches!(scheme, Scheme::Sip | Scheme::Sips));
    let tel = first(|scheme| scheme == Scheme::Tel);
    let as_tel = tel.filter(|tel| may_be_tel(calling, tel));
    if !crossing.identity {
        editor.remove_all(message, Name::PAssertedIdentity);
        editor.remove_all(message, Name::RemotePartyId);
    }
    let number = calling.as_str().as_bytes();
    let mut text = editor.text().put(b"P-Asserted-Identity: ");
    let has_sip = sip.is_some() || as_tel.is_none();
    if has_sip {
        text = named(text, sip.or(tel)).put(b"<sip:").put(number).put(b"@").host(advertised).put(b">");
    }
    if let Some(tel) = as_tel {
        text = if has_sip { text.put(b", ") } else { text };
        text = named(text, Some(tel)).put(b"<tel:").put(number);
        if let Some(context) = tel.uri.params.value(CONTEXT).filter(|_| !is_global(number)) {
            text = text.put(b";phone-context=").put(context);
        }
        text = text.put(b">");
    }
    text.append(message);
}

const CONTEXT: &str = "phone-context";

/// Whether a number may stand in a `tel` URI: a global one, or a local one where that which came was local too, so that its
/// network is known or was not told before (RFC 3966 section 5.1.4).
fn may_be_tel(calling: &Digits, came: &NameAddrRef<'_>) -> bool {
    is_global(calling.as_str().as_bytes()) || !came.uri.number().is_some_and(is_global)
}

fn is_global(number: &[u8]) -> bool {
    number.starts_with(b"+")
}

fn named<'e>(text: Text<'e>, of: Option<NameAddrRef<'_>>) -> Text<'e> {
    match of.and_then(|value| value.display) {
        Some(name) => text.put(name).put(b" "),
        None => text,
    }
}
