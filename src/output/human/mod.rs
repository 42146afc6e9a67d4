//! For people.

mod compare;
mod curve;
mod fitted;
mod log;
mod metrics;
mod node;
mod paint;
mod pins;
mod plan;
mod plot;
mod printer;
mod runs;
mod shown;
mod store;
pub(crate) mod units;

pub(crate) use fitted::{Column, Fitted};
pub(crate) use paint::Paint;
pub(super) use printer::Human;
