//! The LAION aesthetic predictor (improved-aesthetic-predictor): how well liked a picture is, whatever it shows.

use super::clip::unit;
use super::clip_pictures::ClipPictures;
use super::head::Head;
use super::{Captions, Score};
use crate::DiffusionError;
use crate::clip::{self, ClipVisionConfig, ClipVisionModelWithProjection};
use crate::weights::{load_var_store, save_var_store};
use std::path::Path;
use tch::{Device, Kind, Tensor, nn};

/// The folder of a saved predictor that holds its image tower.
const TOWER: &str = "image_encoder";
const HEAD: &str = "head.safetensors";

/// A mark from about 1 to 10, from a head on the normalised picture embedding of CLIP ViT-L/14.
///
/// The published heads without an activation are meant, such as `sac+logos+ava1-l14-linearMSE`; those called `relu` have
/// the same keys and give other numbers.
#[derive(Debug)]
pub struct AestheticScore {
    tower_store: nn::VarStore,
    tower: ClipVisionModelWithProjection,
    config: ClipVisionConfig,
    pictures: ClipPictures,
    head_store: nn::VarStore,
    head: Head,
}

impl AestheticScore {
    /// Puts a CLIP folder, as [`super::ClipScore::load`] reads it, and a head's file together.
    ///
    /// # Errors
    /// As [`clip::load`] and [`load_var_store`]; [`DiffusionError::Config`] for preprocessing that does not fit.
    pub fn open(clip: &Path, head: &Path, kind: Kind, device: Device) -> Result<Self, DiffusionError> {
        let (mut tower_store, tower, config) = clip::load::<ClipVisionModelWithProjection>(clip, kind, device)?;
        tower_store.freeze();
        let pictures = ClipPictures::load(clip, &config)?;
        // Whatever `kind` is: it costs nothing, and its rounding would hide what tells two pictures apart.
        let mut head_store = nn::VarStore::new(device);
        let net = Head::new(&head_store.root(), config.projection_dim);
        load_var_store(&head_store, head, "")?;
        head_store.freeze();
        Ok(Self { tower_store, tower, config, pictures, head_store, head: net })
    }

    /// Writes all that [`AestheticScore::load`] needs into a folder.
    ///
    /// # Errors
    /// [`DiffusionError::Io`], or what the weight file says.
    pub fn save(&self, folder: &Path) -> Result<(), DiffusionError> {
        let tower = folder.join(TOWER);
        clip::save::<ClipVisionModelWithProjection>(&tower, &self.tower_store, &self.config)?;
        self.pictures.save(&tower)?;
        save_var_store(&self.head_store, &folder.join(HEAD))?;
        super::folder::write(folder, super::folder::Form::Aesthetic)
    }

    /// Reads what [`AestheticScore::save`] wrote.
    ///
    /// # Errors
    /// As [`AestheticScore::open`].
    pub fn load(folder: &Path, kind: Kind, device: Device) -> Result<Self, DiffusionError> {
        Self::open(&folder.join(TOWER), &folder.join(HEAD), kind, device)
    }
}

impl Score for AestheticScore {
    fn channels(&self) -> i64 {
        self.pictures.channels()
    }

    /// Captions do not matter.
    fn captions(&self, captions: &[String]) -> Result<Captions, DiffusionError> {
        Ok(Captions(Tensor::zeros([captions.len() as i64, 0], (Kind::Float, self.head_store.device()))))
    }

    fn score(&self, pictures: &Tensor, _: &Captions) -> Tensor {
        self.head.forward(&unit(&self.features(pictures)))
    }

    /// The picture embedding of its CLIP.
    fn features(&self, pictures: &Tensor) -> Tensor {
        let (_, embeds) = self.tower.forward(&self.pictures.forward(pictures));
        embeds.to_kind(Kind::Float)
    }
}
