//! A client of model hubs: what a repository holds at a commit, and its files, each held to its hash.
//!
//! ```no_run
//! use hyper_flow_hub::{Hub, Silent, choose};
//!
//! # fn main() -> Result<(), hyper_flow_hub::HubError> {
//! let hub = Hub::from_env()?;
//! let repo = "org/model".parse()?;
//! let commit = hub.commit_of(&repo, "main")?;
//! let files = hub.files(&repo, &commit, &Silent)?;
//! let wanted = choose(&files, &["unet/*.safetensors".to_owned()], &repo)?;
//! hub.download_all(&repo, &commit, &wanted, "model".as_ref(), &Silent)?;
//! # Ok(())
//! # }
//! ```
//!
//! The endpoint is Hugging Face's, or that of `HF_ENDPOINT` (a mirror); the token is that of `HF_TOKEN`. Proxies are those
//! that the environment names, certificates those of the system.
//!
//! A download goes to a file beside the final one, `.partial`, and gets its name when size and hash are right. Cut short, by
//! the network or by the death of the process, it goes on where it ended. No `ETag` is kept for that: the hash is known before
//! the first byte, so a part that does not belong is found out, thrown away and fetched once more from the beginning.
//!
//! What is absent: jobs, pipelines and the store. This crate fills a directory that it is given.

mod address;
mod choose;
mod client;
mod download;
mod error;
mod hash;
mod hub;
mod listing;
mod partial;
mod path;
mod reply;
mod repo;
mod retry;
mod settings;
mod space;
mod transfer;
mod watch;

pub use choose::choose;
pub use download::download_url;
pub use error::HubError;
pub use hash::Hash;
pub use hub::Hub;
pub use listing::RemoteFile;
pub use repo::Repo;
pub use settings::{Patience, Settings, Token};
pub use watch::{Silent, Watch};
