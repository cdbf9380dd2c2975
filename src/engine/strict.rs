//! Strict routers on either side (RFC 3261 sections 16.4, 16.6 step 6 and 16.12.1): elements of RFC 2543 that put their next
//! hop into the Request-URI and the target behind the last Route.

use super::Turn;
use super::decide::NextHop;
use crate::sip::{Editor, Essentials, Message, Name, NameAddrRef, Start, Strictness, UriRef};

impl Turn<'_> {
    /// What a request is for that a strict router sent here: its Request-URI is what we recorded, its target the last Route
    /// (section 16.4). `None` where it came loosely.
    pub(crate) fn strict_target<'m>(&self, message: &Message<'m>, of: &Essentials<'m>) -> Option<UriRef<'m>> {
        let uri = of.uri.filter(|uri| of.to_tag.is_some() && uri.is_loose() && uri.user.is_none())?;
        if !self.running.is_ours(&uri) {
            return None;
        }
        let last = message.values(Name::Route).last()?;
        let target = NameAddrRef::parse(last.text, Strictness::Lenient).ok()?.uri;
        // Somebody may call us by name behind our own Route: that is no target.
        (!self.running.is_ours(&target)).then_some(target)
    }
}

/// Writes the Routes of a request on its way to `next`, where this node chose a hop, of which the `own` on top are ours. A
/// hop chosen by number is where the request goes, whatever way its sender wrote: the Routes end here.
pub(crate) fn write_way(
    editor: &mut Editor,
    message: &Message<'_>,
    of: &Essentials<'_>,
    own: usize,
    next: Option<&NextHop>,
) {
    match next {
        None | Some(NextHop::Named | NextHop::Phone { .. }) => write_routes(editor, message, of, own),
        Some(_) => editor.remove_all(message, Name::Route),
    }
}

/// Takes off the `own` Routes of ours on top and what a strict router put last, and puts the target last for a strict
/// router that is next.
fn write_routes(editor: &mut Editor, message: &Message<'_>, of: &Essentials<'_>, own: usize) {
    let (Some(target), Start::Request { uri: written, .. }) = (of.uri, message.start()) else {
        return editor.remove_first_values(message, Name::Route, own);
    };
    let came_strictly = target.raw != message.text(written);
    let next = message.values(Name::Route).nth(own);
    let next = next.and_then(|value| NameAddrRef::parse(value.text, Strictness::Lenient).ok());
    let count = message.values(Name::Route).count().saturating_sub(own + usize::from(came_strictly));
    let strict = next.filter(|next| count > 0 && !next.uri.is_loose());
    if !came_strictly && strict.is_none() {
        return editor.remove_first_values(message, Name::Route, own);
    }
    editor.remove_all(message, Name::Route);
    let skipped = usize::from(strict.is_some());
    let mut text = editor.text().put(b"Route: ");
    let mut is_first = true;
    for value in message.values(Name::Route).skip(own + skipped).take(count - skipped) {
        text = text.put(if is_first { b"" } else { b", " }).put(value.text);
        is_first = false;
    }
    if strict.is_some() {
        text = text.put(if is_first { b"<" } else { b", <" }).put(target.raw).put(b">");
        is_first = false;
    }
    if !is_first {
        text.append(message);
    }
    editor.request_uri(message, strict.map_or(target.raw, |next| next.uri.raw));
}
