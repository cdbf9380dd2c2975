//! Search spaces.
