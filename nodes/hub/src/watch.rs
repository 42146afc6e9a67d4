//! Whoever waits for a download.

use std::time::Duration;

/// Is told how a download gets on, and says when to give it up.
pub trait Watch {
    /// Bytes are there: `done` of `of`, if the sum is known. Called for every piece, so it must be quick.
    fn progress(&self, _done: u64, _of: Option<u64>) {}

    /// Something went wrong that may pass, and is tried again after this time.
    fn pause(&self, _why: &str, _wait: Duration) {}

    /// Asked several times a second. Once true it stays so: the download ends with [`crate::HubError::Cancelled`] and goes
    /// on from there the next time.
    fn cancelled(&self) -> bool {
        false
    }
}

/// Nobody.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Watch for Silent {}
