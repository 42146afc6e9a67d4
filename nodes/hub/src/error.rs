//! Why a hub does not give what was asked for. Messages are fragments that follow "failed to …: " and say what to do.

use std::path::PathBuf;
use std::time::Duration;

/// Why a hub does not give what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// The user wants no network.
    #[error("{what}: HF_HUB_OFFLINE is set; unset it, or use files that are on this machine")]
    Offline {
        /// What was asked for.
        what: String,
    },
    /// An endpoint that is none.
    #[error("HF_ENDPOINT is no address of a hub: {why}; write for example `https://huggingface.co`")]
    Endpoint {
        /// What is wrong with it. The value itself may hold a password.
        why: String,
    },
    /// A token that no request can carry.
    #[error("HF_TOKEN has a character in it that no token has; copy it anew")]
    Token,
    /// A name that no repository can have.
    #[error("`{text}` is not the name of a repository; write it as `owner/name`, or `datasets/owner/name`")]
    Repo {
        /// What was written.
        text: String,
    },
    /// A URL that is none.
    #[error("`{url}` is no address of a file: {why}")]
    Url {
        /// What was written.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// A hash that is none.
    #[error("`{text}` is no sha256: 64 hexadecimal digits, as `sha256sum` prints them")]
    NotSha256 {
        /// What was written.
        text: String,
    },
    /// A name in a listing that would lead out of the directory.
    #[error("the hub lists a file `{path}`, which cannot be put into a directory")]
    Unsafe {
        /// The name.
        path: String,
    },
    /// A pattern that means no file.
    #[error("{repo} has no file `{pattern}` at this commit; it has: {there}")]
    NoFile {
        /// The repository.
        repo: String,
        /// What was asked for.
        pattern: String,
        /// What there is.
        there: String,
    },
    /// Something that the server does not have.
    #[error("{what}: {hint}")]
    Missing {
        /// What was asked for.
        what: String,
        /// What is missing, and what to do.
        hint: String,
    },
    /// Something that this user does not get.
    #[error("{what}: {at} refuses it with status {status}{said}; {hint}")]
    Refused {
        /// What was asked for.
        what: String,
        /// Whom.
        at: String,
        /// 401 or 403.
        status: u16,
        /// The reason, if it gave one.
        said: String,
        /// What to do.
        hint: String,
    },
    /// A server that answers with nothing useful.
    #[error("{what}: {at} answers with status {status}{said}")]
    Status {
        /// What was asked for.
        what: String,
        /// Whom.
        at: String,
        /// The status.
        status: u16,
        /// The reason, if it gave one.
        said: String,
    },
    /// An answer that cannot be used.
    #[error("{what}: the answer of {at} is not what a hub answers: {why}; is HF_ENDPOINT, or a proxy, another server?")]
    Answer {
        /// What was asked for.
        what: String,
        /// Whom.
        at: String,
        /// What is wrong with it.
        why: String,
    },
    /// No connection.
    #[error("{what}: cannot reach {at}: {why}; look at the network, the proxy (HTTPS_PROXY) and HF_ENDPOINT")]
    Unreachable {
        /// What was asked for.
        what: String,
        /// Whom.
        at: String,
        /// What the system said.
        why: String,
    },
    /// A connection that ended too early.
    #[error("{what}: the connection to {at} was cut: {why}")]
    Cut {
        /// What was asked for.
        what: String,
        /// Whom.
        at: String,
        /// What the system said.
        why: String,
    },
    /// A server that is silent.
    #[error("{what}: {at} sent nothing for {} s", limit.as_secs_f64())]
    Stalled {
        /// What was asked for.
        what: String,
        /// Whom.
        at: String,
        /// How long was waited.
        limit: Duration,
    },
    /// Another number of bytes than there should be.
    #[error("{what}: {at} sends {found} bytes where there should be {expected}")]
    Size {
        /// What was asked for.
        what: String,
        /// Whom.
        at: String,
        /// What it sends.
        found: u64,
        /// What the hub lists.
        expected: u64,
    },
    /// Other bytes than there should be.
    #[error("{what}: what {at} sends has the {found} where it should have the {expected}; it was deleted")]
    Wrong {
        /// What was asked for.
        what: String,
        /// Whom.
        at: String,
        /// The hash of what came.
        found: String,
        /// The hash that it should have.
        expected: String,
    },
    /// It went wrong again and again.
    #[error("{last} (tried {} times)", retries + 1)]
    GaveUp {
        /// How often it was tried again.
        retries: u32,
        /// What went wrong the last time.
        last: Box<HubError>,
    },
    /// No room.
    #[error("{} bytes are needed in {}, where {free} are free", needed, folder.display())]
    Space {
        /// Where.
        folder: PathBuf,
        /// What is still to come.
        needed: u64,
        /// What there is.
        free: u64,
    },
    /// A file that cannot be read or written.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was being done: "read", "write".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The machinery of connections cannot be set up.
    #[error("set up connections: {why}")]
    SetUp {
        /// What is wrong.
        why: String,
    },
    /// [`crate::Watch::cancelled`] said so.
    #[error("cancelled")]
    Cancelled,
}

impl HubError {
    /// For `map_err` on a file operation.
    pub(crate) fn io(action: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> HubError {
        let path = path.to_owned();
        move |source| HubError::Io { action, path, source }
    }
}
