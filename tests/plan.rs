//! Planning, seen from outside: keys, states, reasons and causes.

mod planning {
    pub mod chain;
    pub mod keys;
    pub mod states;
    pub mod why;
    pub mod world;
}
