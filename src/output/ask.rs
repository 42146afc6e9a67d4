//! A question to whoever is at the terminal.

use std::io::{self, BufRead, IsTerminal, Write};

use super::harmless::harmless;
use crate::commands::context::{Context, Format};

/// The answer to a question, without the white space around. Nobody is asked where there is no terminal, or where the
/// output is for programs.
pub(crate) fn ask(question: &str, context: &Context) -> Option<String> {
    let is_there = io::stdin().is_terminal() && io::stderr().is_terminal();
    if !is_there || context.format != Format::Human {
        return None;
    }
    let mut stderr = io::stderr().lock();
    write!(stderr, "{}", harmless(question, false)).and_then(|()| stderr.flush()).ok()?;
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer).ok()?;
    (read > 0).then(|| answer.trim().to_owned())
}
