//! Plays that are written, not rolled: each shows one law at work.
