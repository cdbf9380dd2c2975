//! How far a large configuration has come, for who waits at a terminal.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::config::Stage;

/// How often the line moves.
const TICK: Duration = Duration::from_millis(100);

/// One line that tells the stage and the seconds so far, and goes when it is dropped. Nothing where standard error is no
/// terminal.
pub(super) struct Progress(Option<ProgressBar>);

impl Progress {
    /// Shown if `wanted` and where there is a terminal.
    pub(super) fn new(wanted: bool) -> Self {
        let shown = wanted && stderr().is_terminal();
        Self(shown.then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {wide_msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(TICK);
            bar
        }))
    }

    /// A stage begins.
    pub(super) fn at(&self, stage: &Stage<'_>) {
        if let Some(bar) = &self.0 {
            bar.set_message(stage.to_string());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
