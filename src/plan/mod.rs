//! From a pipeline to what will run and why: the graph, the keys, the states and the reasons.

mod causes;
mod class;
mod difference;
mod environment;
mod error;
mod force;
pub(crate) mod going_on;
mod graph;
mod history;
mod judge;
mod planner;
mod preimage;
mod provenance;
mod reason;
mod text;

pub use causes::{Cause, Root, causes};
pub use class::Classes;
pub use difference::{Difference, Part, differences};
pub use error::PlanError;
pub use graph::Graph;
pub(crate) use judge::shortfall;
pub use planner::{Plan, Planned, State, plan};
pub use preimage::Preimage;
pub use provenance::Provenance;
pub(crate) use reason::{attempted, starting};
pub(crate) use text::ron;
