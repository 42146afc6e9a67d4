//! The operating system's locks, freed at death.

use std::fs::File;

use crate::digest::Key;
use crate::error::Result;
use crate::store::Store;

/// One process (and one holder in it) at a time for one key; released on drop.
#[derive(Debug)]
pub struct KeyLock {
    _file: File,
}

/// The whole store, shared or exclusive; released on drop.
#[derive(Debug)]
pub struct StoreLock {
    _file: File,
}

impl Store {
    /// Takes the key's lock, waiting for whoever has it. `who` ("run 2026…, pid …") is what others
    /// are told meanwhile.
    ///
    /// On a file system without working locks it is granted at once: the store stays correct, two
    /// runs may only make the same artifact twice.
    pub fn lock_key(&self, key: &Key, who: &str) -> Result<KeyLock> {
        let _ = (key, who);
        todo!()
    }

    /// Takes the key's lock if it is free.
    ///
    /// # Errors
    /// [`crate::StoreError::Busy`], naming the holder, if it is not.
    pub fn try_lock_key(&self, key: &Key, who: &str) -> Result<KeyLock> {
        let _ = (key, who);
        todo!()
    }

    /// For the time of a run: keeps garbage collection away. Waits while one is going on.
    pub fn lock_shared(&self) -> Result<StoreLock> {
        todo!()
    }

    /// As [`Store::lock_shared`], but [`crate::StoreError::Busy`] instead of waiting.
    pub fn try_lock_shared(&self) -> Result<StoreLock> {
        todo!()
    }

    /// For garbage collection ([`Store::gc`] takes it itself).
    ///
    /// # Errors
    /// [`crate::StoreError::Busy`] while a run goes on.
    pub fn try_lock_exclusive(&self) -> Result<StoreLock> {
        todo!()
    }
}
