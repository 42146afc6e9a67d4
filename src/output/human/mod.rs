//! For people.

mod compare;
mod fitted;
mod metrics;
mod node;
mod paint;
mod pins;
mod plan;
mod printer;
mod runs;
mod shown;
mod store;
mod table;
pub(crate) mod units;

pub(crate) use fitted::{Column, Fitted};
pub(crate) use paint::Paint;
pub(super) use printer::Human;
