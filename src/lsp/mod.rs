//! The language server: what an editor asks about a pipeline that is being written.
//!
//! `documents` holds the texts and has each looked at by `diagnose` when it changes. The rest works on an `outline`, which is
//! there also where the text is no RON yet: `place` says what the language wants at a byte, `names` what is defined and
//! used where. `complete`, `hover` and `find` answer in bytes; `answer` and `position` say it in the words of the protocol.

mod about;
mod answer;
mod complete;
mod diagnose;
mod documents;
mod find;
mod hover;
mod names;
mod outline;
mod pattern;
mod place;
mod position;
mod server;
mod snippet;

pub(crate) use find::{NodeName, nodes, params};
pub(crate) use server::serve;
