//! The server.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::Fault;
use crate::content::good;
use crate::reply::Reply;
use crate::state::{Content, Request, State};

/// A server on a port of its own.
pub struct Server {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Server {
    /// Serves a repository with these files at [`crate::COMMIT`], which is `main`. Those that end in `.safetensors` or
    /// `.bin` are large ones.
    pub fn new(repo: &str, files: &[(&str, &[u8])]) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let content = |(path, bytes): &(&str, &[u8])| {
            let lfs = path.ends_with(".safetensors") || path.ends_with(".bin");
            ((*path).to_owned(), Content { bytes: bytes.to_vec(), lfs })
        };
        let files = files.iter().map(content).collect();
        let state = State { repo: repo.to_owned(), files, page: 1000, ..State::default() };
        let server = Server { address: listener.local_addr().unwrap(), state: Arc::new(Mutex::new(state)) };
        let state = Arc::clone(&server.state);
        std::thread::spawn(move || serve(&listener, &state));
        server
    }

    /// `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What goes wrong with the next requests of files.
    pub fn faults(&self, faults: impl IntoIterator<Item = Fault>) -> &Server {
        self.state().faults.extend(faults);
        self
    }

    /// What goes wrong with the next other requests.
    pub fn api_faults(&self, faults: impl IntoIterator<Item = Fault>) -> &Server {
        self.state().api_faults.extend(faults);
        self
    }

    /// Large files are at another server.
    pub fn redirect(&self, to: &Server) -> &Server {
        self.state().elsewhere = Some(to.url());
        self
    }

    /// The listing comes in pages.
    pub fn pages_of(&self, entries: usize) -> &Server {
        self.state().page = entries;
        self
    }

    /// The listing describes other bytes than are served.
    pub fn lie(&self, path: &str, bytes: &[u8]) -> &Server {
        self.state().lies.insert(path.to_owned(), bytes.to_vec());
        self
    }

    /// Every request so far.
    pub fn seen(&self) -> Vec<Request> {
        self.state().seen.clone()
    }

    /// The `Range` headers of the requests of files so far.
    pub fn ranges(&self) -> Vec<Option<String>> {
        let files = self.seen().into_iter().filter(|request| is_file(&request.target));
        files.map(|request| request.headers.get("range").cloned()).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.state().closed = true;
        // Wakes the thread that waits for a connection.
        let _ = TcpStream::connect(self.address);
    }
}

fn is_file(target: &str) -> bool {
    target.contains("/resolve/")
}

fn serve(listener: &TcpListener, state: &Arc<Mutex<State>>) {
    for stream in listener.incoming() {
        if state.lock().unwrap().closed {
            return;
        }
        let (Ok(stream), state) = (stream, Arc::clone(state)) else { continue };
        // The client may be gone in the middle of anything.
        std::thread::spawn(move || drop(answer(&stream, &state)));
    }
}

fn answer(stream: &TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let Some(request) = read(stream)? else { return Ok(()) };
    let reply = {
        let mut state = state.lock().unwrap();
        state.seen.push(request.clone());
        reply(&mut state, &request)
    };
    reply.send(stream)
}

fn read(stream: &TcpStream) -> std::io::Result<Option<Request>> {
    let mut lines = BufReader::new(stream).lines();
    let Some(first) = lines.next().transpose()? else { return Ok(None) };
    let target = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = BTreeMap::new();
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    Ok(Some(Request { target, headers }))
}

fn reply(state: &mut State, request: &Request) -> Reply {
    let queue = if is_file(&request.target) { &mut state.faults } else { &mut state.api_faults };
    let fault = queue.pop_front().unwrap_or(Fault::None);
    let mut reply = match &fault {
        Fault::Status(status, headers) => {
            let empty = Reply::of(*status, "a page that is not wanted");
            headers.iter().fold(empty, |reply, (name, value)| reply.with(name, value.clone()))
        }
        _ => good(state, request, &fault),
    };
    reply.fault = Some(fault);
    reply
}
