//! What a browser shows of runs: one page with two hosts.
//!
//! [`model`] gathers what there is to say of a run, as data; `web/` draws that data and knows nothing else. `hyper-flow report`
//! ([`report`]) puts both into one file that needs no network; `hyper-flow ui` ([`server`]) serves the same two apart, and what
//! happens meanwhile as deltas.
//!
//! What is absent: nothing here writes to the store, opens its index or maps a file; the front end makes no markup out of
//! text, and has no build step: its files are what browsers get.

mod assets;
pub mod model;
mod picture;
mod preview;
pub mod report;
pub mod server;
