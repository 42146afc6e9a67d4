//! What watches a training on rewards, and stops it before they are hacked.

mod look;
mod report;
mod verdict;
mod watch;

pub(crate) use watch::{Guard, Subject};
