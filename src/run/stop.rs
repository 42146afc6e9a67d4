//! Being asked to stop: Ctrl-C once asks the nodes, twice kills them.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// How urgently to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// Not at all.
    None,
    /// Ask processes to end; training writes a checkpoint first.
    Gracefully,
    /// Kill them.
    Now,
}

/// Where to learn that the run is to stop. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Stop(watch::Receiver<Urgency>);

impl Stop {
    /// Listens to the signals that ask a program to end.
    pub(super) fn on_signals() -> io::Result<Stop> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        let (sender, receiver) = watch::channel(Urgency::None);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    _ = hang_up.recv() => {}
                }
                sender.send_modify(|urgency| *urgency = urgency.next());
            }
        });
        Ok(Stop(receiver))
    }

    /// How urgent it is now.
    pub(super) fn urgency(&self) -> Urgency {
        *self.0.borrow()
    }

    /// Comes back when it is at least so urgent.
    pub(super) async fn reaches(&mut self, urgency: Urgency) {
        if self.0.wait_for(|now| *now >= urgency).await.is_err() {
            // The listener is gone, so nobody can ask any more.
            std::future::pending::<()>().await;
        }
    }
}

impl Urgency {
    fn next(self) -> Urgency {
        match self {
            Urgency::None => Urgency::Gracefully,
            Urgency::Gracefully | Urgency::Now => Urgency::Now,
        }
    }
}
