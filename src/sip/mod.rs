//! SIP, bytes to values and back (RFC 3261, sections 7, 18 and 25). Pure: no socket, no clock, no copy on the way in.
//!
//! There is one message type: [`Message`], positions over the octets as they came. [`scan()`] finds the fields,
//! [`read`] and its neighbours look at their values when someone asks, [`edit`] writes a changed copy in which every
//! octet nobody touched is the octet that came in.
// All of it comes from outside: no index, no sum and no cast that its octets could make go wrong.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::arithmetic_side_effects,
        clippy::unwrap_used
    )
)]

mod body_type;
pub mod build;
pub mod control;
pub mod edit;
pub mod frame;
pub mod location;
mod malformed;
mod mend;
mod message;
pub mod multipart;
pub mod name;
mod octet;
pub mod param;
pub mod read;
mod reframe;
pub mod reply;
pub mod scan;
pub mod typed;
pub mod uri;
pub mod via;

pub use control::offers_control;
pub use edit::Editor;
pub use malformed::Malformed;
pub use mend::{answer_as_it_came, is_unlike_its_answer, leave_dialog, leave_strict_route, mend};
pub use message::{Field, Index, Message, Span, Start};
pub use name::{Method, Name};
pub use param::{Param, Params};
pub use read::{CSeq, ContactRef, Essentials, Strictness, Value, Values, essentials, essentials_of_taken};
pub use reframe::reframe;
pub(crate) use reframe::rewrite;
pub use scan::{Broken, scan};
pub use uri::{Host, NameAddrRef, Scheme, UriRef};
pub use via::{Transport, ViaRef};
