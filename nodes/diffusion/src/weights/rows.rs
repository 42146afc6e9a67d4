//! Writing one tensor row by row: it need never be in memory as a whole, and an interrupted writer can be gone on with.

use super::write::{bytes_of, dtype_of};
use crate::DiffusionError;
use safetensors::tensor::{Metadata, TensorInfo};
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use tch::{Kind, Tensor};

/// The format pads its header to a multiple of this.
const ALIGNMENT: usize = 8;

/// A file of one tensor in the making: byte by byte the file that [`write_tensors`](super::write_tensors) makes of the
/// whole tensor. Until it is finished its header promises more than it has, so that no reader takes it for whole.
#[derive(Debug)]
pub struct RowWriter {
    path: PathBuf,
    file: BufWriter<File>,
    kind: Kind,
    /// Bytes of a row.
    width: u64,
    /// Bytes of the finished file.
    size: u64,
    written: u64,
}

impl RowWriter {
    /// Begins a file of a tensor of this name, type and shape.
    ///
    /// # Errors
    /// [`DiffusionError::Dtype`] for a type that the format lacks, [`DiffusionError::Io`] if the disk refuses.
    pub fn create(path: &Path, key: &str, kind: Kind, shape: &[i64]) -> Result<Self, DiffusionError> {
        let header = header(path, key, kind, shape)?;
        let file = File::create(path).map_err(io("write", path))?;
        let mut writer = Self::of(path, file, kind, shape, &header);
        writer.put(&header)?;
        Ok(writer)
    }

    /// Goes on with a file that was begun with the same arguments, after its first `rows` rows; what is behind them is cut
    /// off.
    ///
    /// # Errors
    /// [`DiffusionError::Truncated`] if it has fewer rows, [`DiffusionError::NotSafetensors`] if it was begun with other
    /// arguments; otherwise as [`create`](Self::create).
    pub fn resume(path: &Path, key: &str, kind: Kind, shape: &[i64], rows: i64) -> Result<Self, DiffusionError> {
        let header = header(path, key, kind, shape)?;
        let mut file = File::options().read(true).write(true).open(path).map_err(io("write", path))?;
        let mut found = Vec::new();
        (&mut file).take(header.len() as u64).read_to_end(&mut found).map_err(io("read", path))?;
        if found != header {
            let reason = "it was begun as another tensor".to_owned();
            return Err(DiffusionError::NotSafetensors { path: path.to_owned(), reason });
        }
        let found = file.metadata().map_err(io("read", path))?.len();
        let mut writer = Self::of(path, file, kind, shape, &header);
        writer.written = header.len() as u64 + rows as u64 * writer.width;
        if found < writer.written || writer.size < writer.written {
            return Err(DiffusionError::Truncated { path: path.to_owned(), expected: writer.written, found });
        }
        let file = writer.file.get_mut();
        file.set_len(writer.written).map_err(io("write", path))?;
        file.seek(SeekFrom::End(0)).map_err(io("write", path))?;
        Ok(writer)
    }

    fn of(path: &Path, file: File, kind: Kind, shape: &[i64], header: &[u8]) -> Self {
        let width = shape[1..].iter().product::<i64>() as u64 * kind.elt_size_in_bytes() as u64;
        let size = header.len() as u64 + shape[0] as u64 * width;
        Self { path: path.to_owned(), file: BufWriter::new(file), kind, width, size, written: 0 }
    }

    /// Appends rows (b, …), in the type of the file.
    ///
    /// # Errors
    /// [`DiffusionError::Io`] if the disk refuses.
    pub fn push(&mut self, rows: &Tensor) -> Result<(), DiffusionError> {
        self.put(&bytes_of(&rows.f_to_kind(self.kind)?)?)
    }

    /// Appends bytes as they are to be in the file.
    ///
    /// # Errors
    /// [`DiffusionError::Io`] if the disk refuses.
    pub fn put(&mut self, bytes: &[u8]) -> Result<(), DiffusionError> {
        self.file.write_all(bytes).map_err(io("write", &self.path))?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Makes durable what was appended so far: [`resume`](Self::resume) may then go on after it.
    ///
    /// # Errors
    /// [`DiffusionError::Io`] if the disk refuses.
    pub fn sync(&mut self) -> Result<(), DiffusionError> {
        self.file.flush().and_then(|()| self.file.get_ref().sync_data()).map_err(io("write", &self.path))
    }

    /// Ends the file.
    ///
    /// # Errors
    /// [`DiffusionError::Truncated`] unless just as many rows were appended as the shape has.
    pub fn finish(mut self) -> Result<(), DiffusionError> {
        self.sync()?;
        if self.written == self.size {
            return Ok(());
        }
        Err(DiffusionError::Truncated { path: self.path, expected: self.size, found: self.written })
    }
}

/// The beginning of a file of one tensor, as the format's own writer makes it.
fn header(path: &Path, key: &str, kind: Kind, shape: &[i64]) -> Result<Vec<u8>, DiffusionError> {
    let dtype = dtype_of(path, key, kind)?;
    let shape: Vec<usize> = shape.iter().map(|&d| d as usize).collect();
    let bytes = shape.iter().product::<usize>() * kind.elt_size_in_bytes();
    let not = |reason: String| DiffusionError::NotSafetensors { path: path.to_owned(), reason };
    let info = TensorInfo { dtype, shape, data_offsets: (0, bytes) };
    let metadata = Metadata::new(None, vec![(key.to_owned(), info)]).map_err(|e| not(e.to_string()))?;
    let mut text = serde_json::to_vec(&metadata).map_err(|e| not(e.to_string()))?;
    text.resize(text.len().next_multiple_of(ALIGNMENT), b' ');
    Ok([&(text.len() as u64).to_le_bytes(), text.as_slice()].concat())
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> DiffusionError {
    let path = path.to_owned();
    move |source| DiffusionError::Io { action, path, source }
}
