//! What the user sees of a run: some ways to show one stream of [`crate::run::Event`]s, on a thread of their own.

mod bar;
mod fit;
mod forecast;
mod json;
mod known;
mod live;
mod pace;
mod plain;
mod queue;
mod region;
mod results;
mod screen;
mod whole;
mod words;

use std::fs::File;
use std::io::{self, Write};
use std::time::Duration;

pub(crate) use self::forecast::Forecast;
use self::json::{Json, Lines};
use self::live::Live;
use self::plain::Plain;
use self::queue::{Item, Missed, Queue};
pub(crate) use self::region::Region;
use self::results::{Quiet, Results};
use self::screen::Progress;
pub use self::screen::{Screen, Shown};
use crate::commands::again::Again;
use crate::commands::context::{Context, Format};
use crate::output::standard;
use crate::run::Event;

/// With more nodes than this, cached ones are only counted.
const FEW: usize = 50;
/// How long a run that is over waits for people who take nothing of what it prints, and for machines, which lose events then.
const PEOPLE: Duration = Duration::from_secs(5);
const MACHINES: Duration = Duration::from_secs(60);

/// Shows people what happens. What standard error does not take is let go; what standard output does not take is an error.
trait Display: Send {
    /// Takes notice of an event, in order.
    fn event(&mut self, event: &Event) -> io::Result<()>;
    /// Nobody read, so that this is not told any more.
    fn missed(&mut self, missed: &Missed);
    /// These nodes are cached, among so many that nobody is told of each.
    fn cached(&mut self, _nodes: Vec<String>) {}
    /// Nothing happened for a while.
    fn tick(&mut self) {}
}

/// Says something before there is a display.
pub(crate) fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Starts the display that the command line asks for. `log` is what the run logs, `forecast` what it has before it,
/// and `again` what command lines about it repeat.
pub(crate) fn start(context: &Context, forecast: Forecast, again: Again, log: File) -> io::Result<Screen> {
    match context.format {
        Format::Json => {
            let progress = Progress::default();
            let mut json = Json::new(log, standard(), progress.clone());
            Screen::start(Lines::default(), MACHINES, progress, move |lines| {
                lines.map_or(Ok(()), |lines| json.show(lines))
            })
        }
        Format::Quiet => people(Quiet { results: Results::new(again) }),
        Format::Human if size().is_some() => {
            people(Live::new(io::stderr(), size, context.color_stderr, forecast, Results::new(again)))
        }
        Format::Human => people(Plain::new(context.color_stderr, Results::new(again))),
    }
}

fn people(mut display: impl Display + 'static) -> io::Result<Screen> {
    Screen::start(Queue::default(), PEOPLE, Progress::default(), move |item| {
        match item {
            Some(Item::Event(event)) => return display.event(&event),
            Some(Item::Missed(missed)) => display.missed(&missed),
            Some(Item::Cached(nodes)) => display.cached(nodes),
            None => display.tick(),
        }
        Ok(())
    })
}

/// How many columns and rows standard error has, if it is a terminal on which a cursor goes up, and says so.
fn size() -> Option<(usize, usize)> {
    let size = rustix::termios::tcgetwinsize(io::stderr()).ok()?;
    let size = (usize::from(size.ws_col), usize::from(size.ws_row));
    (takes_controls() && size.0 > 0 && size.1 > 0).then_some(size)
}

/// Whether a terminal of this kind does what escape sequences say.
pub(crate) fn takes_controls() -> bool {
    let none = |kind: &str| ["", "dumb", "unknown", "network", "dialup", "printer", "lpr"].contains(&kind);
    std::env::var("TERM").is_ok_and(|kind| !none(&kind))
}
