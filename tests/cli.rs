//! The command line, run as a user runs it, each time in a directory of its own.

#[path = "run/pty.rs"]
mod pty;

mod command_line {
    mod choosing;
    mod completing;
    mod editing;
    mod editor;
    mod failing;
    mod fitting;
    mod foreign;
    mod hub;
    mod keeping;
    mod looking_back;
    mod paging;
    mod reporting;
    mod scene;
    mod sharing;
    mod showing;
    mod starting;
    mod storing;
    mod sweeping;
    mod worker;
}
