//! `hyper-flow ui`: the page, served to the browser of who started it, and to nobody else.
//!
//! Only the loopback device is listened on. The address has a random token as its first folder; without it there is nothing to
//! be had. A request is answered only under the name of the loopback device, so that no other name can be made to lead here.
//! There is no other method than GET, and nothing that writes.

mod guard;
mod live;
mod logs;
mod routes;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use hyper_flow_cache::Store;
use tokio::net::TcpListener;

use super::model::Artifacts;
pub use guard::Token;

/// A server that listens.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    state: State,
}

/// What all requests share.
#[derive(Debug, Clone)]
struct State {
    store: Store,
    token: Token,
    /// As browsers name it: `127.0.0.1:8123`, `localhost:8123`.
    hosts: [String; 2],
    artifacts: Arc<Mutex<Artifacts>>,
}

impl Server {
    /// Listens on a port, any that is free if it is 0.
    ///
    /// # Errors
    /// The port is taken, or the system gives no randomness.
    pub async fn bind(store: Store, port: u16) -> std::io::Result<Server> {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
        let port = listener.local_addr()?.port();
        let hosts = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
        let state = State { store, token: Token::new()?, hosts, artifacts: Arc::default() };
        Ok(Server { listener, state })
    }

    /// The address to open, with its token.
    pub fn address(&self) -> String {
        format!("http://{}/{}/", self.state.hosts[0], self.state.token.text())
    }

    /// Serves until `stop` is done.
    ///
    /// # Errors
    /// Those of the listener.
    pub async fn serve(self, stop: impl Future<Output = ()> + Send + 'static) -> std::io::Result<()> {
        let app = routes::router(self.state);
        tokio::select! {
            served = std::future::IntoFuture::into_future(axum::serve(self.listener, app)) => served,
            () = stop => Ok(()),
        }
    }
}
