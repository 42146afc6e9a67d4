//! The numbers of a row, as pictures come.

use std::collections::BTreeMap;

use hyper_flow_diffusion::metrics::{Estimate, Manifold, Resamples, diversity_within};
use hyper_flow_spec::metrics::NUMBERS;
use tch::{Kind, Tensor, no_grad};

use super::album::Album;
use super::meter::{Judge, Meter};
use crate::NodeError;

/// A row in the making: features are kept, and a value of each picture for each number; pictures only for programs.
pub(super) struct Tally<'a> {
    meter: &'a Meter<'a>,
    features: Vec<Tensor>,
    /// The position of each picture's caption among the meter's.
    captions: Vec<i64>,
    /// Those numbers that are means of a value of each picture.
    values: BTreeMap<&'a str, Vec<Tensor>>,
    album: Option<Album<'a>>,
}

impl<'a> Tally<'a> {
    pub(super) fn new(meter: &'a Meter<'a>) -> Result<Self, NodeError> {
        let (features, captions, values) = (Vec::new(), Vec::new(), BTreeMap::new());
        Ok(Self { meter, features, captions, values, album: Album::new(meter)? })
    }

    /// Adds pictures (b, c, h, w) with their captions, and what the reference drew from the same noise.
    pub(super) fn add(
        &mut self,
        pictures: &Tensor,
        captions: &[String],
        reference: Option<&Tensor>,
    ) -> Result<(), NodeError> {
        let meter = self.meter;
        let position = |text: &String| meter.captions.binary_search(text).expect("the list holds every caption") as i64;
        let own: Vec<i64> = captions.iter().map(position).collect();
        if let Some(album) = &mut self.album {
            album.add(pictures, &own)?;
        }
        let at = Tensor::from_slice(&own).to_device(meter.context.device);
        self.captions.extend(own);
        no_grad(|| self.measure(pictures, &at, reference));
        Ok(())
    }

    fn measure(&mut self, pictures: &Tensor, captions: &Tensor, reference: Option<&Tensor>) {
        let meter = self.meter;
        let seen = meter.clip.features(pictures);
        self.push("clip_score", &(meter.clip.cosine(&seen, &meter.clip_captions.select(captions)) * 100.0));
        self.features.push(meter.judge.as_ref().map_or(seen, |judge| judge.net.features(pictures)));
        let reward = meter.reward.as_ref().map(|scorer| ("reward", scorer));
        for (name, scorer) in reward.into_iter().chain(meter.scores.iter().map(|(name, scorer)| (*name, scorer))) {
            self.push(name, &scorer.score(pictures, captions));
        }
        if let Some(reference) = reference {
            let distances = (pictures - reference).square().mean_dim([1i64, 2, 3].as_slice(), false, Kind::Double);
            self.push("trajectory_mse", &distances);
        }
    }

    fn push(&mut self, name: &'a str, values: &Tensor) {
        self.values.entry(name).or_default().push(values.to_kind(Kind::Double));
    }

    /// The numbers of all that was added, those that have a meaning.
    pub(super) fn numbers(&self, resamples: &Resamples) -> Result<BTreeMap<String, Estimate>, NodeError> {
        let (meter, features) = (self.meter, Tensor::cat(&self.features, 0));
        let means = self.values.iter().map(|(name, values)| (*name, resamples.mean(&Tensor::cat(values, 0))));
        let mut numbers: BTreeMap<&str, Estimate> = means.collect();
        if let Some(album) = &self.album {
            numbers.extend(album.scores()?.into_iter().map(|(name, scores)| (name, resamples.mean(&scores))));
        }
        let Manifold { precision, recall, coverage, .. } = meter.real.manifold(&features, resamples)?;
        numbers.extend([("precision", precision), ("recall", recall), ("coverage", coverage)]);
        numbers.insert("frechet", meter.real.frechet(&features, resamples));
        numbers
            .extend(diversity_within(&features, &self.groups(), resamples).map(|diversity| ("diversity", diversity)));
        numbers.extend(meter.judge.as_ref().map(|judge| ("accuracy", resamples.mean(&self.right(judge, &features)))));
        Ok(numbers.into_iter().map(|(name, number)| (name.to_owned(), in_range(name, number))).collect())
    }

    /// Which pictures the judge reads as their caption.
    fn right(&self, judge: &Judge, features: &Tensor) -> Tensor {
        let class = |caption: &String| judge.config.classes.iter().position(|class| class == caption);
        let classes: Vec<i64> =
            self.meter.captions.iter().map(|caption| class(caption).map_or(-1, |class| class as i64)).collect();
        let own: Vec<i64> = self.captions.iter().map(|&caption| classes[caption as usize]).collect();
        let read = no_grad(|| judge.net.logits(features)).argmax(1, false);
        read.eq_tensor(&Tensor::from_slice(&own).to_device(self.meter.context.device))
    }

    /// The places of the pictures of each caption that has several: that pictures of different captions differ says nothing
    /// of diversity.
    fn groups(&self) -> Vec<Vec<i64>> {
        let mut places: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for (place, caption) in self.captions.iter().enumerate() {
            places.entry(*caption).or_default().push(place as i64);
        }
        places.into_values().filter(|places| places.len() > 1).collect()
    }
}

/// A number that cannot be everywhere says so.
fn in_range(name: &str, number: Estimate) -> Estimate {
    match NUMBERS.iter().find(|known| known.name == name) {
        Some(known) => number.within(known.range.0, known.range.1),
        None => number,
    }
}
