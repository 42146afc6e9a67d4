//! Labels: names, opaque to the store, for the key they last stood for.

use std::collections::BTreeMap;

use crate::digest::Key;
use crate::error::Result;
use crate::store::Store;

impl Store {
    /// Says which keys this run's labels ("pipeline/node") stand for: `runs/<run>/labels.json`,
    /// replaced as a whole, from which the index is refreshed.
    pub fn set_labels(&self, run: &str, labels: &BTreeMap<String, Key>) -> Result<()> {
        let _ = (run, labels);
        todo!()
    }

    /// All labels with the key that the newest run gave them. Never waits for another process.
    pub fn labels(&self) -> Result<BTreeMap<String, Key>> {
        todo!()
    }

    /// The key that the newest run gave this label.
    pub fn label(&self, label: &str) -> Result<Option<Key>> {
        Ok(self.labels()?.remove(label))
    }
}
