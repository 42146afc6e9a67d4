//! The engine of hyper-flow: the pipeline language, the planner, the scheduler and the command line.

pub mod cli;
pub mod commands;
pub mod display;
pub mod error;
pub mod output;
pub mod pipeline;
pub mod plan;
pub mod run;
pub mod worker;
