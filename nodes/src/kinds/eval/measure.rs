//! The numbers of a row.

use hyper_flow_diffusion::metrics::{diversity, frechet_distance, manifold};
use hyper_flow_diffusion::{Classifier, ClassifierConfig};
use tch::{Device, Kind, Tensor, no_grad};

use super::row::Row;
use super::subject::Subject;
use crate::NodeError;
use crate::dataset::Dataset;
use crate::scorer::{Scorer, cosine};

/// Neighbours of the balls that coverage is counted by (Naeem et al. 2020).
const NEIGHBOURS: i64 = 5;
/// Pictures whose features are computed at once.
const CHUNK: i64 = 500;

/// Measures pictures against the real ones.
pub(super) struct Meter<'a> {
    judge: &'a Classifier,
    classes: &'a [String],
    clip: &'a Scorer,
    reward: Option<&'a Scorer>,
    /// Features of the real pictures that were trained on.
    real: Tensor,
    /// The caption of each picture to be measured.
    captions: Vec<String>,
    device: Device,
}

impl<'a> Meter<'a> {
    pub(super) fn new(
        judge: &'a Classifier,
        config: &'a ClassifierConfig,
        clip: &'a Scorer,
        reward: Option<&'a Scorer>,
        data: &Dataset,
        captions: Vec<&str>,
        device: Device,
    ) -> Result<Self, NodeError> {
        if let Some(unknown) = captions.iter().find(|caption| !config.classes.iter().any(|class| class == *caption)) {
            return Err(NodeError::Unfit(format!("the judge has no class `{unknown}`; train it on the same dataset")));
        }
        let real = features(judge, &data.train.all_images(device));
        let captions = captions.into_iter().map(str::to_owned).collect();
        Ok(Self { judge, classes: &config.classes, clip, reward, real, captions, device })
    }

    /// A subject's pictures, against the reference's of the same noise where there is one.
    pub(super) fn row(
        &self,
        subject: &Subject<'_>,
        pictures: &Tensor,
        reference: Option<&Tensor>,
    ) -> Result<Row, NodeError> {
        let error = |other: &Tensor| (pictures - other).square().mean(Kind::Double).double_value(&[]);
        let row = self.measure(subject.name, pictures, &self.captions)?;
        Ok(Row { steps: Some(subject.steps.get()), trajectory_mse: reference.map(error), ..row })
    }

    /// The held-out real pictures: the floor under every distance.
    pub(super) fn held_out(&self, data: &Dataset) -> Result<Row, NodeError> {
        self.measure("real, held out", &data.held_out.all_images(self.device), &data.held_out.captions)
    }

    fn measure(&self, name: &str, pictures: &Tensor, captions: &[String]) -> Result<Row, NodeError> {
        let features = features(self.judge, pictures);
        let score = |scorer: &Scorer| self.agreement(scorer, pictures, captions);
        Ok(Row {
            candidate: name.to_owned(),
            steps: None,
            frechet: frechet_distance(&self.real, &features),
            clip_score: 100.0 * score(self.clip)?,
            reward: self.reward.map(score).transpose()?,
            diversity: self.diversity_within(&features, captions),
            coverage: manifold(&self.real, &features, NEIGHBOURS)?.coverage,
            accuracy: self.accuracy(&features, captions),
            trajectory_mse: None,
        })
    }

    fn class_indices(&self, captions: &[String]) -> Tensor {
        let class = |caption: &String| self.classes.iter().position(|c| c == caption).map_or(-1, |i| i as i64);
        Tensor::from_slice(&captions.iter().map(class).collect::<Vec<_>>()).to_device(self.device)
    }

    fn accuracy(&self, features: &Tensor, captions: &[String]) -> f64 {
        let read = no_grad(|| self.judge.logits(features)).argmax(1, false);
        read.eq_tensor(&self.class_indices(captions)).to_kind(Kind::Double).mean(Kind::Double).double_value(&[])
    }

    /// Mean distance of two pictures of one caption, averaged over the captions: that pictures of different captions differ
    /// says nothing.
    fn diversity_within(&self, features: &Tensor, captions: &[String]) -> f64 {
        let classes = self.class_indices(captions);
        let within = (0..self.classes.len() as i64).filter_map(|class| {
            let own = features.index_select(0, &classes.eq(class).nonzero().flatten(0, -1));
            (own.size()[0] > 1).then(|| diversity(&own))
        });
        let within: Vec<f64> = within.collect();
        within.iter().sum::<f64>() / within.len() as f64
    }

    /// Mean cosine of pictures and captions.
    fn agreement(&self, scorer: &Scorer, pictures: &Tensor, captions: &[String]) -> Result<f64, NodeError> {
        let texts = scorer.captions(self.classes)?.index_select(0, &self.class_indices(captions));
        let mut total = 0.0;
        for (pictures, texts) in pictures.split(CHUNK, 0).iter().zip(texts.split(CHUNK, 0)) {
            let seen = no_grad(|| scorer.pictures(pictures))?;
            total += cosine(&seen, &texts).sum(Kind::Double).double_value(&[]);
        }
        Ok(total / pictures.size()[0] as f64)
    }
}

fn features(judge: &Classifier, pictures: &Tensor) -> Tensor {
    let chunks = pictures.split(CHUNK, 0);
    no_grad(|| Tensor::cat(&chunks.iter().map(|chunk| judge.features(chunk)).collect::<Vec<_>>(), 0))
}
