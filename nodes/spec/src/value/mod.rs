//! Parameters as a plain tree: what keys, differences and jobs are made of.

mod serializer;
mod tree;

pub use tree::{Leaf, Value};
