//! What a server's answer means.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode};

use crate::address::server;
use crate::retry::{Again, Trouble};
use crate::{HubError, Patience, Repo};

/// What is asked for, and whom.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    /// In words, for messages.
    pub(crate) what: String,
    /// The server, without a password that may be in its address.
    pub(crate) at: String,
    /// Of a hub.
    pub(crate) repo: Option<Repo>,
    /// Whether the server was told who asks.
    pub(crate) with_token: bool,
}

impl Question {
    /// Lets an answer pass if it is one.
    pub(crate) fn check(&self, response: Response) -> Result<Response, Trouble> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        // What another server says, to which a large file's request was passed on, is not about the user: the address that it
        // got may have expired.
        let elsewhere = !format!("{}/", self.at).starts_with(&format!("{}/", server(response.url())));
        let error = match status {
            _ if elsewhere => self.status(&response),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => self.refused(&response),
            StatusCode::NOT_FOUND | StatusCode::GONE => self.missing(&response),
            _ => self.status(&response),
        };
        let passing = elsewhere
            || status.is_server_error()
            || matches!(
                status,
                StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT | StatusCode::RANGE_NOT_SATISFIABLE
            );
        let again = match (passing, retry_after(response.headers())) {
            (false, _) => Again::Never,
            (true, Some(wait)) => Again::After(wait),
            (true, None) => Again::Soon,
        };
        Err(Trouble { error, again })
    }

    fn refused(&self, response: &Response) -> HubError {
        let page = self.repo.as_ref().map_or_else(|| self.at.clone(), |repo| format!("{}/{repo}", self.at));
        let hint = match (header(response, "x-error-code").as_deref(), self.with_token) {
            _ if self.repo.is_none() => "it needs a login, which is not supported here".to_owned(),
            (Some("GatedRepo"), false) => {
                format!("accept its licence on {page}, and set HF_TOKEN to a token of that account")
            }
            (Some("GatedRepo"), true) => format!("accept its licence on {page} with the account of HF_TOKEN"),
            (_, false) => "it does not exist, or is private or gated: look at the name, or set HF_TOKEN".to_owned(),
            (_, true) => "the token in HF_TOKEN has expired, or may not read it".to_owned(),
        };
        let (what, at) = (self.what.clone(), self.at.clone());
        HubError::Refused { what, at, status: response.status().as_u16(), said: said(response), hint }
    }

    fn missing(&self, response: &Response) -> HubError {
        let at = &self.at;
        let hint = match (&self.repo, header(response, "x-error-code").as_deref()) {
            (None, _) => format!("{at} has no such file"),
            (Some(repo), Some("RevisionNotFound")) => {
                format!("{repo} has no such revision; {at}/{repo}/commits/main lists those that it has")
            }
            (Some(repo), Some("RepoNotFound")) => {
                format!("{at} has no repository `{repo}`; look at the name (a dataset's begins with `datasets/`)")
            }
            (Some(repo), Some("EntryNotFound")) => format!("{repo} has no such file at this commit"),
            (Some(repo), _) => format!("{at} has no repository `{repo}`, or no such revision or file in it"),
        };
        HubError::Missing { what: self.what.clone(), hint }
    }

    fn status(&self, response: &Response) -> HubError {
        let (what, at) = (self.what.clone(), server(response.url()));
        HubError::Status { what, at, status: response.status().as_u16(), said: said(response) }
    }

    /// For something other than a status that is wrong with an answer.
    pub(crate) fn senseless(&self, why: impl fmt::Display) -> HubError {
        HubError::Answer { what: self.what.clone(), at: self.at.clone(), why: why.to_string() }
    }

    /// A request that got no answer, or not all of it.
    pub(crate) fn failed(&self, error: reqwest::Error, patience: &Patience) -> Trouble {
        let (what, at) = (self.what.clone(), self.at.clone());
        let why = innermost(&error);
        if error.is_builder() || error.is_redirect() {
            return self.senseless(why).into();
        }
        if is_tls(&error) {
            let why = format!("{why} (SSL_CERT_FILE names other certificates to trust)");
            return HubError::Unreachable { what, at, why }.into();
        }
        Trouble::soon(match (error.is_timeout(), error.is_connect()) {
            (_, true) => HubError::Unreachable { what, at, why },
            (true, false) => HubError::Stalled { what, at, limit: patience.stall },
            (false, false) => HubError::Cut { what, at, why },
        })
    }
}

/// The seconds that a server asks to wait. The other form, a date, no hub uses.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn header(response: &Response, name: &str) -> Option<String> {
    Some(response.headers().get(name)?.to_str().ok()?.to_owned())
}

/// The hub's own words.
fn said(response: &Response) -> String {
    let words = header(response, "x-error-message").unwrap_or_default();
    let words: String = words.chars().take(200).collect();
    if words.is_empty() { words } else { format!(" (\"{words}\")") }
}

/// Certificates and protocols do not change by waiting.
fn is_tls(error: &reqwest::Error) -> bool {
    causes(error).any(|error| error.is::<rustls::Error>())
}

/// The end of the chain: those above it say only "error sending request", and name addresses that hold signatures.
fn innermost(error: &reqwest::Error) -> String {
    causes(error).last().map_or_else(|| "no answer".to_owned(), |error| error.to_string())
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |&error| {
        // An error of the system that holds another one names as its source that one's source.
        let held = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        held.map(|held| held as &(dyn Error + 'static)).or_else(|| error.source())
    })
}
