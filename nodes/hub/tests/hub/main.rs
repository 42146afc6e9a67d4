//! The client against a server that goes wrong in every way that a network does.

mod downloads;
mod lab;
mod listings;
mod refusals;
