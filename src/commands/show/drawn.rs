//! Pictures on the terminal, and in the program that the system has for them.

use hyper_flow_cache::{Record, Store};
use hyper_flow_spec::Artifact;
use image::RgbImage;

use crate::commands::context::Context;
use crate::error::Failure;
use crate::look;
use crate::output::harmless;
use crate::output::report::Shown;
use crate::pictures::{self, Protocol, Sheet, Undrawn, Wanted, Window};
use crate::run::Said;

/// More pictures are not drawn unasked.
const DRAWN: usize = 3;

/// A terminal that pictures are drawn on.
pub(super) struct Canvas<'a> {
    protocol: Protocol,
    window: Window,
    context: &'a Context,
}

impl<'a> Canvas<'a> {
    /// Standard output; none if it is no terminal, or draws nothing.
    pub(super) fn of(wanted: Wanted, context: &'a Context) -> Option<Self> {
        let protocol = Protocol::of(wanted, context.color_stdout)?;
        Some(Self { protocol, window: Window::of_stdout()?, context })
    }

    /// A picture in a file; in words, if it cannot be drawn.
    pub(super) fn file(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        self.put(name, pictures::decode(bytes))
    }

    /// A picture below its name. What is sent is made of pixels alone, so that nothing has to be made harmless.
    fn put(&self, name: &str, picture: Result<RgbImage, Undrawn>) -> Result<(), Failure> {
        let name = harmless(name, false);
        let sent = picture.and_then(|picture| pictures::draw(&picture, self.protocol, self.window));
        self.context.write(|out| match sent {
            Ok(sent) => {
                writeln!(out, "{name}")?;
                out.write_all(&sent)
            }
            Err(why) => writeln!(out, "{name} {}", harmless(&why.to_string(), false)),
        })
    }
}

/// Draws what a node wants seen, or else its first picture; of a dataset some of its pictures.
pub(super) fn draw(
    store: &Store,
    record: &Record,
    report: &Shown,
    wanted: Wanted,
    context: &Context,
) -> Result<(), Failure> {
    let Some(canvas) = Canvas::of(wanted, context) else { return Ok(()) };
    if report.output == Artifact::Dataset {
        return sheet(store, record, &canvas);
    }
    let said = Said::of(record).show;
    let drawn = |path: &&String| pictures::is_drawn(path) && report.pictures.contains_key(*path);
    let mut paths: Vec<&String> = said.iter().filter(drawn).take(DRAWN).collect();
    if paths.is_empty() {
        paths.extend(report.pictures.keys().find(drawn));
    }
    paths.into_iter().try_for_each(|path| canvas.file(path, &store.read(&record.artifact, path)?))
}

/// Pictures of a dataset, evenly spaced.
fn sheet(store: &Store, record: &Record, canvas: &Canvas<'_>) -> Result<(), Failure> {
    let Some(mut pixels) = look::pixels(store, &record.artifact)? else { return Ok(()) };
    let Some(first) = pixels.get(0) else { return Ok(()) };
    let sheet = Sheet::of(first.width().max(first.height()), canvas.protocol, canvas.window);
    let all = pixels.count();
    let count = all.min(sheet.count().into());
    let some = (0..count).filter_map(|index| pixels.get(index * all / count));
    let thumbnails: Vec<RgbImage> = some.map(|picture| sheet.thumbnail(&picture)).collect();
    canvas.put(&format!("{} of {all} pictures", thumbnails.len()), Ok(sheet.compose(&thumbnails)))
}

/// Opens the one picture of an artifact, or the one of several that the node wants seen, or else their folder.
pub(super) fn open(report: &Shown) -> Result<(), Failure> {
    let paths: Vec<_> = report.pictures.values().collect();
    let path = match paths.as_slice() {
        [] => {
            let why = report.uncopied.as_deref().unwrap_or("the artifact has none");
            return Err(Failure::usage(
                format!("there is no picture to open: {why}"),
                format!("`{}` lists its files", report.again),
            ));
        }
        [one] => one.as_path(),
        [first, ..] => report.folder.as_deref().unwrap_or(first),
    };
    open::that_detached(path).map_err(|error| {
        let message = format!("failed to open {}: {error}", path.display());
        Failure::usage(message, "no program for it was found (`xdg-open`); the path can be opened by another")
    })
}
