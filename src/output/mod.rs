//! What the reporting commands print: [`report`] holds what there is to say, and an [`Output`] says it for
//! people, for machines, or as bare values.

mod human;
mod json;
mod quiet;
pub mod report;
mod sink;

pub(crate) use human::units;
pub use sink::{Output, output};
