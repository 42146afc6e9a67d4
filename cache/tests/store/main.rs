//! The store as its users see it, in one test binary.

mod common;
mod export;
mod faults;
mod foreign;
mod gc;
mod index;
mod known;
mod link;
mod lock;
mod misplaced;
mod model;
mod publish;
mod reading;
mod shared;
mod source;
mod tamper;
mod verify;
