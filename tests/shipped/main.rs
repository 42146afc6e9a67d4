//! Shipped pipelines from end to end, with few steps: the engine and the worker together.

mod ablation;
mod digits;
mod hacked_reward;
mod lab;
