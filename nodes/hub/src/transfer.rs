//! Fills a partial file, through as many answers as it takes.

use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_RANGE, HeaderValue, RANGE};
use reqwest::{Response, StatusCode, Url};

use crate::client::Client;
use crate::partial::Partial;
use crate::reply::Question;
use crate::retry::{Retries, Trouble, unless_cancelled};
use crate::{HubError, Token, Watch};

/// Where a file comes from.
pub(crate) struct Transfer<'a> {
    pub(crate) client: &'a Client,
    pub(crate) url: Url,
    pub(crate) token: Option<&'a Token>,
    pub(crate) question: Question,
    /// How long the file is, where that is known beforehand.
    pub(crate) size: Option<u64>,
    pub(crate) watch: &'a dyn Watch,
}

impl Transfer<'_> {
    /// Goes on where the partial file ends, until it has all bytes.
    pub(crate) async fn fill(&self, partial: &mut Partial) -> Result<(), HubError> {
        let mut retries = Retries::new(self.client.patience, self.watch);
        let mut furthest = partial.len();
        if self.size.is_some_and(|size| partial.len() > size) {
            partial.restart()?;
        }
        while self.size != Some(partial.len()) {
            let Err(trouble) = self.attempt(partial).await else { return Ok(()) };
            // Bytes that came before are no progress: a server that knows no ranges would be asked for ever.
            if partial.len() > furthest {
                furthest = partial.len();
                retries.progressed();
            }
            retries.again(trouble).await?;
        }
        Ok(())
    }

    async fn attempt(&self, partial: &mut Partial) -> Result<(), Trouble> {
        let mut response = self.ask(partial.len()).await?;
        if self.is_complete(&response, partial.len()) {
            return Ok(());
        }
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            partial.restart()?;
        }
        response = self.question.check(response)?;
        let total = self.total(&response, partial)?;
        partial.next_answer();
        while let Some(bytes) = self.cut(unless_cancelled(self.watch, response.chunk()).await?)? {
            partial.write(&bytes)?;
            self.watch.progress(partial.len(), total);
            if let Some(expected) = total.filter(|total| partial.len() > *total) {
                return Err(self.other_size(partial, partial.len(), expected)?);
            }
        }
        match total {
            Some(total) if total != partial.len() => Err(self.too_short(total - partial.len())),
            _ => Ok(()),
        }
    }

    async fn ask(&self, from: u64) -> Result<Response, Trouble> {
        // What is compressed on the way has another length, and cannot be gone on with.
        let mut request = self.client.http.get(self.url.clone()).header(ACCEPT_ENCODING, "identity");
        if let Some(token) = self.token {
            request = request.header(reqwest::header::AUTHORIZATION, token.header());
        }
        if from > 0 {
            request = request.header(RANGE, format!("bytes={from}-"));
        }
        self.cut(unless_cancelled(self.watch, request.send()).await?)
    }

    fn cut<T>(&self, came: Result<T, reqwest::Error>) -> Result<T, Trouble> {
        came.map_err(|error| self.question.failed(error, &self.client.patience))
    }

    /// What has come is not of this file.
    fn other_size(&self, partial: &mut Partial, found: u64, expected: u64) -> Result<Trouble, HubError> {
        partial.restart()?;
        let Question { what, at, .. } = self.question.clone();
        Ok(Trouble::soon(HubError::Size { what, at, found, expected }))
    }

    fn too_short(&self, missing: u64) -> Trouble {
        let Question { what, at, .. } = self.question.clone();
        Trouble::soon(HubError::Cut { what, at, why: format!("{missing} bytes are missing") })
    }

    /// Nothing is behind the last byte: so a file of unknown size that a killed process has left is known to be whole.
    fn is_complete(&self, response: &Response, len: u64) -> bool {
        let total = response.headers().get(CONTENT_RANGE).and_then(total_of);
        response.status() == StatusCode::RANGE_NOT_SATISFIABLE && total == Some(len)
    }

    /// The length of the whole file, as far as anybody knows it. What the answer does not go on with is thrown away.
    fn total(&self, response: &Response, partial: &mut Partial) -> Result<Option<u64>, Trouble> {
        if let Some(encoding) = response.headers().get(CONTENT_ENCODING).filter(|encoding| *encoding != "identity") {
            return Err(self.question.senseless(format!("it is compressed ({encoding:?})")).into());
        }
        let announced = if response.status() == StatusCode::PARTIAL_CONTENT {
            let range = response.headers().get(CONTENT_RANGE);
            if range.and_then(start_of) != Some(partial.len()) {
                partial.restart()?;
                return Err(Trouble::soon(self.question.senseless("it is not the range that was asked for")));
            }
            range.and_then(total_of)
        } else {
            partial.restart()?;
            response.content_length()
        };
        match (announced, self.size) {
            (Some(found), Some(expected)) if found != expected => Err(self.other_size(partial, found, expected)?),
            _ => Ok(self.size.or(announced)),
        }
    }
}

/// The first byte of `bytes 100-199/200`.
fn start_of(range: &HeaderValue) -> Option<u64> {
    range.to_str().ok()?.strip_prefix("bytes ")?.split_once('-')?.0.trim().parse().ok()
}

/// The length of the whole of `bytes 100-199/200` or `bytes */200`.
fn total_of(range: &HeaderValue) -> Option<u64> {
    range.to_str().ok()?.rsplit_once('/')?.1.trim().parse().ok()
}
