//! How a command ends when it does not succeed: what is printed, and the exit code.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use hyper_flow_cache::StoreError;
use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, JSONReportHandler, LabeledSpan, Report, Severity, SourceCode,
};

use crate::commands::context::Format;
use crate::output::harmless;
use crate::run::RunError;

/// Why a command did not succeed.
#[derive(Debug)]
pub enum Failure {
    /// A node failed, which the display has told. Exit code 1.
    Node,
    /// The pipeline, the command line or the set-up is wrong. Exit code 2.
    User(Report),
    /// The store failed. Exit code 3.
    Store(StoreError),
    /// The store cannot be written, and has to be. Exit code 3.
    Unwritable(RunError),
    /// Files in the store are altered, which the report told. Exit code 3.
    Altered {
        /// How many.
        files: usize,
        /// The command that sets them aside.
        repair: String,
    },
    /// The user interrupted, which the display has told. Exit code 130.
    Interrupted,
    /// Standard output could not be written. A pipe that nobody reads ends the command quietly, with exit
    /// code 0; anything else is exit code 3.
    Output(io::Error),
    /// The events of a run could not all be written to standard output. Exit code 3, also for a pipe that nobody
    /// reads: whoever reads events is promised all of them.
    Events(io::Error),
    /// Nobody read what was printed last, so that more is not printed. The exit code is that of what was not told.
    Unread(u8),
}

impl Failure {
    /// A mistake that the user can mend, with what to do.
    pub fn user(error: impl Diagnostic + Send + Sync + 'static) -> Failure {
        Failure::User(Report::new(error))
    }

    /// A mistake on the command line.
    pub fn usage(message: impl Into<String>, help: impl Into<String>) -> Failure {
        Failure::user(Usage { message: message.into(), help: help.into() })
    }

    /// The documented exit code.
    pub fn code(&self) -> u8 {
        match self {
            Failure::Node => 1,
            Failure::User(_) => 2,
            Failure::Store(_) | Failure::Unwritable(_) | Failure::Altered { .. } => 3,
            Failure::Interrupted => 130,
            Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
            Failure::Output(_) | Failure::Events(_) => 3,
            Failure::Unread(code) => *code,
        }
    }

    /// What to print on standard error; `None` when everything was said.
    pub fn report(self) -> Option<Report> {
        match self {
            Failure::Node | Failure::Interrupted | Failure::Unread(_) => None,
            Failure::User(report) => Some(report),
            Failure::Unwritable(error) => Some(Report::new(error)),
            Failure::Altered { files, repair } => Some(Report::new(Altered { files, repair })),
            Failure::Store(error) => Some(Report::new(StoreFailed(error))),
            Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => None,
            Failure::Output(error) => Some(Report::new(OutputFailed(error))),
            Failure::Events(error) => Some(Report::new(EventsLost(error))),
        }
    }

    /// The exit code, after the report is printed with `print`.
    pub(crate) fn exit(self, print: impl FnOnce(Report)) -> ExitCode {
        let code = self.code();
        if let Some(report) = self.report() {
            print(report);
        }
        ExitCode::from(code)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        Failure::Store(error)
    }
}

#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{message}")]
struct Usage {
    message: String,
    #[help]
    help: String,
}

#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{files} files of the store are not as they were written")]
#[diagnostic(help("`{repair}` sets them aside, and the next run makes anew what it needs"))]
struct Altered {
    files: usize,
    repair: String,
}

/// What a plan says of a store that was named and is not there.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("there is no store at `{}`", .store.display())]
#[diagnostic(severity(Warning), help("`{run}` makes it; is it another one that is meant?"))]
pub(crate) struct NoStoreYet {
    pub(crate) store: PathBuf,
    /// The command that makes it.
    pub(crate) run: String,
}

#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("the store failed")]
struct StoreFailed(#[source] StoreError);

#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("failed to write to standard output")]
struct OutputFailed(#[source] io::Error);

#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("not every event could be written to standard output; all else is well")]
#[diagnostic(help("all of them are in `events.jsonl`, in the newest folder of `runs` in the store"))]
struct EventsLost(#[source] io::Error);

/// Prints a mistake or warning on standard error, for machines as one line of JSON. One that cannot be printed changes
/// nothing.
#[expect(clippy::print_stderr, reason = "the one place that prints diagnostics")]
pub(crate) fn print(diagnostic: &dyn Diagnostic, format: Format, color: bool) {
    let theme = if color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let mut text = String::new();
    let rendered = match format {
        Format::Json => JSONReportHandler::new().render_report(&mut text, diagnostic).map(|()| text.push('\n')),
        Format::Human | Format::Quiet => render(&GraphicalReportHandler::new_themed(theme), diagnostic, &mut text),
    };
    if rendered.is_ok() {
        eprint!("{}", harmless(&text, color));
    }
}

/// Renders a diagnostic for people, and those that are related to it below, an empty line before each. (miette writes a
/// heading before each of those, a line with the word `Error:` alone.)
///
/// # Errors
/// If a label does not point into its source.
pub fn render(handler: &GraphicalReportHandler, diagnostic: &dyn Diagnostic, out: &mut String) -> fmt::Result {
    handler.render_report(out, &Alone(diagnostic))?;
    for related in diagnostic.related().into_iter().flatten() {
        out.push('\n');
        handler.render_report(out, related)?;
    }
    Ok(())
}

/// A diagnostic without those that are related to it.
#[derive(Debug)]
struct Alone<'a>(&'a dyn Diagnostic);

impl fmt::Display for Alone<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.0, f)
    }
}

impl std::error::Error for Alone<'_> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

impl Diagnostic for Alone<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.0.code()
    }

    fn severity(&self) -> Option<Severity> {
        self.0.severity()
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.0.help()
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.0.source_code()
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.0.labels()
    }

    fn diagnostic_source(&self) -> Option<&dyn Diagnostic> {
        self.0.diagnostic_source()
    }
}
