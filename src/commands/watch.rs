//! `hyper-flow run --watch`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper_flow_cache::Digest;
use miette::Report;
use serde_json::Value;

use crate::commands::context::{Context, Format};
use crate::commands::run::{self, Args, Ready, exit, go, lock};
use crate::commands::saved::Saved;
use crate::display;
use crate::error::{self, Failure};
use crate::pipeline::{Node, Pipeline, Settings};
use crate::run::{Asked, Helm, Order, helm};

/// How often it is looked whether the user has had enough.
const OFTEN: Duration = Duration::from_millis(100);

/// Runs whenever something was saved, until the user has had enough.
pub(super) fn watch(args: &Args, file: &Path, targets: &[String], context: &Context) -> Result<(), Failure> {
    let asked = Asked::from_now_on().map_err(unwatchable)?;
    let mut watch = Watch { args, file, targets, context, saved: Saved::new(&context.store).map_err(unwatchable)? };
    let mut last = None;
    loop {
        watch.see(watch.roots())?;
        match watch.round(last.as_ref())? {
            Round::Same => {}
            Round::Mistaken => watch.say(&format!("waiting until {} is saved; Ctrl-C ends", file.display())),
            Round::Over(_, _) if asked.is() => return Err(Failure::Interrupted),
            Round::Over(made, changed) => {
                last = Some(made);
                if changed {
                    continue;
                }
                watch.say(&format!("watching {}, and what it reads; Ctrl-C ends", file.display()));
            }
        }
        while !watch.saved.wait(OFTEN) {
            if asked.is() {
                // After the `^C` of the terminal.
                watch.say("");
                return Err(Failure::Interrupted);
            }
        }
    }
}

fn unwatchable(error: impl std::error::Error) -> Failure {
    let help = "run without `--watch`; on Linux the limit of what may be watched is fs.inotify.max_user_watches";
    Failure::usage(format!("the pipeline's files cannot be watched: {error}"), help)
}

struct Watch<'a> {
    args: &'a Args,
    file: &'a Path,
    targets: &'a [String],
    context: &'a Context,
    saved: Saved,
}

/// What came of a round.
enum Round {
    /// Nothing that is run has changed.
    Same,
    /// There is a mistake, which was told.
    Mistaken,
    /// It ran; and whether that ended for the sake of a change.
    Over(Made, bool),
}

/// What a node is made of: its kind with its parameters, settings, inputs and files.
type Part = (Value, Settings, BTreeMap<String, String>, BTreeMap<String, PathBuf>);

/// All that a run is made of: where it is the same, nothing has to be run.
#[derive(Clone, PartialEq)]
struct Made {
    nodes: BTreeMap<String, Part>,
    seed: u64,
    exact: bool,
    sources: BTreeMap<PathBuf, Digest>,
}

impl Made {
    fn of(Ready { pipeline, plan, .. }: &Ready) -> Made {
        let part = |node: &Node| {
            let kind = serde_json::to_value(&node.kind).expect("parameters of a checked node are JSON");
            (kind, node.settings.clone(), node.inputs.clone(), node.files.clone())
        };
        Made {
            nodes: pipeline.nodes.iter().map(|(name, node)| (name.clone(), part(node))).collect(),
            seed: pipeline.seed,
            exact: pipeline.exact,
            sources: plan.sources.iter().map(|(path, source)| (path.clone(), source.digest)).collect(),
        }
    }
}

impl Watch<'_> {
    /// The pipeline's file, and the one of its parameters.
    fn roots(&self) -> Vec<PathBuf> {
        std::iter::once(self.file.to_owned()).chain(self.args.overriding.params().map(Path::to_owned)).collect()
    }

    fn see(&mut self, paths: impl IntoIterator<Item = PathBuf>) -> Result<(), Failure> {
        paths.into_iter().try_for_each(|path| self.saved.watch(&path)).map_err(unwatchable)
    }

    fn say(&self, text: &str) {
        if self.context.format == Format::Human {
            display::say(text);
        }
    }

    /// Runs, unless all is as it was.
    fn round(&mut self, last: Option<&Made>) -> Result<Round, Failure> {
        let pipeline = match self.args.overriding.load(self.file, self.context) {
            Ok(pipeline) => pipeline,
            Err(mistakes) => return Ok(self.mistaken(&Report::new(mistakes))),
        };
        // Before they are read: what is saved from now on is seen.
        self.see(files(&pipeline))?;
        let warnings = pipeline.warnings.clone();
        let store = self.context.open_store()?;
        let _lock = lock(&store, self.context)?;
        let forced = if last.is_none() { &self.args.force[..] } else { &[] };
        let ready = match run::ready(pipeline, store, self.targets, forced) {
            Ok(ready) => ready,
            Err(Failure::User(mistake)) => return Ok(self.mistaken(&mistake)),
            Err(failure) => return Err(failure),
        };
        let made = Made::of(&ready);
        if last == Some(&made) {
            return Ok(Round::Same);
        }
        self.context.warn(&warnings);
        let changed = self.go(ready, &made)?;
        Ok(Round::Over(made, changed))
    }

    fn mistaken(&self, mistake: &Report) -> Round {
        error::print(mistake.as_ref(), self.context.format, self.context.color_stderr);
        Round::Mistaken
    }

    /// Runs, while changes are looked at; whether one of them ended it.
    fn go(&self, ready: Ready, made: &Made) -> Result<bool, Failure> {
        let (helm, orders) = helm();
        let over = AtomicBool::new(false);
        let (finished, changed) = std::thread::scope(|scope| {
            let looking = scope.spawn(|| self.look(made, &helm, &over));
            let finished = go(ready, self.args, self.targets, orders, self.context);
            over.store(true, Ordering::Relaxed);
            (finished, looking.join().unwrap_or(false))
        });
        match exit(finished?, self.context.format) {
            // The display has told it.
            Ok(()) | Err(Failure::Node | Failure::Interrupted) => Ok(changed),
            Err(Failure::Unread(_)) if self.context.format != Format::Json => Ok(changed),
            Err(failure) => Err(failure),
        }
    }

    /// Looks at what is saved until the run is over; whether that is for the sake of it.
    fn look(&self, made: &Made, helm: &Helm, over: &AtomicBool) -> bool {
        let mut changed = false;
        while !over.load(Ordering::Relaxed) {
            let order = if self.saved.wait(OFTEN) { self.order(made, helm) } else { None };
            changed |= matches!(order, Some(Order::Finish(_) | Order::Stop(_)));
            order.into_iter().for_each(|order| helm.give(order));
        }
        changed
    }

    /// What the run is to do about what was saved; nothing if that is none of its business.
    fn order(&self, made: &Made, helm: &Helm) -> Option<Order> {
        let name = self.file.display();
        let mistake = |failure: &dyn std::fmt::Display| {
            Some(Order::Tell(format!("{name} was saved with a mistake, and is not used: {failure}")))
        };
        let pipeline = match self.args.overriding.load(self.file, self.context) {
            Ok(pipeline) => pipeline,
            Err(mistakes) => return mistake(&mistakes),
        };
        let store = self.context.look_into_store().ok()?;
        let ready = match run::ready(pipeline, store, self.targets, &[]) {
            Ok(ready) => ready,
            Err(Failure::User(report)) => return mistake(&report),
            Err(_) => return None,
        };
        if Made::of(&ready) == *made {
            return None;
        }
        let wanted: BTreeSet<_> = ready.plan.nodes.iter().filter_map(|node| node.key).collect();
        Some(match helm.running().is_subset(&wanted) {
            true => Order::Finish(format!("{name} was saved: what runs is let finish, for it is as before")),
            false => Order::Stop(format!("{name} was saved: what runs stops, for it is another one now")),
        })
    }
}

/// What the nodes read.
fn files(pipeline: &Pipeline) -> Vec<PathBuf> {
    pipeline.nodes.values().flat_map(|node| node.files.values().cloned()).collect()
}
