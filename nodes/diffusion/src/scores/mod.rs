//! Frozen networks that say how good a picture is, in their published structure, names and files. All take pictures of
//! any size in [−1, 1] and are differentiable with respect to them.

mod aesthetic;
mod brightness;
mod classifier;
mod clip;
mod clip_pictures;
mod folder;
mod head;
mod image_reward;
mod score;

pub use aesthetic::AestheticScore;
pub use brightness::Brightness;
pub use classifier::ClassifierScore;
pub use clip::ClipScore;
pub use folder::load;
pub use image_reward::{BertTokenizer, ImageReward, ImageRewardConfig, ImageRewardModel, TowerConfig};
pub use score::{Captions, Score};
