//! `hyper-flow run`, through the built binary, each test in a directory of its own.

mod command_nodes;
mod escapes;
mod failures;
mod faults;
mod forcing;
mod foreign;
mod graphs;
mod hello;
mod hub;
mod interruption;
mod keeping;
mod lab;
mod limits;
mod live;
mod logs;
mod orphans;
mod pty;
mod room;
mod showing;
mod six_rows;
mod sources;
mod terminal;
mod two_runs;
mod typing;
mod watching;
mod workers;
