//! Addresses as messages show them.

use reqwest::Url;

/// A URL without what may be secret in it: a password, and the query, where signatures are.
pub(crate) fn shown(url: &Url) -> String {
    format!("{}{}", server(url), url.path())
}

/// Scheme, host and port.
pub(crate) fn server(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
}
