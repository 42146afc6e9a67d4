//! Shipped pipelines, and small ones on their data, from end to end, with few steps: the engine and the worker together.

mod ablation;
mod digits;
mod going_on;
mod hacked_reward;
mod lab;
