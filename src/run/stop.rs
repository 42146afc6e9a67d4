//! Being asked to stop: by a person, by a terminal that closes, by what manages the jobs of a machine.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::signals::Ignored;

/// Signals that ask the run to stop. Slurm sends SIGUSR1 or SIGUSR2 some time before the end of a job (`--signal`), the
/// system SIGXCPU every second from the soft limit of CPU time on.
const ASK: [Signal; 6] = [Signal::INT, Signal::TERM, Signal::HUP, Signal::USR1, Signal::USR2, Signal::XCPU];
/// Signals that come within this time are one request: a closed terminal is told by the system and by the shell, systemd
/// sends SIGTERM and SIGHUP, and what stands between a person and the engine may pass on a signal that it got, too.
const AT_ONCE: Duration = Duration::from_secs(1);

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

/// Whether a signal of this number asks to stop.
pub(super) fn asks(signal: i32) -> bool {
    ASK.iter().any(|ask| ask.as_raw() == signal)
}

/// Where to learn that the run is to stop. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Stop {
    urgency: watch::Receiver<Urgency>,
    ask: Option<watch::Sender<Urgency>>,
}

impl Stop {
    /// Listens to the signals that ask a program to end, but for those that were ignored when it started.
    pub(super) fn on_signals() -> io::Result<Stop> {
        let ignored = Ignored::now();
        let (sender, receiver) = watch::channel(Urgency::None);
        let requests = Arc::new(Mutex::new(Requests::default()));
        for asks in ASK.into_iter().filter(|signal| !ignored.holds(*signal)) {
            let (sender, requests) = (sender.clone(), Arc::clone(&requests));
            let mut stream = signal(SignalKind::from_raw(asks.as_raw()))?;
            tokio::spawn(async move {
                while stream.recv().await.is_some() {
                    let urgency = requests.lock().unwrap_or_else(PoisonError::into_inner).take(asks, Instant::now());
                    sender.send_modify(|now| *now = urgency.max(*now));
                }
            });
        }
        Ok(Stop { urgency: receiver, ask: Some(sender) })
    }

    /// Asks the run to stop, as a signal does.
    pub(super) fn ask(&self) {
        if let Some(ask) = &self.ask {
            ask.send_modify(|now| *now = Urgency::Gracefully.max(*now));
        }
    }

    /// Nobody asks: signals do what they do.
    pub(crate) fn never() -> Stop {
        Stop { urgency: watch::channel(Urgency::None).1, ask: None }
    }

    /// How urgent it is now.
    pub(super) fn urgency(&self) -> Urgency {
        *self.urgency.borrow()
    }

    /// Comes back when somebody asks who has not asked before.
    pub(super) async fn becomes_more_urgent(mut self) {
        match self.urgency() {
            Urgency::None => self.reaches(Urgency::Gracefully).await,
            Urgency::Gracefully => self.reaches(Urgency::Now).await,
            Urgency::Now => std::future::pending().await,
        }
    }

    /// Comes back when it is at least so urgent.
    pub(super) async fn reaches(&mut self, urgency: Urgency) {
        if self.urgency.wait_for(|now| *now >= urgency).await.is_err() {
            // The listener is gone, so nobody can ask any more.
            std::future::pending::<()>().await;
        }
    }
}

/// Whether anybody has asked the process to stop, for who does not listen all the time.
#[derive(Debug)]
pub(crate) struct Asked(Arc<AtomicBool>);

impl Asked {
    /// From now on: none of the signals that ask ends the process any more.
    pub(crate) fn from_now_on() -> io::Result<Asked> {
        let (asked, ignored) = (Arc::new(AtomicBool::new(false)), Ignored::now());
        for asks in ASK.into_iter().filter(|signal| !ignored.holds(*signal)) {
            signal_hook::flag::register(asks.as_raw(), Arc::clone(&asked))?;
        }
        Ok(Asked(asked))
    }

    /// Whether anybody has.
    pub(crate) fn is(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Who has asked so far. Impatient is only a person: one who presses Ctrl-C while the run stops, or sends a second SIGTERM.
/// Whatever else repeats itself, or comes after another, asks for nothing new.
#[derive(Debug, Default)]
struct Requests {
    first: Option<Instant>,
    terminated: Option<Instant>,
}

impl Requests {
    fn take(&mut self, signal: Signal, now: Instant) -> Urgency {
        let first = *self.first.get_or_insert(now);
        let before = match signal {
            Signal::INT => first,
            Signal::TERM => *self.terminated.get_or_insert(now),
            _ => now,
        };
        if now.duration_since(before) < AT_ONCE { Urgency::Gracefully } else { Urgency::Now }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the last of these signals, at these tenths of a second, makes of it.
    fn last(signals: &[(u32, Signal)]) -> Urgency {
        let (start, mut requests) = (Instant::now(), Requests::default());
        let took = signals.iter().map(|(at, signal)| requests.take(*signal, start + Duration::from_millis(100) * *at));
        took.last().unwrap()
    }

    #[test]
    fn a_person_who_asks_again_is_impatient() {
        use Signal as S;
        assert_eq!(last(&[(0, S::INT), (20, S::INT)]), Urgency::Now);
        assert_eq!(last(&[(0, S::TERM), (20, S::TERM)]), Urgency::Now);
        assert_eq!(last(&[(0, S::USR1), (20, S::INT)]), Urgency::Now, "Ctrl-C on what stops already");
        assert_eq!(last(&[(0, S::INT), (3, S::INT), (6, S::INT), (12, S::INT)]), Urgency::Now, "a key held down");
    }

    #[test]
    fn what_is_sent_twice_or_by_several_is_one_request() {
        use Signal as S;
        for again in ASK {
            assert_eq!(last(&[(0, again)]), Urgency::Gracefully);
            assert_eq!(last(&[(0, S::TERM), (1, S::HUP), (2, again)]), Urgency::Gracefully, "{again:?} at once");
        }
        for again in [S::HUP, S::USR1, S::USR2, S::XCPU] {
            assert_eq!(last(&[(0, again), (20, again), (40, again)]), Urgency::Gracefully, "{again:?} every 2 s");
        }
        assert_eq!(last(&[(0, S::USR1), (300, S::TERM), (301, S::TERM)]), Urgency::Gracefully, "Slurm");
        assert_eq!(last(&[(0, S::INT), (300, S::TERM)]), Urgency::Gracefully, "a container is stopped, too");
    }
}
