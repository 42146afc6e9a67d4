//! From a URL to a verified file.

use std::fs;
use std::path::Path;

use reqwest::Url;

use crate::address::{server, shown};
use crate::client::Client;
use crate::partial::{Partial, hash_of, remove_odd};
use crate::reply::Question;
use crate::transfer::Transfer;
use crate::{Hash, HubError, Patience, Watch, space};

/// Downloads a file of any server. It is at `to` if, and only if, it has this SHA-256; what is there already is kept then.
pub fn download_url(url: &str, sha256: &str, to: &Path, patience: Patience, watch: &dyn Watch) -> Result<(), HubError> {
    let hash = Hash::sha256(sha256).ok_or_else(|| HubError::NotSha256 { text: sha256.to_owned() })?;
    let wrong = |why: &dyn std::fmt::Display| HubError::Url { url: url.to_owned(), why: why.to_string() };
    let parsed = Url::parse(url).map_err(|error| wrong(&error))?;
    if !matches!(parsed.scheme(), "http" | "https") {
        return Err(wrong(&"it begins with neither `https://` nor `http://`"));
    }
    let client = Client::new(&parsed, patience)?;
    let what = shown(&parsed);
    let question = Question { what, at: server(&parsed), repo: None, with_token: false };
    let transfer = Transfer { client: &client, url: parsed, token: None, question, size: None, watch };
    client.block_on(fetch(&transfer, &hash, to))
}

/// Fills, verifies, and gives the file its name.
pub(crate) async fn fetch(transfer: &Transfer<'_>, hash: &Hash, to: &Path) -> Result<(), HubError> {
    if is_there(to, hash, transfer)? {
        return Ok(());
    }
    let mut partial = Partial::open(to)?;
    let left = transfer.size.unwrap_or(0).saturating_sub(partial.len());
    space::check(to.parent().unwrap_or(Path::new(".")), left)?;
    let mut again = true;
    loop {
        transfer.fill(&mut partial).await?;
        let found = partial.hash(hash, transfer.watch)?;
        if found == *hash {
            return partial.publish(to);
        }
        if !(again && partial.is_mixed()) {
            partial.discard()?;
            let Question { what, at, .. } = transfer.question.clone();
            return Err(HubError::Wrong { what, at, found: found.to_string(), expected: hash.to_string() });
        }
        again = false;
        partial.restart()?;
    }
}

/// Whether the right file is there; a wrong one is deleted.
fn is_there(to: &Path, hash: &Hash, transfer: &Transfer<'_>) -> Result<bool, HubError> {
    remove_odd(to)?;
    let Ok(found) = fs::metadata(to) else { return Ok(false) };
    let fits = transfer.size.is_none_or(|size| size == found.len()) && hash_of(to, hash, transfer.watch)? == *hash;
    match fits {
        true => transfer.watch.progress(found.len(), Some(found.len())),
        false => fs::remove_file(to).map_err(HubError::io("delete", to))?,
    }
    Ok(fits)
}
