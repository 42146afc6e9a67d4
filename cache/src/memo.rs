//! What the caller found out once and would rather not ask again.

use std::path::PathBuf;

use crate::digest::Digest;
use crate::error::Result;
use crate::files;
use crate::store::Store;

impl Store {
    /// The answer to a question (named by the digest of everything the answer depends on), if it is
    /// remembered.
    pub fn memo(&self, question: &Digest) -> Result<Option<Vec<u8>>> {
        files::read_plain(&self.memo_path(question))
    }

    /// Remembers an answer, until garbage collection finds it old; where there is no store, it is asked again.
    pub fn set_memo(&self, question: &Digest, answer: &[u8]) -> Result<()> {
        if !self.is_there() {
            return Ok(());
        }
        files::write_atomic(&self.tmp(), &self.memo_path(question), answer)
    }

    fn memo_path(&self, question: &Digest) -> PathBuf {
        self.root().join("memos").join(question.to_string())
    }
}
