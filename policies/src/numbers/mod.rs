//! Sets of numbers found on the patterns themselves: which numbers of one length no pattern tells apart, and what a
//! transform makes of all of them at once. What changes between two dial plans is found with these.
//!
//! A [`Shape`] is a set of characters at each place. Walking patterns symbol by symbol splits a shape only where some
//! pattern that is still alive distinguishes two characters, so that every number of a shape it gives is matched, or not
//! matched, by the same patterns. A [`Traced`] number says of each character where in the dialed number it came from; a
//! transform of one is another, so that numbers are followed through translations without trying any.

mod shape;
mod traced;
mod walk;

pub use shape::{Shape, Symbols, listed};
pub use traced::{EachMade, Part, Traced, transformed};
pub use walk::{Budget, Each, Exhausted, Watch, begun_shapes, split};
