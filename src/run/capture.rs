//! What a process prints: kept in a file up to a limit, with the end of it at hand.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::task::JoinHandle;

use super::process::at_most;

/// Bytes of one stream that are kept in its file.
const FILE_LIMIT: u64 = 16 << 20;
/// Bytes of the end of a stream that are kept in memory, and lines of it that are shown.
const TAIL_BYTES: usize = 8 << 10;
const TAIL_LINES: usize = 20;
/// How long to wait for a stream's end when its process is gone.
const LINGER: Duration = Duration::from_millis(500);

/// A file that is made when the first byte comes, and takes no more than a limit. What cannot be
/// written is let go: a full disk must not look like a failed node.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    file: Option<File>,
    written: u64,
}

impl LogFile {
    /// Appends to `path`, as a second attempt does.
    pub(super) fn new(path: PathBuf) -> LogFile {
        LogFile { path, file: None, written: 0 }
    }

    /// Keeps nothing.
    pub(super) fn none() -> LogFile {
        LogFile { path: PathBuf::new(), file: None, written: FILE_LIMIT }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) {
        if self.written >= FILE_LIMIT {
            return;
        }
        self.written += bytes.len() as u64;
        let _ = self.append(bytes);
        if self.written >= FILE_LIMIT {
            let _ = self.append(b"\n[more was printed than is kept]\n");
        }
    }

    fn append(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        if self.file.is_none() {
            if let Some(parent) = self.path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            self.file = Some(File::options().create(true).append(true).open(&self.path)?);
        }
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(bytes))
    }
}

/// The last bytes of a stream.
#[derive(Debug, Default)]
pub(super) struct Tail(VecDeque<u8>);

impl Tail {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.0.extend(&bytes[bytes.len().saturating_sub(TAIL_BYTES)..]);
        let excess = self.0.len().saturating_sub(TAIL_BYTES);
        self.0.drain(..excess);
    }

    /// The last lines; `None` when nothing was printed. What a carriage return has overwritten is a line of its own.
    pub(super) fn text(&self) -> Option<String> {
        let bytes: Vec<u8> = self.0.iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.trim_end().lines().flat_map(|line| line.split('\r')).collect();
        let last = lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n");
        (!last.trim().is_empty()).then_some(last)
    }
}

/// A stream that is read to its end, so that its process never blocks on a full pipe.
#[derive(Debug)]
pub(super) struct Capture {
    tail: Arc<Mutex<Tail>>,
    task: JoinHandle<()>,
}

impl Capture {
    pub(super) fn of(stream: impl AsyncRead + Unpin + Send + 'static, log: LogFile) -> Capture {
        let tail = Arc::new(Mutex::new(Tail::default()));
        let task = tokio::spawn(drain(stream, log, Arc::clone(&tail)));
        Capture { tail, task }
    }

    /// The last lines, once the process is gone.
    pub(super) async fn end(mut self) -> Option<String> {
        if at_most(LINGER, &mut self.task).await.is_none() {
            self.task.abort();
        }
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).text()
    }
}

async fn drain(mut stream: impl AsyncRead + Unpin, mut log: LogFile, tail: Arc<Mutex<Tail>>) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        log.write(&buffer[..count]);
        tail.lock().unwrap_or_else(PoisonError::into_inner).push(&buffer[..count]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_is_the_end_whatever_the_pieces() {
        let mut tail = Tail::default();
        assert_eq!(tail.text(), None);
        tail.push(b"\n\n");
        assert_eq!(tail.text(), None);
        (0..30_000).for_each(|i| tail.push(format!("line {i}\n").as_bytes()));
        let text = tail.text().unwrap();
        assert!(text.starts_with("line 29980\n") && text.ends_with("line 29999"), "{text}");
        tail.push(&vec![b'x'; 5 * TAIL_BYTES]);
        assert_eq!(tail.text().unwrap().len(), TAIL_BYTES);
    }

    #[test]
    fn a_log_has_a_limit_and_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b.log");
        let mut log = LogFile::new(path.clone());
        assert!(!path.exists());
        (0..40).for_each(|_| log.write(&vec![b'x'; 1 << 20]));
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.len() as u64 <= FILE_LIMIT + 100);
        assert!(text.ends_with("[more was printed than is kept]\n"));
    }
}
