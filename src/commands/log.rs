//! `hyper-flow log`.

use std::convert::Infallible;
use std::path::Path;

use hyper_flow_cache::{Digest, Key, Store};
use serde_json::Value;

use crate::commands::again;
use crate::commands::context::Context;
use crate::commands::follow::{self, Following};
use crate::commands::source::{self, Overriding};
use crate::display::takes_controls;
use crate::error::Failure;
use crate::output::report::{Logged, Messages, Sheet, Steps};
use crate::output::{Room, evaluation};
use crate::plan::{Planned, Provenance};
use crate::run::{NodeEvents, Series, node_directory};
use crate::runs::{self, Origin, Run};

/// Prints the log of a node: losses and other numbers, messages, standard error
///
/// It is that of the run which made the node's artifact, also where later runs found it cached; of a node that is to run,
/// that of the newest run in which it was started, whether it succeeded or not. An interrupted training and the one that
/// went on from its checkpoint are one, and steps that were done again are those of the later run. A node or file that was
/// renamed since is found by its key.
#[derive(Debug, clap::Args)]
#[command(override_usage = "hyper-flow log [OPTIONS] [FILE] NODE")]
pub struct Args {
    /// The pipeline, if it is not the only one here or that of the last run; then the node.
    #[arg(value_names = ["FILE", "NODE"])]
    words: Vec<String>,
    #[command(flatten)]
    overriding: Overriding,
    /// Draws the numbers of a training as curves, each in a chart of its own, as wide as the terminal.
    #[arg(long)]
    plot: bool,
    /// Goes on printing while a run goes on, in whatever process, until the node ends; Ctrl-C leaves the run alone. With
    /// `--plot` the curves are drawn again and again, with `--json` each event is a line, as `run --json` prints it.
    #[arg(long, short)]
    follow: bool,
}

/// Carries the command out.
pub fn execute(args: &Args, context: &Context) -> Result<(), Failure> {
    let (file, [name]) = source::split_exactly(&args.words, ["NODE"], &args.overriding, context)?;
    let store = context.look_into_store()?;
    context.require(&store)?;
    let meant = args.overriding.past(&file, &store)?.map(|past| Run { path: past.directory });
    let search = Search { file: &file, name, store: &store, meant };
    if args.follow
        && let Some(run) = search.going_on()
    {
        let report = |columns| {
            logged(&store, &Found { run: run.clone(), node: name.clone() }, name, args.plot, Room::of_columns(columns))
        };
        follow::follow(&Following { store: &store, run: &run, node: name, plot: args.plot, report: &report }, context)?;
        // Of the curves the last stay, and of the rest all was told.
        return Ok(());
    }
    let found = search.found(args, context)?;
    let mut report = logged(&store, &found, name, args.plot, context.room);
    report.metrics = artifact(&found).and_then(|artifact| evaluation::of(&store, &artifact));
    report.show = again::about(&args.words, &args.overriding, context, "show", &[name, "--wide"]);
    context.print(|output, out| output.logged(out, &report))
}

/// A node of a run.
struct Found {
    run: Run,
    /// What it is called there.
    node: String,
}

struct Search<'a> {
    file: &'a Path,
    name: &'a String,
    store: &'a Store,
    /// That of `--run`.
    meant: Option<Run>,
}

impl Search<'_> {
    /// The run that is meant, or else the newest of the pipeline, if it goes on and the node is not over in it.
    fn going_on(&self) -> Option<Run> {
        let origin = Origin::of(self.file, self.store);
        let newest =
            || runs::newest_first(self.store).into_iter().find(|run| run.origin().is_some_and(|of| of.is(&origin)));
        let run = self.meant.clone().or_else(newest)?;
        (runs::goes_on(self.store, &run.id()) && !follow::is_over(&run.events(self.name))).then_some(run)
    }

    /// The run that is meant, if it started the node; else the one that made the artifact, or the newest in which it was
    /// tried.
    fn found(&self, args: &Args, context: &Context) -> Result<Found, Failure> {
        let meant = self.meant.clone().map(|run| Found { run, node: self.name.clone() });
        if let Some(found) = meant.filter(|found| was_started(&found.run.events(&found.node))) {
            return Ok(found);
        }
        let planned = source::load_one(self.file, self.name, &args.overriding, context);
        let planned = planned.map(|loaded| loaded.plan.nodes.into_iter().last());
        let node = planned.as_ref().ok().and_then(Option::as_ref);
        let found = node.and_then(|node| self.maker(node)).or_else(|| self.newest(node.and_then(|node| node.key)));
        found.ok_or_else(|| match planned {
            // A pipeline that cannot be read any more may have runs; one that has none is told what is wrong with it.
            Err(failure) => failure,
            Ok(_) => self.none(args, context),
        })
    }

    fn none(&self, args: &Args, context: &Context) -> Failure {
        let file = Origin::of(self.file, self.store);
        let message =
            format!("node `{}` of {} was not started in any run that is kept", self.name, file.path().display());
        let again = |command| again::about(&args.words, &args.overriding, context, command, &[]);
        let help = format!("`{}` lists the nodes; `{}` starts those that are not cached", again("ls"), again("run"));
        Failure::usage(message, help)
    }

    fn maker(&self, node: &Planned) -> Option<Found> {
        let made = Provenance::of(node.record.as_ref()?)?;
        let found = Found { run: Run { path: self.store.runs().join(made.run) }, node: made.node };
        was_started(&found.run.events(&found.node)).then_some(found)
    }

    /// Under its name in runs of the pipeline, or under its key in any.
    fn newest(&self, key: Option<Key>) -> Option<Found> {
        let origin = Origin::of(self.file, self.store);
        runs::newest_first(self.store).into_iter().find_map(|run| {
            let by_name = run.origin().is_some_and(|of| of.is(&origin)).then(|| self.name.clone());
            let by_key = || run.use_of(&key?).filter(|(_, began)| *began).map(|(node, _)| node);
            let started = |node: &String| was_started(&run.events(node));
            let node = by_name.filter(started).or_else(|| by_key().filter(started))?;
            Some(Found { run, node })
        })
    }
}

/// Comes upon one of these events.
fn comes_upon(events: &NodeEvents, names: &[&str]) -> Option<String> {
    let found = events.each(|name, _| if names.contains(&name) { Err(name.to_owned()) } else { Ok(()) });
    found.err()
}

fn was_started(events: &NodeEvents) -> bool {
    comes_upon(events, &["node_started"]).is_some()
}

/// The runs in which what a run goes on from was done, the first one first, and that run.
fn stitched(store: &Store, found: &Found) -> Vec<Found> {
    let mut all = vec![Found { run: found.run.clone(), node: found.node.clone() }];
    let key = key(&found.run.events(&found.node));
    let before = key.iter().flat_map(|key| runs::using(store, key));
    let before = before.filter(|using| using.began && using.run.id() < found.run.id());
    for earlier in before.map(|using| Found { run: using.run, node: using.node }) {
        let latest = &all[all.len() - 1];
        // A start that came to nothing, neither from a checkpoint nor from the beginning, hides none before it.
        if comes_upon(&latest.run.events(&latest.node), &["resumed", "step", "node_ran"])
            .is_some_and(|by| by != "resumed")
        {
            break;
        }
        all.push(earlier);
    }
    all.reverse();
    all
}

/// The key that a node was started with.
fn key(events: &NodeEvents) -> Option<Key> {
    first(events, "node_started")?["key"].as_str()?.parse().ok()
}

/// What it yielded.
fn artifact(found: &Found) -> Option<Digest> {
    first(&found.run.events(&found.node), "node_ran")?["artifact"].as_str()?.parse().ok()
}

/// The first event of this name.
fn first(events: &NodeEvents, wanted: &str) -> Option<Value> {
    let found = events.each(|name, line| match name == wanted {
        true => Err(serde_json::from_slice(line).ok()),
        false => Ok(()),
    });
    found.err()?
}

fn logged(store: &Store, found: &Found, name: &str, plot: bool, room: Room) -> Logged {
    let runs = stitched(store, found);
    let (events, directory) = (found.run.events(&found.node), node_directory(&found.run.path, &found.node));
    let mut report = Logged {
        node: name.to_owned(),
        named: (found.node != name).then(|| found.node.clone()),
        run: found.run.id(),
        went_on_from: runs[..runs.len() - 1].iter().map(|earlier| earlier.run.id()).collect(),
        sheet: Sheet { room, ascii: !takes_controls() },
        plot,
        running: runs::goes_on(store, &found.run.id()) && !follow::is_over(&events),
        ..Logged::default()
    };
    let Ok(()) = events.each(|name, line| {
        add(&mut report, name, line);
        Ok::<_, Infallible>(())
    });
    let series = Series::of(runs.iter().map(|part| part.run.events(&part.node)).collect());
    report.messages = Messages::of(series.clone());
    report.steps = Steps::of(series);
    report.stdout = text(&directory.join("stdout.log"));
    report.stderr = text(&directory.join("stderr.log"));
    report.directory = directory;
    report
}

fn text(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// How the node ended, and what it took.
fn add(report: &mut Logged, name: &str, line: &[u8]) {
    if !["memory", "node_ran", "node_failed", "node_interrupted"].contains(&name) {
        return;
    }
    let Ok(event) = serde_json::from_slice::<Value>(line) else { return };
    if name == "memory" {
        report.memory = serde_json::from_value(event).ok();
    } else {
        report.seconds = event["seconds"].as_f64();
        report.ended = Some(name.to_owned());
    }
}
