//! What may pass is tried again, more and more patiently.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::{HubError, Patience, Watch};

/// How often [`Watch::cancelled`] is asked.
const GLANCE: Duration = Duration::from_millis(100);

/// Something that went wrong.
#[derive(Debug)]
pub(crate) struct Trouble {
    pub(crate) error: HubError,
    pub(crate) again: Again,
}

/// When it may go better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    Never,
    Soon,
    /// Asked for by the server.
    After(Duration),
}

impl Trouble {
    pub(crate) fn soon(error: HubError) -> Trouble {
        Trouble { error, again: Again::Soon }
    }
}

impl From<HubError> for Trouble {
    fn from(error: HubError) -> Trouble {
        Trouble { error, again: Again::Never }
    }
}

/// Counts what goes wrong in a row.
pub(crate) struct Retries<'a> {
    patience: Patience,
    watch: &'a dyn Watch,
    failures: u32,
}

impl<'a> Retries<'a> {
    pub(crate) fn new(patience: Patience, watch: &'a dyn Watch) -> Retries<'a> {
        Retries { patience, watch, failures: 0 }
    }

    /// Something came of it after all.
    pub(crate) fn progressed(&mut self) {
        self.failures = 0;
    }

    /// Waits before another try, or gives up.
    pub(crate) async fn again(&mut self, trouble: Trouble) -> Result<(), HubError> {
        let wait = match trouble.again {
            Again::Never => return Err(trouble.error),
            _ if self.failures == self.patience.retries => return Err(self.give_up(trouble.error)),
            Again::Soon => self.patience.first_wait.saturating_mul(1 << self.failures.min(16)),
            Again::After(asked) => asked,
        };
        let wait = wait.min(self.patience.longest_wait);
        self.failures += 1;
        self.watch.pause(&trouble.error.to_string(), wait);
        unless_cancelled(self.watch, sleep(wait)).await
    }

    fn give_up(&self, last: HubError) -> HubError {
        match self.failures {
            0 => last,
            retries => HubError::GaveUp { retries, last: Box::new(last) },
        }
    }
}

/// Waits for something, but not for longer than anybody wants it.
pub(crate) async fn unless_cancelled<T>(watch: &dyn Watch, work: impl Future<Output = T>) -> Result<T, HubError> {
    let mut work = pin!(work);
    loop {
        if watch.cancelled() {
            return Err(HubError::Cancelled);
        }
        if let Ok(done) = timeout(GLANCE, &mut work).await {
            return Ok(done);
        }
    }
}
