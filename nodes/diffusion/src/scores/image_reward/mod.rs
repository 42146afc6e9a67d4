//! ImageReward (arXiv 2304.05977): BLIP's image tower, its text tower that looks at the picture, and a head.

mod config;
mod model;
mod score;
mod text;
mod tokenizer;
mod vision;

pub use config::{ImageRewardConfig, TowerConfig};
pub use model::ImageRewardModel;
pub use score::ImageReward;
pub use tokenizer::BertTokenizer;
