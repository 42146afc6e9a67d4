//! The runs that a store remembers, `runs/<id>/` each.
//!
//! | file | what |
//! |---|---|
//! | `run.json` | what was run: the pipeline's file, by all that it may be found again by |
//! | `pipeline.ron` | the text of that file |
//! | `keys.jsonl` | the key of every node, before it starts and when it is done |
//! | `events.jsonl` | what happened |
//! | `nodes/<node>/`, `show/` | what nodes printed and showed |
//!
//! What is kept in the store, and what a node was last, is read from `run.json` and `keys.jsonl` alone.

mod begin;
mod clock;
mod id;
mod keys;
mod last;
mod origin;
mod past;
mod when;
mod write;

pub use begin::{Begun, begin};
pub(crate) use clock::Utc;
pub(crate) use keys::Seen;
pub use keys::{KeyLog, Use};
pub use last::LastKeys;
pub use origin::Origin;
pub(crate) use origin::{Folders, Place};
pub(crate) use past::{Run, goes_on, newest_first};
pub(crate) use when::believed;
pub(crate) use write::{io_error, write_json};
