//! Configurations that a reload replaced: calls that stand still use them, and the last of these must not be the one that
//! gives a million rows back to the heap. A thread of its own holds each until nobody else does.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::Duration;

use crate::config::plan::Kept;
use crate::limits::REPLACED_PLANS_MAX;

/// How often it is looked whether one is free.
const LOOK: Duration = Duration::from_secs(1);

/// Where replaced configurations go. Its thread ends when this is gone.
pub struct Retired(SyncSender<Kept>);

impl Retired {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn start() -> io::Result<Self> {
        let (sender, comes) = mpsc::sync_channel::<Kept>(REPLACED_PLANS_MAX);
        thread::Builder::new().name("retired".to_owned()).spawn(move || {
            let mut held: Vec<Kept> = Vec::new();
            loop {
                // Nothing held, nothing to look at.
                let came = if held.is_empty() {
                    comes.recv().map_err(|_| RecvTimeoutError::Disconnected)
                } else {
                    comes.recv_timeout(LOOK)
                };
                match came {
                    Ok(kept) => held.push(kept),
                    Err(RecvTimeoutError::Timeout) => held.retain(|kept| !kept.is_free()),
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        })?;
        Ok(Self(sender))
    }

    /// Takes in what is about to be replaced.
    pub fn keep(&self, kept: Kept) {
        // Without the thread, or with it far behind, whoever holds it last drops it.
        let _ = self.0.try_send(kept);
    }
}
