//! Names of runs: they sort in the order in which the runs began, whatever the clock did.

use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper_flow_cache::StoreError;

use super::clock::{Utc, since_epoch};
use super::write::io_error;

/// Makes the directory of a new run. Its name is the time, or just after that of the newest run if the clock
/// went back since.
pub(super) fn new_directory(runs: &Path) -> Result<(String, PathBuf), StoreError> {
    fs::create_dir_all(runs).map_err(io_error("create", runs))?;
    let names = fs::read_dir(runs).map_err(io_error("read", runs))?;
    let newest = names.filter_map(|name| Utc::parse(name.ok()?.file_name().to_str()?)).max();
    loop {
        let time = Utc::at(after(newest, since_epoch())).compact();
        let id = format!("{time}-{:04x}", RandomState::new().build_hasher().finish() & 0xffff);
        let root = runs.join(&id);
        match fs::create_dir(&root) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|()| (id, root.clone())).map_err(io_error("create", &root)),
        }
    }
}

fn after(newest: Option<Duration>, now: Duration) -> Duration {
    newest.map_or(now, |newest| now.max(newest + Duration::from_millis(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_comes_after_all_others_also_under_a_clock_that_went_back() {
        let runs = tempfile::tempdir().unwrap();
        for ahead in ["20991231-235959-999-ffff", "not-a-run"] {
            fs::create_dir(runs.path().join(ahead)).unwrap();
        }
        let ids: Vec<String> = (0..5).map(|_| new_directory(runs.path()).unwrap().0).collect();
        assert!(ids[0].starts_with("21000101-000000-000-"), "{ids:?}");
        assert!(ids.is_sorted() && ids[4].starts_with("21000101-000000-004-"), "{ids:?}");
    }

    #[test]
    fn else_it_is_named_for_its_time() {
        let [now, older] = [2000, 1000].map(Duration::from_secs);
        assert_eq!([after(None, now), after(Some(older), now)], [now; 2]);
    }
}
