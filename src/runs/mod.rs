//! The runs that a store remembers, `runs/<id>/` each.
//!
//! | file | what |
//! |---|---|
//! | `run.json` | what was asked for: the pipeline's file, by all that it may be found again by, and the changes |
//! | `pipeline.ron`, `params.ron` | the texts of that file and of the one that `--params` named |
//! | `plan.json` | the nodes, what they take, and why they were to run |
//! | `keys.jsonl` | the key of every node, before it starts and when it is done |
//! | `events.jsonl` | what happened |
//! | `summary.json` | what became of the run and of each node, written when it ends |
//! | `<pipeline>/<node>/` | event files of TensorBoard, of what trains or is an Eval |
//! | `nodes/<node>/`, `show/` | what nodes printed and showed |
//!
//! What is kept in the store, and what a node was last, is read from `run.json` and `keys.jsonl` alone. A [`Past`] is all
//! that is known of a run: of one that has ended, two small files tell it.

mod attempt;
mod begin;
mod clock;
mod course;
mod description;
mod directory;
mod find;
mod id;
mod keys;
mod last;
mod origin;
mod outline;
mod past;
mod tally;
mod when;
mod write;

pub use attempt::{Attempt, Attempted};
pub use begin::{Begun, begin};
pub(crate) use clock::Utc;
pub use course::{Course, Ending, PastNode, Progress, Status};
pub use description::Description;
pub(crate) use directory::goes_on;
pub use directory::{Run, newest_first};
pub(crate) use find::is_by_age;
pub use find::{NoSuchRun, find};
pub(crate) use keys::Seen;
pub use keys::{KeyLog, Use};
pub use last::LastKeys;
pub use origin::Origin;
pub(crate) use origin::{Folders, Place};
pub(crate) use outline::write_outline;
pub use outline::{Outlined, read_outline};
pub use past::{Past, Using, using};
pub use tally::Tally;
pub(crate) use when::believed;
pub(crate) use write::{io_error, write_json};
