//! What the caller found out once and would rather not ask again.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::digest::Digest;
use crate::error::Result;
use crate::files;
use crate::store::Store;

impl Store {
    /// The answer to a question (named by the digest of everything the answer depends on), if it is
    /// remembered. A damaged one is not.
    pub fn memo(&self, question: &Digest) -> Result<Option<Vec<u8>>> {
        Ok(files::read_plain(&self.memo_path(question))?.and_then(|bytes| held(&bytes)))
    }

    /// Remembers an answer, until garbage collection finds it old; where there is no store, it is asked again.
    pub fn set_memo(&self, question: &Digest, answer: &[u8]) -> Result<()> {
        if !self.is_there() {
            return Ok(());
        }
        let held = [Digest::of(answer).to_string().as_bytes(), b"\n", answer].concat();
        files::write_atomic(&self.tmp(), &self.memo_path(question), &held)
    }

    /// How long an answer is remembered; none if there is none, or if it is of a time that has not come.
    pub(crate) fn memo_age(&self, question: &Digest) -> Option<Duration> {
        let noted = fs::metadata(self.memo_path(question)).and_then(|meta| meta.modified());
        SystemTime::now().duration_since(noted.ok()?).ok()
    }

    fn memo_path(&self, question: &Digest) -> PathBuf {
        self.root().join("memos").join(question.to_string())
    }
}

/// The answer below a line with its digest.
fn held(bytes: &[u8]) -> Option<Vec<u8>> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (digest, answer) = (str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 1..]);
    (digest.parse() == Ok(Digest::of(answer))).then(|| answer.to_vec())
}
