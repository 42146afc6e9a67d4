//! Weights in safetensors files: equal tensors give equal bytes, a file is whole or absent, and nothing is skipped.

mod change;
mod copy;
mod eight;
mod finite;
mod folder;
mod foreign;
mod header;
mod later;
mod load;
mod names;
mod read;
mod rows;
mod shards;
#[cfg(test)]
mod tests;
mod write;

pub use change::rewrite_tensors;
pub use copy::{Part, Source, copy_tensors};
pub use folder::{find_weights, has_weights};
pub(crate) use load::{assign, check_floating};
pub use load::{load_pretrained, load_var_store};
pub use names::{is_position_ids, vae_name};
pub use read::{WeightFile, read_tensors};
pub use rows::RowWriter;
pub use shards::Weights;
pub use write::{Entry, remove_partials, save_var_store, write_tensors};
