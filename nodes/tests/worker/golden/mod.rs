//! What each kind computes, pinned: tests/golden/<kind>.json of the repository holds the first losses of a tiny run with
//! all parameters written out, and what its artifact holds. A change of it needs a new version of the kind, or stores
//! would serve what an older worker computed.
//!
//! Of a training that is also how far its parameters have moved along their gradients: Adam turns the rounding of a gradient that
//! is nearly zero into whole steps, which differ between CPUs and mean nothing.
//!
//! A job's inputs are what other jobs yielded, their weights set by a formula: so a kind that computes something else
//! changes its own file only.
//!
//! `UPDATE_GOLDEN=1 cargo test -p hyper-flow-nodes golden` makes the files again whose version was raised, or that were
//! deleted. tests/planted.py shows that a small change of each kind is found.

mod compare;
mod describe;
mod formula;
mod jobs;
mod outside;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, OnceLock};

use hyper_flow_spec::Kind;
use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};
use tempfile::TempDir;

use crate::lab::Work;
use formula::by_formula;

macro_rules! pinned {
    ($($kind:ident)*) => {
        /// The kinds that have a test of their name.
        pub(crate) const PINNED: &[&str] = &[$(stringify!($kind)),*];

        $(
            #[test]
            #[expect(non_snake_case, reason = "it is the name of the kind")]
            fn $kind() {
                check(stringify!($kind));
            }
        )*
    };
}

pinned! {
    Digits ImageFolder WebDataset TrainClip PretrainedClip ScoreModel TrainJudge TrainSegmenter TrainVae TrainTeacher
    Diffusers EncodeLatents SegmentDistill RewardFinetune OdePairs ScoreDistill FinetuneLora LoraFuse PretrainedLora LoraExtract
    LoraMerge Sample Export CommandScorer Gate Eval Summary
}

#[test]
fn every_kind_but_command_is_pinned() {
    let kinds = Kind::NAMES.iter().copied().filter(|&name| name != "Command");
    assert_eq!(PINNED.iter().copied().collect::<BTreeSet<_>>(), kinds.collect());
}

/// What a kind computed, and its artifact with weights by the formula.
struct Made {
    computed: Value,
    artifact: TempDir,
}

/// Each kind is run once a process, when it or what it yields is first asked for.
fn made(kind: &str) -> &'static Made {
    static ALL: LazyLock<BTreeMap<&str, OnceLock<Made>>> =
        LazyLock::new(|| PINNED.iter().map(|&kind| (kind, OnceLock::new())).collect());
    ALL[kind].get_or_init(|| run(kind))
}

fn run(kind: &str) -> Made {
    let work = work(kind);
    let computed = describe::computed(&work, work.run().succeeded());
    Made { computed, artifact: by_formula(kind, &work.job.output) }
}

/// The job whose results are pinned, not yet run.
pub(crate) fn work(kind: &str) -> Work {
    let (kind, params, inputs) =
        jobs::all().into_iter().find(|(name, ..)| *name == kind).expect("every kind has a job");
    let work = Work::new(kind, params.clone());
    let mut work = outside::files().iter().fold(work, |work, (port, path)| work.file(port, path));
    assert_written_out(&work.job.kind, &params);
    for (port, from) in inputs {
        let artifact = outside::artifact(from).unwrap_or_else(|| made(from).artifact.path());
        // Also what this kind takes from outside, another yields.
        work = work.input(port, artifact).file(port, artifact);
    }
    work
}

/// Panics if a job that is this one, but where it computes, yields anything else than what is pinned.
pub(crate) fn check_work(kind: &str, work: &Work) {
    let computed = describe::computed(work, work.run().succeeded());
    let pinned: Value = serde_json::from_str(&fs::read_to_string(path_of(kind)).unwrap()).unwrap();
    let differences = compare::differences(&pinned, &computed);
    assert!(differences.is_empty(), "{kind}: {}", differences.join("; "));
}

/// Panics with what is to be said of what a kind computed. In an update it is pinned, if its version was raised.
fn check(kind: &str) {
    let computed = &made(kind).computed;
    let pinned = fs::read_to_string(path_of(kind)).map_or(Value::Null, |text| serde_json::from_str(&text).unwrap());
    let differences = compare::differences(&pinned, computed);
    if differences.is_empty() {
        return;
    }
    let again = "make tests/golden again with UPDATE_GOLDEN=1";
    let raised = pinned["version"] != computed["version"];
    assert!(
        raised,
        "What {kind} computes is not what is pinned: {}.\nDoes this test pass on this machine without your change? Then it \
         changes what the kind computes, and stores hold what was computed before: raise its version in \
         nodes/spec/src/kinds/registry.rs, and {again}. If it fails without your change too, this CPU rounds otherwise than \
         those that the tolerance was measured on (nodes/tests/worker/golden/compare.rs): no version is to be raised",
        differences.join("; ")
    );
    assert!(std::env::var_os("UPDATE_GOLDEN").is_some(), "the version of {kind} is not the pinned one: {again}");
    pin(kind, computed);
}

fn path_of(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden").join(format!("{kind}.json"))
}

fn pin(kind: &str, computed: &Value) {
    let mut text = Vec::new();
    computed.serialize(&mut Serializer::with_formatter(&mut text, Lines(PrettyFormatter::new()))).unwrap();
    text.push(b'\n');
    fs::write(path_of(kind), text).unwrap();
}

/// A line for each member of an object, however many numbers it holds.
struct Lines(PrettyFormatter<'static>);

impl Formatter for Lines {
    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }
}

/// No default is part of a pinned job: a better default changes no version.
fn assert_written_out(kind: &Kind, params: &Value) {
    let filled = &serde_json::to_value(kind).unwrap()[kind.name()];
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(keys(filled), keys(params), "{} leaves parameters to their defaults", kind.name());
}
