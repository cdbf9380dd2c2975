//! The Routes of a request: which of them are our own, and what the first of the others says.

use super::Turn;
use crate::sip::{Message, Name, NameAddrRef, Strictness, UriRef};

/// The Routes of a request, read once for whoever asks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Routes<'m> {
    /// How many on top are our own.
    pub(crate) own: usize,
    /// The pass of its call that recorded the first of these; 0 where none says so.
    pub(crate) pass: u8,
    /// The pass that recorded the last of them: another where nobody between two passes recorded itself.
    pub(crate) last_pass: u8,
    /// Whether one beyond this node decides where the request goes, readable or not.
    pub(crate) is_foreign: bool,
    /// The first that can be read and is not ours.
    pub(crate) next: Option<UriRef<'m>>,
}

impl Turn<'_> {
    /// Reads the Routes of a request.
    pub(crate) fn routes<'m>(&self, message: &Message<'m>) -> Routes<'m> {
        let mut routes = Routes::default();
        for value in message.values(Name::Route) {
            let uri = NameAddrRef::parse(value.text, Strictness::Lenient).map(|route| route.uri);
            match uri {
                Ok(uri) if !self.running.is_ours(&uri) => {
                    return Routes { is_foreign: true, next: Some(uri), ..routes };
                }
                Ok(uri) if !routes.is_foreign => {
                    routes.last_pass = pass_of(&uri).unwrap_or(0);
                    if routes.own == 0 {
                        routes.pass = routes.last_pass;
                    }
                    routes.own += 1;
                }
                Ok(_) => {}
                Err(_) => routes.is_foreign = true,
            }
        }
        routes
    }
}

/// The `pass` parameter of our own Record-Route.
fn pass_of(uri: &UriRef<'_>) -> Option<u8> {
    std::str::from_utf8(uri.param("pass")?).ok()?.parse().ok()
}
