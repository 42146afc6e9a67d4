//! `hyper-flow log --follow`.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Seek, SeekFrom, Write, stdout};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use hyper_flow_cache::Store;

use crate::commands::context::{Context, Format};
use crate::display::{Region, takes_controls};
use crate::error::Failure;
use crate::output::report::{Logged, Step};
use crate::output::units::named_number;
use crate::output::{Room, harmless, message, output, standard, step};
use crate::run::{NodeEvents, node_directory, untimed};
use crate::runs::{self, Run};

/// How often is looked whether there is more. Looking is the one way that all file systems have in common.
const OFTEN: Duration = Duration::from_millis(100);
/// How often a step is worth a line, and curves are drawn.
const LINES: Duration = Duration::from_secs(1);
/// The events with which a node is over in a run.
const ENDS: [&str; 5] = ["node_ran", "node_failed", "node_interrupted", "node_cached", "node_skipped"];

/// Whether a node is over in a run.
pub(super) fn is_over(events: &NodeEvents) -> bool {
    let mut over = false;
    let _ = events.each(|name, _| {
        // An altered artifact is made anew.
        over = (over || ENDS.contains(&name)) && name != "node_repaired";
        Ok::<_, ()>(())
    });
    over
}

/// What is followed.
pub(super) struct Following<'a> {
    pub(super) store: &'a Store,
    pub(super) run: &'a Run,
    pub(super) node: &'a str,
    pub(super) plot: bool,
    /// All of it so far, for so many columns.
    pub(super) report: &'a dyn Fn(usize) -> Logged,
}

/// Prints what is told of the node until it is over, or its run is.
pub(super) fn follow(what: &Following<'_>, context: &Context) -> Result<(), Failure> {
    let folder = node_directory(&what.run.path, what.node);
    let mark = what.run.events(what.node);
    let mut events = Tail::of(what.run.path.join("events.jsonl"));
    let mut printed = [Tail::of(folder.join("stdout.log")), Tail::of(folder.join("stderr.log"))];
    let mut screen = Screen::new(what, context);
    loop {
        // Before the rest is read: what it says last is not missed.
        let goes_on = runs::goes_on(what.store, &what.run.id());
        let mut over = false;
        for line in events.lines() {
            let Some(name) = mark.name(&line) else { continue };
            over = (over || ENDS.contains(&name)) && name != "node_repaired";
            screen.event(name, &line)?;
        }
        for (stream, tail) in printed.iter_mut().enumerate() {
            screen.printed(stream, &tail.lines())?;
        }
        screen.flush(over || !goes_on)?;
        if over || !goes_on {
            return Ok(());
        }
        std::thread::sleep(OFTEN);
    }
}

/// The columns that the terminal has now.
fn columns() -> usize {
    Room::of_stdout(false).columns()
}

/// A file that grows.
struct Tail {
    path: PathBuf,
    file: Option<File>,
    /// What came after the last line feed.
    rest: Vec<u8>,
}

impl Tail {
    fn of(path: PathBuf) -> Tail {
        Tail { path, file: None, rest: Vec::new() }
    }

    /// The lines that have come, whole.
    fn lines(&mut self) -> Vec<Vec<u8>> {
        if self.file.is_none() {
            self.file = File::open(&self.path).ok();
        }
        let Some(file) = &mut self.file else { return Vec::new() };
        // A line that could not be written whole was taken back.
        if let (Ok(at), Ok(found)) = (file.stream_position(), file.metadata())
            && found.len() < at
        {
            self.rest.clear();
            let _ = file.seek(SeekFrom::End(0));
        }
        let _ = file.read_to_end(&mut self.rest);
        let mut lines = Vec::new();
        while let Some(end) = memchr::memchr(b'\n', &self.rest) {
            let rest = self.rest.split_off(end + 1);
            lines.push(std::mem::replace(&mut self.rest, rest));
        }
        lines
    }
}

/// How it is shown.
struct Screen<'a> {
    what: &'a Following<'a>,
    context: &'a Context,
    /// The curves, where they can be drawn in place of those before.
    region: Option<Region<Box<dyn Write>>>,
    drawn: Option<Instant>,
    /// The newest step that was not printed yet.
    step: Option<Step>,
    /// Which of its streams printed last.
    stream: Option<usize>,
}

impl<'a> Screen<'a> {
    fn new(what: &'a Following<'a>, context: &'a Context) -> Screen<'a> {
        let redraws = what.plot && context.format == Format::Human && stdout().is_terminal() && takes_controls();
        let region = redraws.then(|| Region::new(Box::new(standard()) as Box<dyn Write>));
        Screen { what, context, region, drawn: None, step: None, stream: None }
    }

    fn event(&mut self, name: &str, line: &[u8]) -> Result<(), Failure> {
        match self.context.format {
            Format::Json => self.write(&[b"{", untimed(line)]),
            Format::Quiet => Ok(()),
            Format::Human if self.what.plot => Ok(()),
            Format::Human => match name {
                "step" => {
                    self.step = step(line);
                    if self.step.as_ref().is_some_and(|step| step.step == step.of) { self.tell_step() } else { Ok(()) }
                }
                "node_started" => self.say(&format!("{} in run {}", self.what.node, self.what.run.id())),
                _ => message(name, line).map_or(Ok(()), |text| {
                    self.tell_step()?;
                    self.say(&format!("  {}", text.replace('\n', "\n  ")))
                }),
            },
        }
    }

    /// What a `Command` printed, or a library in a worker.
    fn printed(&mut self, stream: usize, lines: &[Vec<u8>]) -> Result<(), Failure> {
        let told = match self.context.format {
            Format::Json => false,
            Format::Quiet => stream == 1,
            Format::Human => !self.what.plot,
        };
        if !told || lines.is_empty() {
            return Ok(());
        }
        if self.context.format == Format::Human && self.stream != Some(stream) {
            self.stream = Some(stream);
            self.say(["standard output", "standard error"][stream])?;
        }
        lines.iter().try_for_each(|line| self.say(String::from_utf8_lossy(line.trim_ascii_end()).as_ref()))
    }

    /// Shows what may wait, if it is time, or if it is the last.
    fn flush(&mut self, last: bool) -> Result<(), Failure> {
        if !last && self.drawn.is_some_and(|drawn| drawn.elapsed() < LINES) {
            return Ok(());
        }
        match self.context.format {
            Format::Human if self.what.plot && (last || self.region.is_some()) => self.plot(last),
            Format::Human => self.tell_step().and(if last { self.tell_end() } else { Ok(()) }),
            _ => Ok(()),
        }
    }

    fn tell_step(&mut self) -> Result<(), Failure> {
        let Some(step) = self.step.take() else { return Ok(()) };
        self.drawn = Some(Instant::now());
        let mut text = format!("  {}/{}", step.step, step.of);
        for (name, value) in step.named() {
            let piece = format!("  {name} {}", named_number(&name, value));
            // What there is no room for is in the log.
            if text.len() + piece.len() < columns() {
                text += &piece;
            }
        }
        self.say(&text)
    }

    fn tell_end(&self) -> Result<(), Failure> {
        let report = (self.what.report)(columns());
        let how = match report.ended.as_deref() {
            Some("node_ran") => "done",
            Some("node_failed") => "failed",
            Some("node_interrupted") => "interrupted",
            _ => "it has not ended: it was cached or not started, or the engine was killed",
        };
        self.say(how)
    }

    /// All curves, or as many as the terminal has rows for until they are the last.
    fn plot(&mut self, last: bool) -> Result<(), Failure> {
        self.drawn = Some(Instant::now());
        let report = (self.what.report)(columns());
        let mut text = Vec::new();
        let shown = output(Format::Human, self.context.color_stdout, self.context.room).logged(&mut text, &report);
        shown.map_err(Failure::Output)?;
        let text = harmless(&String::from_utf8_lossy(&text), self.context.color_stdout).into_owned();
        match &mut self.region {
            None => self.context.write(|out| out.write_all(text.as_bytes())),
            Some(region) => {
                let size =
                    rustix::termios::tcgetwinsize(io::stdout()).map_err(|error| Failure::Output(error.into()))?;
                let rows = usize::from(size.ws_row).saturating_sub(1).max(1);
                let lines: Vec<String> = text.lines().map(str::to_owned).collect();
                let shown = if last { lines.len() } else { lines.len().min(rows) };
                region.draw(None, &lines[..shown], usize::from(size.ws_col));
                Ok(())
            }
        }
    }

    fn say(&self, text: &str) -> Result<(), Failure> {
        let raw = self.context.format == Format::Quiet && !stdout().is_terminal();
        let text = if raw { text.into() } else { harmless(text, false) };
        self.write(&[text.as_bytes(), b"\n"])
    }

    fn write(&self, pieces: &[&[u8]]) -> Result<(), Failure> {
        self.context.write(|out| pieces.iter().try_for_each(|piece| out.write_all(piece)))
    }
}
