//! What the reporting commands print: [`report`] holds what there is to say, and an [`Output`] says it for
//! people, for machines, or as bare values.

mod ask;
mod compared;
pub mod evaluation;
mod harmless;
mod human;
mod json;
mod kept;
mod logged;
mod past;
mod quiet;
pub mod report;
mod room;
mod shown;
mod sink;
mod standard;

pub(crate) use ask::ask;
pub(crate) use evaluation::evaluation;
pub(crate) use harmless::{Harmless, harmless};
pub(crate) use human::{Paint, units};
pub(crate) use logged::{message, step};
pub use room::Room;
pub(crate) use room::cut;
pub use sink::{Output, output};
pub(crate) use standard::standard;
