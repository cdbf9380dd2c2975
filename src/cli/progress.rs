//! How far something long has come, for who waits at a terminal.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::config::Stage;

/// How often the line moves.
const TICK: Duration = Duration::from_millis(100);

/// One line at the foot of a terminal, which goes when it is dropped. Nothing where standard error is no terminal.
pub(super) struct Progress(Option<ProgressBar>);

impl Progress {
    /// A line that tells the stage and the seconds so far; shown if `wanted`.
    pub(super) fn of_stages(wanted: bool) -> Self {
        let line = Self::shown(wanted, "{spinner} {elapsed} {wide_msg}", ProgressBar::new_spinner);
        if let Self(Some(bar)) = &line {
            bar.enable_steady_tick(TICK);
        }
        line
    }

    /// A bar over so many octets.
    pub(super) fn over(octets: usize) -> Self {
        let style = "{wide_bar} {percent}% of {total_bytes}, {eta} left";
        Self::shown(true, style, || ProgressBar::new(u64::try_from(octets).unwrap_or(u64::MAX)))
    }

    fn shown(wanted: bool, style: &str, make: impl FnOnce() -> ProgressBar) -> Self {
        let is_shown = wanted && stderr().is_terminal();
        Self(is_shown.then(|| match ProgressStyle::with_template(style) {
            Ok(style) => make().with_style(style),
            Err(_) => make(),
        }))
    }

    /// A stage begins.
    pub(super) fn at(&self, stage: &Stage<'_>) {
        if let Self(Some(bar)) = self {
            bar.set_message(stage.to_string());
        }
    }

    /// So many octets are done.
    pub(super) fn done(&self, octets: usize) {
        if let Self(Some(bar)) = self {
            bar.set_position(u64::try_from(octets).unwrap_or(u64::MAX));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Self(Some(bar)) = self {
            bar.finish_and_clear();
        }
    }
}
