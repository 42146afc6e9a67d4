//! The content-addressed store of hyper-flow: bytes and digests, nothing of nodes or pipelines.
//!
//! A [`Key`] names everything that determines an artifact; a [`Record`] says which artifact a key
//! produced; an artifact is a directory, named by the [`Digest`] of its [`Tree`]. All of it lies in
//! plain files under one root that can be read without this program:
//!
//! | path | what |
//! |---|---|
//! | `version` | the format, and whether the store is shared by its group |
//! | `objects/ab/cdef…` | contents, by blake3, mode 0444 and one fixed mtime |
//! | `trees/ab/cdef…` | manifests: one JSON entry a line |
//! | `records/ab/cdef…` | one JSON file a key, written last when publishing |
//! | `preimages/ab/cdef…` | the bytes a key was derived from |
//! | `runs/<id>/` | the caller's logs and events |
//! | `scratch/<key>/` | checkpoints until the key is published; of trainings that a longer one goes on from, the last |
//! | `tmp/` | staging, in the same file system so that publishing is a rename |
//! | `damaged/` | what was altered, set aside |
//! | `exports/` | where [`Store::export`] has written, what, and for whom |
//! | `memos/` | answers the caller remembers ([`Store::set_memo`]), and what many records say; can be deleted at any time |
//! | `pins/` | names under which keys are kept for good ([`Store::pin`]) |
//! | `locks/` | files the operating system's locks are taken on |
//! | `index/` | sled: last use, stat memo; can be deleted at any time |
//!
//! Invariants: a reader sees a whole artifact or none; nothing that was altered is ever handed out;
//! no file grows with the number of records; no lock outlives its process and those that
//! inherited it ([`KeyLock::inherited`]); the index holds nothing that the files do not.

mod areas;
mod clone;
mod digest;
mod durable;
mod error;
mod export;
#[cfg_attr(debug_assertions, doc(hidden))]
pub mod fault;
mod files;
mod filing;
mod forget;
mod format;
mod gc;
mod index;
mod known;
mod layout;
mod ledger;
mod link;
mod lock;
mod lookup;
mod memo;
mod meta;
mod objects;
mod pins;
mod policy;
mod publish;
mod quiet;
mod record;
mod share;
mod snapshot;
mod source;
mod staging;
mod store;
mod sweep;
mod tree;
mod usage;
mod verify;
mod walk;

pub use digest::{Digest, Key, ParseDigestError};
pub use error::{Result, StoreError};
pub use export::{ExportOptions, Exported};
pub use files::remove_tree;
pub use filing::Unfiled;
pub use format::Access;
pub use index::RebuildReport;
pub use link::{Linked, Reader};
pub use lock::{KeyLock, StoreLock};
pub use meta::Meta;
pub use pins::Pin;
pub use policy::{GcPolicy, GcReport};
pub use record::Record;
pub use snapshot::Snapshot;
pub use source::{SourceDigest, SourceKind};
pub use staging::Staging;
pub use store::Store;
pub use tree::{Entry, Tree};
pub use usage::{Area, Usage};
pub use verify::{Problem, VerifyReport};
