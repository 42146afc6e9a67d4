//! What the reporting commands print: [`report`] holds what there is to say, and an [`Output`] says it for
//! people, for machines, or as bare values.

mod harmless;
mod human;
mod json;
mod logged;
mod quiet;
pub mod report;
mod sink;
mod standard;

pub(crate) use harmless::{Harmless, harmless};
pub(crate) use human::units;
pub use sink::{Output, output};
pub(crate) use standard::standard;
