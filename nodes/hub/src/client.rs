//! Connections: TLS without a library of the system, proxies of the environment, all on the thread that waits for it.

use std::sync::Arc;

use reqwest::Url;
use reqwest::redirect::Policy;
use rustls::crypto::ring::default_provider;
use rustls::{ClientConfig, RootCertStore};
use tokio::runtime::{Builder, Runtime};

use crate::{HubError, Patience};

/// What requests are sent by.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) http: reqwest::Client,
    pub(crate) patience: Patience,
    runtime: Option<Runtime>,
}

impl Client {
    /// A client for one server, and those that it redirects to.
    pub(crate) fn new(server: &Url, patience: Patience) -> Result<Client, HubError> {
        let set_up = |error: &dyn std::error::Error| HubError::SetUp { why: error.to_string() };
        let http = reqwest::Client::builder()
            .user_agent(concat!("hyper-flow/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(tls().map_err(|error| set_up(&error))?)
            .connect_timeout(patience.connect)
            .read_timeout(patience.stall)
            .redirect(Policy::limited(10))
            // A redirect leads to another company's servers, which need not know from where.
            .referer(false);
        // No proxy reaches this machine's own addresses.
        let http = if is_here(server) { http.no_proxy() } else { http };
        let http = http.build().map_err(|error| set_up(&error))?;
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| set_up(&error))?;
        Ok(Client { http, patience, runtime: Some(runtime) })
    }

    /// Does the work, on this thread.
    pub(crate) fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.as_ref().expect("it is there until the drop").block_on(work)
    }
}

impl Drop for Client {
    /// The system may look for a host's address for long after nobody wants it any more.
    fn drop(&mut self) {
        self.runtime.take().into_iter().for_each(Runtime::shutdown_background);
    }
}

/// The system's certificates (or those of SSL_CERT_FILE), so that a company's own ones count; Mozilla's where the system has
/// none, as in small containers.
fn tls() -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    let config =
        ClientConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn is_here(server: &Url) -> bool {
    let host = server.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
