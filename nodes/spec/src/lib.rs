//! The node kinds of hyper-flow as data, and the protocol between engine and worker.
//!
//! A *kind* says what a node does. This crate holds each kind's parameters, input ports, artifact type,
//! version and documentation ([`kinds`]), the generic form that keys and diffs are made of ([`Value`]),
//! and what engine and worker say to each other ([`Job`], [`Event`], [`Description`]).
//!
//! What is absent: how a pipeline file is read (the engine), what a kind computes (the nodes), bytes and
//! digests (the store). Only data, so that all three can depend on it.

mod artifact;
mod bounded;
mod checkpoint;
mod download;
mod hub;
pub mod kinds;
pub mod metrics;
mod protocol;
mod reference;
mod size;
mod text;
mod threshold;
mod value;

pub use artifact::{Artifact, ArtifactType, types};
pub use bounded::{Amount, Count, Finite, Fraction, Int, NonNegative, Positive, Rank, Repeats, SolverSteps, Steps};
pub use checkpoint::checkpoint_step;
pub use download::{Sha256, Url};
pub use hub::{Commit, Hub, Repo};
pub use kinds::{Kind, KindSpec, KindVisitor, Problem, VERSION};
pub use protocol::{Description, Device, Event, Held, Job, JobError, Level, Memory, PROTOCOL};
pub use reference::{File, Ref};
pub use size::Size;
pub use threshold::Threshold;
pub use value::{Leaf, Value};
