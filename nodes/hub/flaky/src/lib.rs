//! A hub on this machine for tests, which goes wrong as it is told to: one fault for each request, in order, then none.
//!
//! It answers as a model hub does: revisions, listings in pages, files in parts, large ones from another server.

mod content;
mod fault;
mod reply;
mod server;
mod state;

pub use content::COMMIT;
pub use fault::Fault;
pub use server::Server;
pub use state::Request;
