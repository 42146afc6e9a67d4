//! An answer on its way.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::Fault;

/// What is sent.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    pub(crate) fault: Option<Fault>,
}

impl Reply {
    pub(crate) fn of(status: u16, body: impl Into<Vec<u8>>) -> Reply {
        Reply { status, body: body.into(), ..Reply::default() }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Reply {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn send(mut self, mut stream: &TcpStream) -> std::io::Result<()> {
        let fault = self.fault.take().unwrap_or(Fault::None);
        match &fault {
            Fault::Hang => return Ok(()),
            Fault::WrongBytes => self.body.iter_mut().for_each(|byte| *byte = !*byte),
            Fault::Longer(by) => self.body.resize(self.body.len().saturating_add_signed(*by), 0),
            Fault::Compressed => self = self.with("Content-Encoding", "gzip"),
            _ => {}
        }
        if !matches!(fault, Fault::NoLength) {
            let length = self.body.len().to_string();
            self = self.with("Content-Length", length);
        }
        let mut head = format!("HTTP/1.1 {} -\r\nConnection: close\r\n", self.status);
        self.headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
        stream.write_all(format!("{head}\r\n").as_bytes())?;
        let end = match fault {
            Fault::Cut(at) | Fault::Stall(at) | Fault::Whole(at) => at.min(self.body.len()),
            _ => self.body.len(),
        };
        stream.write_all(&self.body[..end])?;
        stream.flush()?;
        if let Fault::Stall(_) = fault {
            // Until the client has had enough.
            let _ = stream.read(&mut [0]);
        }
        Ok(())
    }
}
