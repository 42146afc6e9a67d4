//! Keys that are kept for good, by name.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::areas;
use crate::digest::{Digest, Key};
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

/// A pin as it lies in its file: with a digest, so that a damaged one does not keep something else.
#[derive(Serialize, Deserialize)]
struct Filed {
    pin: Pin,
    check: Digest,
}

impl Store {
    /// Keeps a key from now on; a pin of the same name gives way. The name becomes that of a file.
    pub fn pin(&self, pin: &Pin) -> Result<()> {
        let filed = Filed { pin: pin.clone(), check: check(pin) };
        let mut bytes = serde_json::to_vec_pretty(&filed).expect("a pin is plain JSON");
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

/// Over the compact form, so that the file may be laid out for people.
fn check(pin: &Pin) -> Digest {
    Digest::of(&serde_json::to_vec(pin).expect("a pin is plain JSON"))
}

fn read(path: PathBuf) -> Result<Pin> {
    let bytes = files::read_plain(&path)?.unwrap_or_default();
    let why = match serde_json::from_slice::<Filed>(&bytes) {
        Ok(filed) if filed.check != check(&filed.pin) => "it is altered".to_owned(),
        Ok(filed) if path.file_name().is_some_and(|name| *name == *format!("{}{END}", filed.pin.name)) => {
            return Ok(filed.pin);
        }
        Ok(filed) => format!("it is the pin `{}`", filed.pin.name),
        Err(error) => error.to_string(),
    };
    Err(StoreError::NoPin { path, why })
}

/// Whether a file is a pin.
pub(crate) fn is_whole(path: &Path) -> Result<bool> {
    match read(path.to_owned()) {
        Err(StoreError::NoPin { .. }) => Ok(false),
        other => other.map(|_| true),
    }
}
