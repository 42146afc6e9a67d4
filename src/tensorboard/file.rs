//! One file of events.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message;

use super::proto::{Event, START, SessionLog, Summary, Value, What};
use super::record::framed;

/// What the first record of a file says: only then do sessions count.
const VERSION: &str = "brain.Event:2";

/// A file of which every record is whole, whatever becomes of the engine or the disk.
#[derive(Debug)]
pub(super) struct EventFile {
    file: File,
    /// Bytes of whole records.
    end: u64,
    /// Whether it ends in a piece of a record, which nothing may follow.
    torn: bool,
}

impl EventFile {
    /// Begins a file that has what comes from `step` on: events of this step and later ones in older files count no more.
    /// Without its beginning there is no file.
    pub(super) fn create(path: &Path, step: u64) -> io::Result<EventFile> {
        let file = File::options().create_new(true).append(true).open(path)?;
        let mut events = EventFile { file, end: 0, torn: false };
        let begun = events.append(0, What::FileVersion(VERSION.to_owned()));
        let begun = begun.and_then(|()| events.append(step, What::SessionLog(SessionLog { status: START })));
        begun.inspect_err(|_| drop(fs::remove_file(path)))?;
        Ok(events)
    }

    /// Adds the values of a step.
    pub(super) fn add(&mut self, step: u64, value: Vec<Value>) -> io::Result<()> {
        self.append(step, What::Summary(Summary { value }))
    }

    /// As one write, of which an error leaves nothing behind: to a reader a piece of a record is the end of the file.
    fn append(&mut self, step: u64, what: What) -> io::Result<()> {
        if self.torn {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let step = i64::try_from(step).unwrap_or(i64::MAX);
        let record = framed(&Event { wall_time: now(), step, what: Some(what) }.encode_to_vec());
        let written = self.file.write_all(&record);
        match written {
            Ok(()) => self.end += record.len() as u64,
            Err(_) => self.torn = self.file.set_len(self.end).is_err(),
        }
        written
    }
}

/// Seconds since 1970.
pub(super) fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
