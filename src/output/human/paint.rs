//! Colours, or none.

use crate::plan::State;
use crate::runs::{Ending, Status};

/// Puts colours around text, if it may.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint {
    on: bool,
}

impl Paint {
    pub(crate) fn new(on: bool) -> Paint {
        Paint { on }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    /// A line of a drawing.
    pub(super) fn curve(self, text: &str) -> String {
        self.with("36", text)
    }

    /// A state, or text about it, in the state's colour.
    pub(crate) fn state(self, state: State, text: &str) -> String {
        let code = match state {
            State::Cached => "32",
            State::Run => "33",
            State::Maybe => "36",
        };
        self.with(code, text)
    }

    /// What is well.
    pub(crate) fn good(self, text: &str) -> String {
        self.with("32", text)
    }

    /// What is not.
    pub(crate) fn bad(self, text: &str) -> String {
        self.with("31", text)
    }

    /// How a run ended.
    pub(super) fn ending(self, ending: Ending, text: &str) -> String {
        let code = match ending {
            Ending::Done => "32",
            Ending::Failed | Ending::Died => "31",
            Ending::Interrupted => "33",
            Ending::Running => "36",
        };
        self.with(code, text)
    }

    /// What became of a node.
    pub(super) fn status(self, status: &Status, text: &str) -> String {
        let code = match status {
            Status::Cached | Status::Ran => "32",
            Status::Failed { .. } | Status::Died => "31",
            Status::Interrupted => "33",
            Status::Running => "36",
            Status::Waiting { .. } | Status::Skipped { .. } => "2",
        };
        self.with(code, text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.on { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}
