//! CLIP's tokenizer: byte-level BPE, as transformers' `CLIPTokenizer`.

mod encode;
mod files;
mod train;
mod words;

pub use encode::ClipTokenizer;
