//! For people.

mod metrics;
mod node;
mod paint;
mod pins;
mod plan;
mod printer;
mod store;
mod table;
pub(crate) mod units;

use paint::Paint;
pub(super) use printer::Human;
