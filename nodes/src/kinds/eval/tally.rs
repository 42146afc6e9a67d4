//! The numbers of a row, as pictures come.

use std::collections::BTreeMap;

use hyper_flow_diffusion::metrics::{clip_score, diversity, frechet_distance, manifold};
use hyper_flow_spec::kinds::Eval;
use tch::{Kind, Tensor, no_grad};

use super::meter::{Judge, Meter};
use super::row::Row;
use crate::NodeError;
use crate::scorer::Scorer;

/// A row in the making: features are kept, pictures are not.
pub(super) struct Tally<'a> {
    meter: &'a Meter<'a>,
    features: Vec<Tensor>,
    /// The position of each picture's caption among the meter's.
    captions: Vec<i64>,
    clip: Mean,
    reward: Option<(&'a Scorer, Mean)>,
    scores: Vec<(&'a str, &'a Scorer, Mean)>,
    trajectory: Mean,
}

impl<'a> Tally<'a> {
    pub(super) fn new(meter: &'a Meter<'a>) -> Self {
        Self {
            meter,
            features: Vec::new(),
            captions: Vec::new(),
            clip: Mean::default(),
            reward: meter.reward.as_ref().map(|scorer| (scorer, Mean::default())),
            scores: meter.scores.iter().map(|(name, scorer)| (*name, scorer, Mean::default())).collect(),
            trajectory: Mean::default(),
        }
    }

    /// Adds pictures (b, c, h, w) with their captions, and what the reference drew from the same noise.
    pub(super) fn add(&mut self, pictures: &Tensor, captions: &[String], reference: Option<&Tensor>) {
        let meter = self.meter;
        let position = |text: &String| meter.captions.binary_search(text).expect("the list holds every caption") as i64;
        let own: Vec<i64> = captions.iter().map(position).collect();
        let at = Tensor::from_slice(&own).to_device(meter.context.device);
        self.captions.extend(own);
        no_grad(|| {
            let seen = meter.clip.features(pictures);
            self.clip.add(&meter.clip.cosine(&seen, &meter.clip_captions.select(&at)));
            self.features.push(meter.judge.as_ref().map_or(seen, |judge| judge.net.features(pictures)));
            if let Some((scorer, mean)) = &mut self.reward {
                mean.add(&scorer.score(pictures, &at));
            }
            for (_, scorer, mean) in &mut self.scores {
                mean.add(&scorer.score(pictures, &at));
            }
            if let Some(reference) = reference {
                self.trajectory.add(&(pictures - reference).square());
            }
        });
    }

    /// The numbers of all that was added.
    pub(super) fn row(&self, candidate: &str) -> Result<Row, NodeError> {
        let features = Tensor::cat(&self.features, 0);
        let scores = self.scores.iter().map(|(name, _, mean)| Some(((*name).to_owned(), mean.value()?)));
        Ok(Row {
            candidate: candidate.to_owned(),
            steps: None,
            frechet: frechet_distance(&self.meter.real, &features),
            clip_score: clip_score(self.clip.value().unwrap_or(f64::NAN)),
            reward: self.reward.as_ref().and_then(|(_, mean)| mean.value()),
            diversity: self.diversity_within(&features),
            coverage: manifold(&self.meter.real, &features, Eval::NEIGHBOURS)?.coverage,
            accuracy: self.meter.judge.as_ref().map(|judge| self.accuracy(judge, &features)),
            trajectory_mse: self.trajectory.value(),
            scores: scores.flatten().collect(),
        })
    }

    /// The share of pictures that the judge reads as their caption.
    fn accuracy(&self, judge: &Judge, features: &Tensor) -> f64 {
        let class = |caption: &String| judge.config.classes.iter().position(|class| class == caption);
        let classes: Vec<i64> =
            self.meter.captions.iter().map(|caption| class(caption).map_or(-1, |class| class as i64)).collect();
        let own: Vec<i64> = self.captions.iter().map(|&caption| classes[caption as usize]).collect();
        let read = no_grad(|| judge.net.logits(features)).argmax(1, false);
        let right = read.eq_tensor(&Tensor::from_slice(&own).to_device(self.meter.context.device));
        right.to_kind(Kind::Double).mean(Kind::Double).double_value(&[])
    }

    /// Mean distance of two pictures of one caption, averaged over the captions: that pictures of different captions differ
    /// says nothing. None where no caption has two.
    fn diversity_within(&self, features: &Tensor) -> Option<f64> {
        let mut places: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for (place, caption) in self.captions.iter().enumerate() {
            places.entry(*caption).or_default().push(place as i64);
        }
        let several = places.values().filter(|places| places.len() > 1);
        let own =
            |places: &Vec<i64>| features.index_select(0, &Tensor::from_slice(places).to_device(features.device()));
        let within: Vec<f64> = several.map(|places| diversity(&own(places))).collect();
        (!within.is_empty()).then(|| within.iter().sum::<f64>() / within.len() as f64)
    }
}

/// A mean in the making.
#[derive(Default)]
struct Mean {
    total: f64,
    count: usize,
}

impl Mean {
    fn add(&mut self, values: &Tensor) {
        self.total += values.sum(Kind::Double).double_value(&[]);
        self.count += values.numel();
    }

    /// None of nothing.
    fn value(&self) -> Option<f64> {
        (self.count > 0).then(|| self.total / self.count as f64)
    }
}
