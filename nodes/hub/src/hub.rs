//! One hub.

use std::collections::BTreeSet;
use std::path::Path;

use reqwest::header::{AUTHORIZATION, LINK};
use reqwest::{Response, Url};
use serde::de::DeserializeOwned;

use crate::address::server;
use crate::client::Client;
use crate::download::fetch;
use crate::listing::{Entry, Revision, next_page};
use crate::path::{escaped, place};
use crate::reply::Question;
use crate::retry::{Retries, Trouble, unless_cancelled};
use crate::transfer::Transfer;
use crate::{HubError, RemoteFile, Repo, Settings, Silent, Watch, space};

/// No page of a listing is so long; an answer without end must not fill the memory.
const LONGEST: usize = 64 << 20;

/// A server that holds repositories of models and data.
#[derive(Debug)]
pub struct Hub {
    settings: Settings,
    client: Client,
    /// Without a slash at the end.
    base: String,
    /// For messages.
    at: String,
}

impl Hub {
    /// The hub that the environment names; see [`Settings::from_env`].
    pub fn from_env() -> Result<Hub, HubError> {
        Hub::new(Settings::from_env()?)
    }

    /// The hub of these settings. Nothing is asked yet.
    pub fn new(settings: Settings) -> Result<Hub, HubError> {
        let url = settings.url()?;
        let client = Client::new(&url, settings.patience)?;
        let at = format!("{}{}", server(&url), url.path().trim_end_matches('/'));
        Ok(Hub { client, base: url.as_str().trim_end_matches('/').to_owned(), at, settings })
    }

    /// The address of the hub, for messages.
    pub fn address(&self) -> &str {
        &self.at
    }

    /// The commit that a branch, tag or short commit means now.
    pub fn commit_of(&self, repo: &Repo, revision: &str) -> Result<String, HubError> {
        let question = self.question(repo, format!("`{revision}` of {repo}"))?;
        let url = self.url(&format!("{}/revision/{}", repo.api(), escaped(revision, b"")))?;
        let (found, _): (Revision, _) = self.client.block_on(self.ask(&url, &question, &Silent))?;
        Ok(found.sha)
    }

    /// The files of a repository at a commit, in order of their paths.
    pub fn files(&self, repo: &Repo, commit: &str, watch: &dyn Watch) -> Result<Vec<RemoteFile>, HubError> {
        let question = self.question(repo, format!("the files of {repo} at {commit}"))?;
        let mut url = self.url(&format!("{}/tree/{}", repo.api(), escaped(commit, b"")))?;
        let mut query = Some("recursive=true&expand=false".to_owned());
        let mut files = Vec::new();
        // Pages may lead back to one that was read.
        let mut read = BTreeSet::new();
        while let Some(page) = query.filter(|page| read.insert(page.clone())) {
            url.set_query(Some(&page));
            let (entries, next): (Vec<Entry>, _) = self.client.block_on(self.ask(&url, &question, watch))?;
            let before = files.len();
            for entry in entries {
                files.extend(entry.file().map_err(|why| question.senseless(why))?);
            }
            query = next.filter(|_| files.len() > before);
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }

    /// Downloads one file. It is at `to` if, and only if, size and hash are right; what is there already is kept then.
    pub fn download(
        &self,
        repo: &Repo,
        commit: &str,
        file: &RemoteFile,
        to: &Path,
        watch: &dyn Watch,
    ) -> Result<(), HubError> {
        let question = self.question(repo, format!("`{}` of {repo} at {commit}", file.path))?;
        let url = self.url(&format!("{repo}/resolve/{}/{}", escaped(commit, b""), escaped(&file.path, b"/")))?;
        let token = self.settings.token.as_ref();
        let transfer = Transfer { client: &self.client, url, token, question, size: Some(file.size), watch };
        self.client.block_on(fetch(&transfer, &file.hash, to))
    }

    /// Downloads files into a folder, each at its path. Progress is that of all together.
    pub fn download_all(
        &self,
        repo: &Repo,
        commit: &str,
        files: &[RemoteFile],
        folder: &Path,
        watch: &dyn Watch,
    ) -> Result<(), HubError> {
        std::fs::create_dir_all(folder).map_err(HubError::io("create", folder))?;
        let places = files.iter().map(|file| place(folder, &file.path)).collect::<Result<Vec<_>, _>>()?;
        let of = files.iter().fold(0_u64, |sum, file| sum.saturating_add(file.size));
        space::check(folder, of.saturating_sub(already(&places)))?;
        let mut before = 0;
        for (file, to) in files.iter().zip(&places) {
            self.download(repo, commit, file, to, &Share { watch, before, of })?;
            before = before.saturating_add(file.size);
        }
        Ok(())
    }

    fn question(&self, repo: &Repo, what: String) -> Result<Question, HubError> {
        match self.settings.offline {
            true => Err(HubError::Offline { what }),
            false => {
                let with_token = self.settings.token.is_some();
                Ok(Question { what, at: self.at.clone(), repo: Some(repo.clone()), with_token })
            }
        }
    }

    fn url(&self, path: &str) -> Result<Url, HubError> {
        Url::parse(&format!("{}/{path}", self.base)).map_err(|error| HubError::Endpoint { why: error.to_string() })
    }

    /// What the API says, and the query of its next page.
    async fn ask<T: DeserializeOwned>(
        &self,
        url: &Url,
        question: &Question,
        watch: &dyn Watch,
    ) -> Result<(T, Option<String>), HubError> {
        let mut retries = Retries::new(self.client.patience, watch);
        loop {
            match self.ask_once(url, question, watch).await {
                Ok(answer) => return Ok(answer),
                Err(trouble) => retries.again(trouble).await?,
            }
        }
    }

    async fn ask_once<T: DeserializeOwned>(
        &self,
        url: &Url,
        question: &Question,
        watch: &dyn Watch,
    ) -> Result<(T, Option<String>), Trouble> {
        let mut request = self.client.http.get(url.clone());
        if let Some(token) = &self.settings.token {
            request = request.header(AUTHORIZATION, token.header());
        }
        let failed = |error| question.failed(error, &self.client.patience);
        let response = unless_cancelled(watch, request.send()).await?.map_err(failed)?;
        let response = question.check(response)?;
        let next = next_of(&response);
        let text = self.whole(response, question, watch).await?;
        let answer = serde_json::from_slice(&text).map_err(|error| question.senseless(error))?;
        Ok((answer, next))
    }

    /// All that an answer holds.
    async fn whole(&self, mut response: Response, question: &Question, watch: &dyn Watch) -> Result<Vec<u8>, Trouble> {
        let mut text = Vec::new();
        let failed = |error| question.failed(error, &self.client.patience);
        while let Some(bytes) = unless_cancelled(watch, response.chunk()).await?.map_err(failed)? {
            text.extend_from_slice(&bytes);
            if text.len() > LONGEST {
                return Err(question.senseless(format!("it is longer than {LONGEST} bytes")).into());
            }
        }
        Ok(text)
    }
}

fn next_of(response: &Response) -> Option<String> {
    next_page(response.headers().get(LINK)?.to_str().ok()?)
}

/// Bytes that are there already, whole or in part.
fn already(places: &[std::path::PathBuf]) -> u64 {
    let len = |path: &Path| std::fs::metadata(path).map_or(0, |found| found.len());
    places.iter().map(|to| len(to) + len(&crate::partial::name(to))).sum()
}

/// One of several files.
struct Share<'a> {
    watch: &'a dyn Watch,
    before: u64,
    of: u64,
}

impl Watch for Share<'_> {
    fn progress(&self, done: u64, _: Option<u64>) {
        self.watch.progress(self.before.saturating_add(done), Some(self.of));
    }

    fn pause(&self, why: &str, wait: std::time::Duration) {
        self.watch.pause(why, wait);
    }

    fn cancelled(&self) -> bool {
        self.watch.cancelled()
    }
}
