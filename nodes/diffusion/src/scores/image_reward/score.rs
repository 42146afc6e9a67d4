//! The score: published weights, captions, pictures of any size.

use super::tokenizer::BertTokenizer;
use super::{ImageRewardConfig, ImageRewardModel};
use crate::DiffusionError;
use crate::image_processor::ImageProcessor;
use crate::scores::folder::{self, Form};
use crate::scores::{Captions, Score};
use crate::weights::{Weights, is_position_ids, load_pretrained, save_var_store};
use std::path::Path;
use tch::{Device, Kind, Tensor, nn};

const WEIGHTS: &str = "model.safetensors";
/// Tokens of a caption, begin and end included.
const MAX_LENGTH: usize = 35;
/// Mean and deviation of the head's output on the pictures that it was trained on.
const MEAN: f64 = 0.16717362830052426;
const STD: f64 = 1.0333394966054072;
/// First components of what the published file has from BLIP's training, and no score needs.
const UNUSED: [&str; 2] = ["blip.text_proj.", "blip.vision_proj."];

/// How well people like a picture for a caption, standardised: 0 is the average picture of its training, 1 a deviation
/// better. (ReFL, its authors' training, minimises ReLU(2 − r).)
#[derive(Debug)]
pub struct ImageReward {
    store: nn::VarStore,
    model: ImageRewardModel,
    tokenizer: BertTokenizer,
    processor: ImageProcessor,
}

impl ImageReward {
    /// Reads the weights under the keys of the published `ImageReward.pt`, and the `vocab.txt` of `bert-base-uncased`
    /// (that file, or a folder with it).
    ///
    /// # Errors
    /// As [`ImageRewardConfig::of_weights`] and [`BertTokenizer::read`]; [`DiffusionError::Keys`] listing every key that does
    /// not fit; [`DiffusionError::Config`] for a vocabulary of another size.
    pub fn open(weights: &Path, tokenizer: &Path, kind: Kind, device: Device) -> Result<Self, DiffusionError> {
        let weights = Weights::open(weights)?;
        let config = ImageRewardConfig::of_weights(&weights)?;
        let tokenizer = read_tokenizer(tokenizer, &config)?;
        let mut store = nn::VarStore::new(device);
        store.set_kind(kind);
        let model = ImageRewardModel::new(&store.root(), &config);
        load_pretrained(&store, &weights, name_of)?;
        store.freeze();
        let processor = ImageProcessor::clip(config.image_size);
        Ok(Self { store, model, tokenizer, processor })
    }

    /// Writes all that [`ImageReward::load`] needs into a folder.
    ///
    /// # Errors
    /// [`DiffusionError::Io`], or what the weight file says.
    pub fn save(&self, folder: &Path) -> Result<(), DiffusionError> {
        save_var_store(&self.store, &folder.join(WEIGHTS))?;
        self.tokenizer.write(folder)?;
        folder::write(folder, Form::ImageReward)
    }

    /// Reads what [`ImageReward::save`] wrote.
    ///
    /// # Errors
    /// As [`ImageReward::open`].
    pub fn load(folder: &Path, kind: Kind, device: Device) -> Result<Self, DiffusionError> {
        Self::open(&folder.join(WEIGHTS), folder, kind, device)
    }
}

/// The model's name of a key, which is its own, unless the key is known to be of no use.
fn name_of(key: &str) -> Option<String> {
    let unused = is_position_ids(key) || UNUSED.iter().any(|prefix| key.starts_with(prefix));
    (!unused).then(|| key.to_owned())
}

fn read_tokenizer(path: &Path, config: &ImageRewardConfig) -> Result<BertTokenizer, DiffusionError> {
    let tokenizer = BertTokenizer::read(path)?;
    let (found, wanted) = (tokenizer.vocab_size(), config.vocab_size);
    if found == wanted {
        return Ok(tokenizer);
    }
    let message = format!("has {found} tokens with BLIP's two, and the weights have {wanted}");
    Err(DiffusionError::Config { what: path.display().to_string(), message })
}

impl Score for ImageReward {
    fn channels(&self) -> i64 {
        3
    }

    fn captions(&self, captions: &[String]) -> Result<Captions, DiffusionError> {
        self.tokenizer.encode_batch(captions, MAX_LENGTH, self.store.device()).map(Captions)
    }

    fn score(&self, pictures: &Tensor, captions: &Captions) -> Tensor {
        let (ids, mask) = (captions.0.select(1, 0), captions.0.select(1, 1));
        (self.model.forward(&self.processor.forward(pictures), &ids, &mask) - MEAN) / STD
    }

    /// What the image tower's class token has become.
    fn features(&self, pictures: &Tensor) -> Tensor {
        self.model.picture_features(&self.processor.forward(pictures))
    }
}
