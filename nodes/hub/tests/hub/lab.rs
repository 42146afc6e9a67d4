//! A hub on this machine, and a folder to download into.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::time::Duration;

use hyper_flow_hub::{Hub, HubError, Patience, RemoteFile, Repo, Settings, Token, Watch, choose};
use tempfile::TempDir;

use hyper_flow_flaky_hub::{COMMIT, Server};

/// The one large file of a [`Lab`].
pub(crate) const LARGE: &str = "unet/model.safetensors";

/// Long enough for a busy machine to send what it has.
pub(crate) const SOON: Duration = Duration::from_millis(500);

/// Tries again at once. Only tests of silence wait for [`SOON`] instead of long.
pub(crate) fn patience() -> Patience {
    Patience {
        connect: Duration::from_secs(20),
        stall: Duration::from_secs(60),
        retries: 3,
        first_wait: Duration::ZERO,
        longest_wait: Duration::ZERO,
    }
}

/// Bytes of no pattern, the same every time.
pub(crate) fn bytes(len: usize) -> Vec<u8> {
    let mut state = 7u64;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as u8
    };
    (0..len).map(|_| next()).collect()
}

pub(crate) struct Lab {
    pub(crate) server: Server,
    pub(crate) folder: TempDir,
    pub(crate) content: Vec<u8>,
    pub(crate) patience: Patience,
}

impl Lab {
    pub(crate) fn new() -> Lab {
        let content = bytes(100_000);
        let server = Server::new("org/m", &[("a b.json", b"{}"), (LARGE, &content), ("vae/config.json", b"")]);
        Lab { server, folder: tempfile::tempdir().unwrap(), content, patience: patience() }
    }

    pub(crate) fn repo(&self) -> Repo {
        "org/m".parse().unwrap()
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings { endpoint: self.server.url(), token: None, offline: false, patience: self.patience }
    }

    pub(crate) fn hub(&self) -> Hub {
        Hub::new(self.settings()).unwrap()
    }

    pub(crate) fn hub_with_token(&self) -> Hub {
        Hub::new(Settings { token: Some(Token::new("hf_secret").unwrap()), ..self.settings() }).unwrap()
    }

    pub(crate) fn file(&self) -> RemoteFile {
        let files = self.hub().files(&self.repo(), COMMIT, &Ear::default()).unwrap();
        choose(&files, &[LARGE.to_owned()], &self.repo()).unwrap().remove(0)
    }

    pub(crate) fn to(&self) -> PathBuf {
        self.folder.path().join("model")
    }

    pub(crate) fn partial(&self) -> PathBuf {
        self.folder.path().join("model.partial")
    }

    /// Downloads the large file.
    pub(crate) fn download(&self, watch: &dyn Watch) -> Result<(), HubError> {
        self.hub_with_token().download(&self.repo(), COMMIT, &self.file(), &self.to(), watch)
    }

    /// It must work, and leave the right file and nothing else.
    #[track_caller]
    pub(crate) fn downloads(&self) -> Ear {
        let ear = Ear::default();
        self.download(&ear).unwrap_or_else(|error| panic!("{error}"));
        assert!(std::fs::read(self.to()).unwrap() == self.content, "other bytes");
        assert_eq!(std::fs::read_dir(self.folder.path()).unwrap().count(), 1);
        ear
    }

    /// It must fail, and leave nothing under the final name. The server is called `<hub>`.
    #[track_caller]
    pub(crate) fn fails(&self) -> String {
        let error = self.download(&Ear::default()).expect_err("it cannot work");
        assert!(!self.to().exists(), "unverified");
        let message = error.to_string();
        assert!(!message.contains("secret"), "{message}");
        message.replace(&self.server.url(), "<hub>").replace(COMMIT, "<commit>")
    }
}

/// Remembers what it is told.
#[derive(Default)]
pub(crate) struct Ear {
    pub(crate) progress: RefCell<Vec<(u64, Option<u64>)>>,
    pub(crate) pauses: RefCell<Vec<(String, Duration)>>,
    /// Cancels when so many bytes are there.
    pub(crate) enough: Option<u64>,
    pub(crate) cancelled: Cell<bool>,
}

impl Watch for Ear {
    fn progress(&self, done: u64, of: Option<u64>) {
        self.progress.borrow_mut().push((done, of));
        self.cancelled.set(self.cancelled.get() || self.enough.is_some_and(|enough| done >= enough));
    }

    fn pause(&self, why: &str, wait: Duration) {
        self.pauses.borrow_mut().push((why.to_owned(), wait));
    }

    fn cancelled(&self) -> bool {
        self.cancelled.get()
    }
}
