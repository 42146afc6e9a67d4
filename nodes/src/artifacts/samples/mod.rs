//! The samples of one half of a dataset or of latents: lines of what is said of each, and files of tensors beside them.
//!
//! | file | what |
//! |---|---|
//! | `train.jsonl` | a line a sample, see [`Line`] |
//! | `train.safetensors` | the tensors of squares of one size, in the order of the lines |
//! | `train.768x512.safetensors` | where the lines have a framing: those of pictures of 768×512 pixels, in the order of their lines |
//!
//! The other half is called `held_out`.

mod layout;
mod line;
mod slots;
mod table;

pub(crate) use layout::Layout;
pub(crate) use line::{Framing, Line};
pub(crate) use slots::Slots;
pub(crate) use table::Table;
