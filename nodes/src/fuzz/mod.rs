//! What comes from outside, damaged in many ways. Whatever a file holds, reading it ends, takes no more memory than it
//! should, and yields a result or an error that names the file.
//!
//! `HYPER_FLOW_FUZZ=100000` tries so many cases of each target instead of a few, `HYPER_FLOW_FUZZ_SEED` repeats them.

mod attack;
mod damage;
mod datasets;
mod jobs;
mod models;
