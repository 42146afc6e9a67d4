//! CLIP: text and image towers, their joint model and the tokenizer, in transformers' structure, names and files.

mod config;
mod encoder;
mod init;
mod model;
mod pretrained;
mod text;
mod tokenizer;
mod vision;

pub use config::{ClipConfig, ClipTextConfig, ClipVisionConfig, HiddenAct};
pub use model::{ClipModel, ClipOutput};
pub use pretrained::{Pretrained, load, new, save};
pub(crate) use pretrained::{name_of, read_config, write_config};
pub use text::{ClipTextModel, ClipTextModelWithProjection, ClipTextOutput};
pub use tokenizer::ClipTokenizer;
pub use vision::{ClipVisionModelWithProjection, ClipVisionOutput};
