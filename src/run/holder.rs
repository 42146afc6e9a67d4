//! Who has the lock of a key, as it is written into the lock's file, and told to those who wait.

use hyper_flow_cache::Store;

use crate::runs::goes_on;

/// Of a run: its engine, or the process of the node, once there is one.
pub(super) fn name(run: &str, process: u32) -> String {
    format!("run {run} (process {process})")
}

/// The same, and whether the engine is gone, so that only the process is waited for.
pub(super) fn describe(store: &Store, name: String) -> String {
    match parse(&name) {
        Some((run, process)) if !goes_on(store, run) => {
            format!("process {process} of run {run}, whose engine is gone")
        }
        _ => name,
    }
}

fn parse(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix("run ")?.strip_suffix(')')?.split_once(" (process ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_back() {
        assert_eq!(parse(&name("2026-ab", 7)), Some(("2026-ab", "7")));
        assert_eq!(parse("another run"), None);
    }
}
