//! Planning, seen from outside: keys, states, reasons and causes.

mod planning {
    mod attempts;
    mod chain;
    mod keys;
    mod states;
    mod why;
    mod world;
}
