//! What the worker says: one JSON event a line.

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

use hyper_flow_spec::{Event, Level};

/// Writes events; cheap to clone.
#[derive(Clone)]
pub(crate) struct Reporter(Arc<Mutex<Box<dyn Write + Send>>>);

impl Reporter {
    /// Writes events to `sink`.
    pub(crate) fn new(sink: impl Write + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Box::new(sink))))
    }

    /// Writes one event, as one line at once.
    pub(crate) fn event(&self, event: &Event) {
        let Ok(mut line) = serde_json::to_vec(event) else { return };
        line.push(b'\n');
        if let Ok(mut sink) = self.0.lock() {
            // Nobody listening is the engine's death, which `Cancel` notices.
            let _ = sink.write_all(&line).and_then(|()| sink.flush());
        }
    }

    /// Says something to the user.
    pub(crate) fn message(&self, level: Level, text: impl Into<String>) {
        self.event(&Event::Message { level, text: text.into() });
    }

    /// Reports a number that is no loss.
    pub(crate) fn metric(&self, name: &str, value: f64) {
        self.event(&Event::Metric { name: name.to_owned(), value });
    }

    /// Reports how far something that is not training has come.
    pub(crate) fn progress(&self, done: u64, of: u64, unit: &str) {
        self.event(&Event::Progress { done, of, unit: unit.to_owned() });
    }

    /// Names a file of the artifact that the user wants to see.
    pub(crate) fn show(&self, path: impl AsRef<Path>) {
        self.event(&Event::Show { path: path.as_ref().to_owned() });
    }
}
