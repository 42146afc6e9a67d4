//! What the user sees of a run: three ways to show one stream of [`crate::run::Event`]s.

mod json;
mod live;
mod pace;
mod plain;
mod results;
mod words;

use std::io::{IsTerminal, Write};

pub use json::Json;
pub use live::Live;
pub use plain::Plain;
pub use results::Quiet;

use crate::commands::context::{Context, Format};
use crate::run::Event;

/// Shows what happens. An implementer never fails a run: what cannot be printed is let go.
pub trait Display: Send {
    /// Takes notice of an event, in order.
    fn event(&mut self, event: &Event);
}

/// Says something before there is a display.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// The display that the command line asks for.
pub fn choose(context: &Context) -> Box<dyn Display> {
    match context.format {
        Format::Json => Box::new(Json::new(std::io::stdout())),
        Format::Quiet => Box::new(Quiet::default()),
        Format::Human if std::io::stderr().is_terminal() => Box::new(Live::new(context.color_stderr)),
        Format::Human => Box::new(Plain::new(context.color_stderr)),
    }
}
