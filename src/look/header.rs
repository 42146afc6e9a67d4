//! The header of a safetensors file, and pieces of its tensors: the file may be larger than memory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use serde::Deserialize;

/// As the format has it.
const LONGEST: u64 = 100_000_000;

/// Where a tensor lies.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Place {
    pub(super) dtype: String,
    pub(super) shape: Vec<u64>,
    data_offsets: [u64; 2],
}

/// An open file, its header read.
#[derive(Debug)]
pub(super) struct Tensors {
    file: File,
    data: u64,
    places: BTreeMap<String, Place>,
}

impl Tensors {
    pub(super) fn open(mut file: File) -> io::Result<Tensors> {
        let mut length = [0; 8];
        file.read_exact(&mut length)?;
        let length = u64::from_le_bytes(length);
        if length > LONGEST {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut header = vec![0; length as usize];
        file.read_exact(&mut header)?;
        let all: BTreeMap<String, serde_json::Value> = serde_json::from_slice(&header)?;
        let place = |(name, value)| Some((name, serde_json::from_value(value).ok()?));
        Ok(Tensors { file, data: 8 + length, places: all.into_iter().filter_map(place).collect() })
    }

    pub(super) fn get(&self, name: &str) -> Option<&Place> {
        self.places.get(name)
    }

    /// One row of a tensor of bytes: what lies at an index of its first dimension.
    pub(super) fn row(&mut self, name: &str, index: u64) -> io::Result<Vec<u8>> {
        let invalid = || io::Error::from(io::ErrorKind::InvalidData);
        let place = self.places.get(name).filter(|place| place.dtype == "U8").ok_or_else(invalid)?;
        let size = place.shape.iter().skip(1).try_fold(1u64, |size, side| size.checked_mul(*side));
        let start = size.and_then(|size| place.data_offsets[0].checked_add(index.checked_mul(size)?));
        let (size, start) = size.zip(start).ok_or_else(invalid)?;
        if start.checked_add(size).is_none_or(|end| end > place.data_offsets[1]) || size > LONGEST * 10 {
            return Err(invalid());
        }
        self.file.seek(SeekFrom::Start(self.data + start))?;
        let mut row = vec![0; size as usize];
        self.file.read_exact(&mut row)?;
        Ok(row)
    }
}
