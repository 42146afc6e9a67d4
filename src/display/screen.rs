//! A display on a thread of its own: whoever reads slowly, or not at all, holds up that thread and never the run.

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::run::Event;

/// How often what is shown is to be seen to live, when nothing happens.
const TICK: Duration = Duration::from_millis(200);

/// Where an event is in the log of the run; none if it could not be written.
pub(super) type Place = Option<Range<u64>>;

/// What waits to be shown. Both methods have to be quick: the run waits for them.
pub(super) trait Backlog: Send {
    /// One thing to show.
    type Item;
    /// Something happened.
    fn push(&mut self, event: &Event, place: Place);
    /// What is to be shown next.
    fn pop(&mut self) -> Option<Self::Item>;
}

/// Counts what the reader took.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress(Arc<AtomicU64>);

impl Progress {
    /// Something more.
    pub(super) fn made(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A display that goes on. Dropped, it is left alone with whatever it still has.
pub struct Screen {
    audience: Arc<dyn Audience>,
    progress: Progress,
    patience: Duration,
    ended: oneshot::Receiver<io::Result<()>>,
}

/// How a display ended.
#[derive(Debug)]
pub enum Shown {
    /// All was shown, as far as standard output took it.
    All(io::Result<()>),
    /// Nobody took the rest.
    Unread,
}

impl Screen {
    /// Starts a display that shows with `show` what waits in `backlog`; as long as there is nothing, it is called with
    /// none, every [`TICK`]. At the end it is waited for as long as the reader takes something within `patience`.
    pub(super) fn start<B: Backlog + 'static>(
        backlog: B,
        patience: Duration,
        progress: Progress,
        mut show: impl FnMut(Option<B::Item>) -> io::Result<()> + Send + 'static,
    ) -> io::Result<Screen> {
        let shared = Arc::new(Shared {
            waiting: Mutex::new(Waiting { backlog, closed: false, idle: false }),
            more: Condvar::new(),
        });
        let (sender, ended) = oneshot::channel();
        let (reader, counter) = (Arc::clone(&shared), progress.clone());
        std::thread::Builder::new().name("display".to_owned()).spawn(move || {
            let all = std::iter::from_fn(|| reader.next()).try_for_each(|item| {
                if item.is_some() {
                    counter.made();
                }
                show(item)
            });
            drop(show);
            let _ = sender.send(all);
        })?;
        Ok(Screen { audience: shared, progress, patience, ended })
    }

    /// Something happened. Never waits for a reader.
    pub(crate) fn tell(&self, event: &Event, place: Place) {
        self.audience.tell(event, place);
    }

    /// Waits until all is shown, or nobody reads.
    pub(crate) async fn end(mut self) -> Shown {
        self.audience.close();
        let mut seen = (self.progress.0.load(Ordering::Relaxed), Instant::now());
        loop {
            match tokio::time::timeout(self.patience / 8, &mut self.ended).await {
                Ok(ended) => return Shown::All(ended.unwrap_or_else(|_| Err(io::Error::other("the display broke")))),
                Err(_) => {
                    let now = self.progress.0.load(Ordering::Relaxed);
                    if now != seen.0 {
                        seen = (now, Instant::now());
                    } else if seen.1.elapsed() >= self.patience {
                        return Shown::Unread;
                    }
                }
            }
        }
    }
}

/// A display as the run sees it.
trait Audience: Send + Sync {
    fn tell(&self, event: &Event, place: Place);
    fn close(&self);
}

struct Shared<B> {
    waiting: Mutex<Waiting<B>>,
    more: Condvar,
}

struct Waiting<B> {
    backlog: B,
    closed: bool,
    /// Whether the display waits for something to show, and has to be woken.
    idle: bool,
}

impl<B: Backlog> Shared<B> {
    /// Waits for what is next, which is nothing if it takes too long; `None` at the end.
    fn next(&self) -> Option<Option<B::Item>> {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut item = None;
        let next = |waiting: &mut Waiting<B>| {
            item = waiting.backlog.pop();
            waiting.idle = item.is_none();
            item.is_none() && !waiting.closed
        };
        let waited = self.more.wait_timeout_while(waiting, TICK, next).unwrap_or_else(PoisonError::into_inner);
        if item.is_none() && waited.0.closed { None } else { Some(item) }
    }
}

impl<B: Backlog> Audience for Shared<B> {
    fn tell(&self, event: &Event, place: Place) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.backlog.push(event, place);
        if std::mem::take(&mut waiting.idle) {
            self.more.notify_one();
        }
    }

    fn close(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.more.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::super::queue::{Item, Queue};
    use super::*;

    fn event() -> Event {
        Event::NodeSkipped { node: "a".to_owned(), because: String::new() }
    }

    #[tokio::test]
    async fn all_is_shown_before_the_end() {
        let (sender, shown) = mpsc::channel();
        let show = move |item| {
            if let Some(Item::Event(_)) = item {
                sender.send(()).unwrap();
            }
            Ok(())
        };
        let screen = Screen::start(Queue::default(), Duration::from_secs(60), Progress::default(), show).unwrap();
        (0..10).for_each(|_| screen.tell(&event(), None));
        assert!(matches!(screen.end().await, Shown::All(Ok(()))));
        assert_eq!(shown.iter().count(), 10);
    }

    #[tokio::test]
    async fn a_display_that_fails_is_told() {
        let show = |item: Option<Item>| item.map_or(Ok(()), |_| Err(io::ErrorKind::StorageFull.into()));
        let screen = Screen::start(Queue::default(), Duration::from_secs(60), Progress::default(), show).unwrap();
        (0..10).for_each(|_| screen.tell(&event(), None));
        assert!(matches!(screen.end().await, Shown::All(Err(error)) if error.kind() == io::ErrorKind::StorageFull));
    }

    #[tokio::test]
    async fn nobody_is_waited_for_who_takes_nothing() {
        let (take, taken) = mpsc::channel::<()>();
        let show = move |item: Option<Item>| {
            let _ = item.map(|_| taken.recv());
            Ok(())
        };
        let screen = Screen::start(Queue::default(), Duration::from_millis(50), Progress::default(), show).unwrap();
        (0..10).for_each(|_| screen.tell(&event(), None));
        assert!(matches!(screen.end().await, Shown::Unread));
        drop(take);
    }
}
