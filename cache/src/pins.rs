//! Keys that are kept for good, by name.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::areas;
use crate::digest::Key;
use crate::error::{Result, StoreError};
use crate::files;
use crate::store::Store;

const END: &str = ".json";

/// A name under which the artifact of a key is kept: garbage collection leaves it, whatever its policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pin {
    /// The name.
    pub name: String,
    /// What is kept.
    pub key: Key,
    /// The caller's: what it is, for people.
    pub note: Value,
}

impl Store {
    /// Keeps a key from now on; a pin of the same name gives way. The name becomes that of a file.
    pub fn pin(&self, pin: &Pin) -> Result<()> {
        let mut bytes = serde_json::to_vec_pretty(pin).expect("a pin is plain JSON");
        bytes.push(b'\n');
        files::write_atomic(&self.tmp(), &self.pin_path(&pin.name), &bytes)?;
        files::sync_dir(&self.root().join("pins"))
    }

    /// Keeps it no longer.
    pub fn unpin(&self, name: &str) -> Result<()> {
        files::remove_tree(&self.pin_path(name))
    }

    /// All pins, by name.
    ///
    /// # Errors
    /// [`crate::StoreError::NoPin`] for a damaged one.
    pub fn pins(&self) -> Result<Vec<Pin>> {
        let paths = areas::children(&self.root().join("pins"))?;
        paths.into_iter().map(read).collect()
    }

    fn pin_path(&self, name: &str) -> PathBuf {
        self.root().join("pins").join(format!("{name}{END}"))
    }
}

fn read(path: PathBuf) -> Result<Pin> {
    let bytes = files::read_plain(&path)?.unwrap_or_default();
    let pin = serde_json::from_slice(&bytes).map_err(|error| error.to_string());
    let is_named = |pin: &Pin| path.file_name().is_some_and(|name| *name == *format!("{}{END}", pin.name));
    let named = |pin: Pin| if is_named(&pin) { Ok(pin) } else { Err(format!("it is the pin `{}`", pin.name)) };
    pin.and_then(named).map_err(|why| StoreError::NoPin { path, why })
}
