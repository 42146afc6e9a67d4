//! How near to their tolerances comparisons come, for whom wants to know: tests/spread.py of the repository makes a table of it.

use std::fs::OpenOptions;
use std::io::Write;

/// Appends a comparison to the file that the environment names, if it does: the test, what was compared, by how much it
/// differs, and by how much it may.
pub(crate) fn note(what: &str, difference: f64, tolerance: f64) {
    let Some(path) = std::env::var_os("HYPER_FLOW_SPREAD") else { return };
    let thread = std::thread::current();
    let line = format!("{}\t{what}\t{difference:e}\t{tolerance:e}\n", thread.name().unwrap_or_default());
    // One write: tests run beside each other.
    OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(line.as_bytes()).unwrap();
}
