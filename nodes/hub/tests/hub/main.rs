//! The client against a server that goes wrong in every way that a network does.

mod downloads;
mod foreign;
mod lab;
mod listings;
mod refusals;
