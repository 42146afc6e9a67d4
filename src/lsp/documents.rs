//! The texts that are open in the editor, and the task that looks for mistakes in them.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tower_lsp_server::Client;
use tower_lsp_server::ls_types::Uri;

use super::diagnose::diagnose;
use super::position::Lines;

/// Changes within this time of each other are looked at together.
const PAUSE: Duration = Duration::from_millis(15);

/// The texts that are open.
#[derive(Debug, Default)]
pub(super) struct Documents(Mutex<HashMap<Uri, (i32, Arc<Lines>)>>);

impl Documents {
    /// The text, as it is now.
    pub(super) fn get(&self, uri: &Uri) -> Option<Arc<Lines>> {
        self.version(uri).map(|(_, lines)| lines)
    }

    /// Takes a text in.
    pub(super) fn set(&self, uri: Uri, version: i32, text: String) {
        self.lock().insert(uri, (version, Arc::new(Lines::new(text))));
    }

    /// Forgets a text.
    pub(super) fn remove(&self, uri: &Uri) {
        self.lock().remove(uri);
    }

    fn version(&self, uri: &Uri) -> Option<(i32, Arc<Lines>)> {
        self.lock().get(uri).cloned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Uri, (i32, Arc<Lines>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks for mistakes in what has changed, one text at a time; while it looks, changes gather.
#[derive(Debug)]
pub(super) struct Watch(Arc<Changed>);

#[derive(Debug, Default)]
struct Changed {
    uris: Mutex<BTreeSet<Uri>>,
    some: Notify,
}

impl Watch {
    /// Starts the task that tells mistakes to the editor.
    pub(super) fn start(client: Client, documents: Arc<Documents>) -> Watch {
        let changed = Arc::new(Changed::default());
        tokio::spawn(tell(client, documents, changed.clone()));
        Watch(changed)
    }

    /// Says that a text has changed.
    pub(super) fn look_at(&self, uri: Uri) {
        self.0.uris.lock().unwrap_or_else(PoisonError::into_inner).insert(uri);
        self.0.some.notify_one();
    }
}

async fn tell(client: Client, documents: Arc<Documents>, changed: Arc<Changed>) {
    loop {
        changed.some.notified().await;
        tokio::time::sleep(PAUSE).await;
        let uris = std::mem::take(&mut *changed.uris.lock().unwrap_or_else(PoisonError::into_inner));
        for uri in uris {
            let (version, found) = match documents.version(&uri) {
                Some((version, lines)) => {
                    let of = uri.clone();
                    let found = tokio::task::spawn_blocking(move || diagnose(&lines, &of)).await;
                    (Some(version), found.unwrap_or_default())
                }
                // What is closed has no mistakes.
                None => (None, Vec::new()),
            };
            client.publish_diagnostics(uri, found, version).await;
        }
    }
}
