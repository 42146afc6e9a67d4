//! The pipeline language: a RON file becomes a checked [`Pipeline`], or all of its mistakes at once.
//!
//! 1. `syntax`: ron says whether the text is RON; `scan` then finds out what stands where, as a `tree`.
//! 2. `overrides`, `params`: `--set`, `--params` and `Param("x")` are edits of that tree; so is `matrix`, which
//!    makes one node many.
//! 3. `nodes`, `typed`: every struct is rendered back to text (`fragment`) and parsed by ron into the
//!    types of the kinds, whole if it is right, field by field if not.
//! 4. `references`, `cycle`, `fit`, `files`: what points out of a node is followed.
//!
//! Every step adds to one list of findings (`draft`) and goes on.

mod about;
mod check;
mod cycle;
mod describe;
mod draft;
mod examples;
mod file;
mod files;
mod finding;
mod fit;
mod format;
mod fragment;
mod language;
mod matrix;
mod model;
mod nodes;
mod overrides;
mod params;
mod quotes;
mod references;
mod repeated;
mod scan;
mod source;
pub(crate) mod suggest;
mod syntax;
pub(crate) mod tokens;
mod tree;
mod typed;
mod units;
mod words;

pub(crate) use about::of_lora;
pub use describe::{Description, Field, KindDescription};
pub use examples::{EXAMPLES, example};
pub use file::json_schema;
pub(crate) use files::{is_on_path, on_path};
pub use finding::{Branch, Finding, Label, PipelineErrors};
pub use format::format;
pub(crate) use language::{FieldType, Type, Variant, yields};
pub(crate) use matrix::{Piece, pieces};
pub use model::{Node, Overrides, Pipeline, Settings, Written, WrittenParams, load};
pub(crate) use source::{Unreadable, read_text};
pub(crate) use tree::unquote;
