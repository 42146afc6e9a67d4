//! The error of this crate, and the one place where a panic of the tensor library becomes one.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

/// A key whose shape in a file is not the shape that the model has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShapeMismatch {
    /// The key.
    pub key: String,
    /// The shape that the model has.
    pub expected: Vec<i64>,
    /// The shape that the file has.
    pub found: Vec<i64>,
}

/// How the keys of a file differ from the keys of a model. Complete: nothing is left out of it. Shown, it names a few.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyReport {
    /// Keys that the model has and the file has not.
    pub missing: Vec<String>,
    /// Keys that the file has and the model has not.
    pub left_over: Vec<String>,
    /// Keys that both have, with different shapes.
    pub shapes: Vec<ShapeMismatch>,
    /// Why that may be, where it can be told.
    pub likely: Option<String>,
}

/// How many keys of a kind a report shows.
const SHOWN: usize = 5;

/// The first of a list, and how many there are besides.
pub(crate) fn few(list: &[impl ToString], separator: &str) -> String {
    let shown: Vec<String> = list.iter().take(SHOWN).map(ToString::to_string).collect();
    let more = match list.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", shown.join(separator))
}

impl KeyReport {
    /// Whether file and model agree.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.left_over.is_empty() && self.shapes.is_empty()
    }
}

impl std::fmt::Display for KeyReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut parts = Vec::new();
        if !self.missing.is_empty() {
            parts.push(format!("{} missing: {}", self.missing.len(), few(&self.missing, ", ")));
        }
        if !self.left_over.is_empty() {
            parts.push(format!("{} left over: {}", self.left_over.len(), few(&self.left_over, ", ")));
        }
        if !self.shapes.is_empty() {
            parts.push(format!("{} of another shape: {}", self.shapes.len(), few(&self.shapes, ", ")));
        }
        parts.extend(self.likely.as_ref().map(|likely| format!("likely {likely}")));
        f.write_str(&parts.join("; "))
    }
}

impl std::fmt::Display for ShapeMismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} is {:?} where the model has {:?}", self.key, self.found, self.expected)
    }
}

/// What can go wrong in this crate. Messages are fragments that follow "failed to …".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiffusionError {
    /// A file could not be read or written.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was being done: "read", "write", …
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not a well-formed safetensors file.
    #[error("{}: not a safetensors file ({reason})", path.display())]
    NotSafetensors {
        /// The file.
        path: PathBuf,
        /// What is wrong with its header.
        reason: String,
    },
    /// The header promises another number of bytes than the file has.
    #[error("{}: the header promises {expected} bytes and the file has {found}: truncated or damaged", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Bytes promised, header included.
        expected: u64,
        /// Bytes there.
        found: u64,
    },
    /// Bytes follow what the header accounts for.
    #[error("{}: {extra} bytes follow the last tensor, which ends at byte {expected}: something was appended to the file; \
             its first {expected} bytes are a whole one", path.display())]
    Trailing {
        /// The file.
        path: PathBuf,
        /// Bytes that the header accounts for, its own included.
        expected: u64,
        /// Bytes after them.
        extra: u64,
    },
    /// The file is one of Python's pickles.
    #[error("{}: a Python pickle, which can run any program when it is opened; convert it with: {command}", path.display())]
    Pickle {
        /// The file.
        path: PathBuf,
        /// The command that converts it.
        command: String,
    },
    /// An index and its shards do not agree.
    #[error("{}: {message}", path.display())]
    Index {
        /// The index.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// A tensor has a type that is not read or written here.
    #[error("{}: {key} has dtype {dtype}, which is not supported", path.display())]
    Dtype {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// Its type.
        dtype: String,
    },
    /// A weight is not a finite number: whoever wrote the file had a training that failed, or a format too narrow.
    #[error("{}: {key} holds {what}: the file is broken, take another or save it again", path.display())]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// What it holds: "NaN" or "infinity".
        what: &'static str,
    },
    /// A row of a tensor is asked for that it does not have.
    #[error("{}: {key} has no row {index}: it has {count}", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// The row asked for.
        index: i64,
        /// The rows there.
        count: usize,
    },
    /// The keys of a file are not those of the model.
    #[error("{}: keys do not fit: {report}", path.display())]
    Keys {
        /// The file.
        path: PathBuf,
        /// All differences.
        report: KeyReport,
    },
    /// A configuration is wrong or asks for what is not supported.
    #[error("{what}: {message}")]
    Config {
        /// Whose configuration: a file or a class.
        what: String,
        /// The field, and what is wrong with it.
        message: String,
    },
    /// A LoRA does not fit: its modules, its rank, or its partner in a merge.
    #[error("lora: {0}")]
    Lora(String),
    /// The tensor library refused an operation.
    #[error("tensor operation: {0}")]
    Tensor(String),
}

impl From<tch::TchError> for DiffusionError {
    fn from(error: tch::TchError) -> Self {
        Self::Tensor(first_line(&error.to_string()))
    }
}

/// Runs `work`, and turns a panic of a tensor operation into an error.
///
/// Models are written in the plain form, whose operations panic on a wrong shape, a full memory or a missing device. A
/// node calls this once, around the whole of its work. The panic hook still runs, so a binary decides what is printed.
///
/// # Errors
/// What `work` returns, or [`DiffusionError::Tensor`] with the first line of the panic.
pub fn catch<T>(work: impl FnOnce() -> Result<T, DiffusionError>) -> Result<T, DiffusionError> {
    // Tensors have no invariants that a panic half-way could break: they are dropped with the closure.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("panicked without a message");
        Err(DiffusionError::Tensor(readable(text)))
    })
}

/// libtorch's message out of what `unwrap` makes of it, without the C++ backtrace that follows its first line.
fn readable(panic: &str) -> String {
    let inner = panic.split_once("Torch(\"").map_or(panic, |(_, inner)| inner);
    first_line(inner.split("\\n").next().unwrap_or(inner))
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim_end_matches("\")").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind, Tensor};

    #[test]
    fn a_wrong_shape_becomes_an_error_that_says_so() {
        let a = Tensor::zeros([2, 3], (Kind::Float, Device::Cpu));
        let error = catch(|| Ok(a.matmul(&a))).unwrap_err().to_string();
        assert!(error.starts_with("tensor operation: mat1 and mat2"), "{error}");
        assert!(!error.contains('\n') && !error.contains("Exception raised"), "{error}");
    }

    #[test]
    fn results_and_errors_pass_through() {
        assert_eq!(catch(|| Ok(3)).unwrap(), 3);
        let error = catch(|| Err::<(), _>(DiffusionError::Lora("x".into()))).unwrap_err();
        assert_eq!(error.to_string(), "lora: x");
    }
}
