//! A classifier's opinion: how surely a picture is of its caption's class.

use super::{Captions, Score};
use crate::classifier::{Classifier, ClassifierConfig};
use crate::error::DiffusionError;
use crate::send;
use std::path::Path;
use tch::{Device, Kind, Tensor};

/// The log-probability of the caption's class, at most 0.
///
/// Not the probability: that of a picture which is read as another class is 0, and its slope too, so that the pictures which
/// need it most would get no gradient.
#[derive(Debug)]
pub struct ClassifierScore {
    net: Classifier,
    config: ClassifierConfig,
    device: Device,
}

impl ClassifierScore {
    /// Reads what [`Classifier::save`] wrote; in float32, for it is small.
    ///
    /// # Errors
    /// As [`Classifier::load`].
    pub fn load(folder: &Path, device: Device) -> Result<Self, DiffusionError> {
        let (net, config) = Classifier::load(folder, device)?;
        Ok(Self { net, config, device })
    }
}

impl Score for ClassifierScore {
    fn channels(&self) -> i64 {
        self.config.channels
    }

    /// Their classes.
    fn captions(&self, captions: &[String]) -> Result<Captions, DiffusionError> {
        let class = |caption: &String| {
            let found = self.config.classes.iter().position(|class| class == caption);
            found.map(|class| class as i64).ok_or_else(|| DiffusionError::Config {
                what: "the classifier".into(),
                message: format!("has no class `{caption}`; train it on the same captions"),
            })
        };
        let classes = captions.iter().map(class).collect::<Result<Vec<_>, _>>()?;
        Ok(Captions(send(&Tensor::from_slice(&classes), self.device)))
    }

    fn score(&self, pictures: &Tensor, captions: &Captions) -> Tensor {
        let logits = self.net.logits(&self.features(pictures));
        logits.log_softmax(1, Kind::Float).gather(1, &captions.0.unsqueeze(1), false).squeeze_dim(1)
    }

    /// The last hidden layer.
    fn features(&self, pictures: &Tensor) -> Tensor {
        self.net.features(&pictures.to_kind(Kind::Float))
    }
}
