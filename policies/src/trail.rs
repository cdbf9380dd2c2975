//! Trail.
