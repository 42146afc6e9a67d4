//! What a training draws from: samples as the model sees them, with what their captions give it.

use std::rc::Rc;

use hyper_flow_diffusion::rng::Rng;
use hyper_flow_diffusion::vae::AutoencoderKl;
use hyper_flow_diffusion::{Conditions, DiffusionError, TextEncoders, TimeIds};
use hyper_flow_spec::Fraction;
use tch::{Device, Kind, Tensor, no_grad};

use crate::artifacts::dataset::{Masks, Split, positions};
use crate::artifacts::latents::Latents;
use crate::artifacts::samples::Layout;
use crate::training::Draw;

/// The training half of a dataset, or of latents. Each distinct caption is encoded once. What is drawn are slots: each sample as
/// often as it comes in an epoch, and those of one size together.
#[derive(Debug)]
pub(crate) struct Conditioned {
    source: Source,
    device: Device,
    /// Distinct captions of this half, sorted.
    pub(crate) captions: Vec<String>,
    /// For each sample the position of its caption.
    caption_of: Vec<i64>,
    /// What no caption gives, one row.
    pub(crate) empty: Conditions,
}

/// What samples are told, some of them that they have no caption.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) conditions: Conditions,
    /// The positions of those that are told their own; none where all are.
    pub(crate) own: Option<Tensor>,
}

/// Where samples and conditions are.
#[derive(Debug)]
enum Source {
    /// Pictures on disk, conditions of the captions in memory; with a VAE samples are its latents.
    Pictures { data: Rc<Split>, conditions: Conditions, vae: Option<Rc<AutoencoderKl>> },
    /// Everything on disk. For each caption of this half its row there.
    Latents { latents: Box<Latents>, rows: Vec<i64> },
}

impl Conditioned {
    /// Encodes the captions of one half of a dataset.
    pub(crate) fn new(data: &Rc<Split>, encoders: &TextEncoders, device: Device) -> Result<Self, DiffusionError> {
        Self::encoded(data, encoders, None, device)
    }

    /// As [`Conditioned::new`], with samples that a VAE makes of the pictures whenever they are drawn.
    pub(crate) fn encoded(
        data: &Rc<Split>,
        encoders: &TextEncoders,
        vae: Option<Rc<AutoencoderKl>>,
        device: Device,
    ) -> Result<Self, DiffusionError> {
        let captions = distinct(&data.captions);
        // Of squares; whoever draws others is told their own.
        let time_ids = TimeIds::square(data.shape_of(0)[1]);
        let conditions = encoders.encode(&captions, time_ids)?;
        let empty = encoders.empty(time_ids)?;
        let caption_of = positions(&data.captions, &captions);
        let source = Source::Pictures { data: data.clone(), conditions, vae };
        Ok(Self { source, device, captions, caption_of, empty })
    }

    /// The training half of latents.
    pub(crate) fn of_latents(latents: Latents, device: Device) -> Result<Self, DiffusionError> {
        let captions = distinct(&latents.train.captions);
        let caption_of = positions(&latents.train.captions, &captions);
        let (empty, rows) = (latents.empty()?, positions(&captions, &latents.captions));
        let source = Source::Latents { latents: Box::new(latents), rows };
        Ok(Self { source, device, captions, caption_of, empty })
    }

    /// The next slots of this training, all of one size.
    pub(crate) fn slots(&self, draw: &Draw<'_>) -> Vec<i64> {
        draw.slots(self.layout().slots())
    }

    fn layout(&self) -> &Layout {
        match &self.source {
            Source::Pictures { data, .. } => &data.layout,
            Source::Latents { latents, .. } => &latents.train.layout,
        }
    }

    /// A draw from what the VAE says of pictures, another one each time.
    fn latents(&self, vae: &AutoencoderKl, pictures: &Tensor, slots: &[i64], draw: &Draw<'_>) -> Tensor {
        let noise = draw.randn("latents", &self.shape_of(slots));
        no_grad(|| vae.to_latents(pictures, Some(&noise)))
    }

    /// Samples (b, c, h, w) and what their captions give: the next ones of this training. Pictures are in [−1, 1].
    pub(crate) fn batch(&self, draw: &Draw<'_>) -> Result<(Tensor, Conditions), DiffusionError> {
        let slots = self.slots(draw);
        let samples = self.samples(&slots)?;
        let samples = match &self.source {
            Source::Pictures { vae: Some(vae), .. } => self.latents(vae, &samples, &slots, draw),
            _ => samples,
        };
        Ok((samples, self.conditions_of(&slots)?))
    }

    /// These conditions, but those of no caption for a share of the samples. Which they are is drawn.
    pub(crate) fn with_empty(&self, conditions: Conditions, share: Fraction, draw: &Draw<'_>) -> Told {
        if share.is_zero() {
            return Told { conditions, own: None };
        }
        let is_empty = draw.uniform("dropout", 0.0, 1.0).lt(share.get());
        let own = is_empty.logical_not().nonzero().flatten(0, -1);
        let empty = self.empty.expand_as(&conditions);
        Told { conditions: conditions.replace_where(&is_empty, &empty), own: Some(own) }
    }

    /// Samples (b, c, h, w) of slots, the pictures where a VAE encodes them anew each time.
    pub(crate) fn samples(&self, slots: &[i64]) -> Result<Tensor, DiffusionError> {
        match &self.source {
            Source::Pictures { data, .. } => data.drawn(slots, self.device),
            Source::Latents { latents, .. } => latents.train.drawn(slots, self.device),
        }
    }

    /// The masks of the samples' pictures, if there are any.
    pub(crate) fn masks(&self) -> Option<&Masks> {
        match &self.source {
            Source::Pictures { data, .. } => data.masks.as_ref(),
            Source::Latents { latents, .. } => latents.train.masks.as_ref(),
        }
    }

    /// What the captions of slots give.
    pub(crate) fn conditions_of(&self, slots: &[i64]) -> Result<Conditions, DiffusionError> {
        let conditions = self.of_captions(&self.caption_indices_of(slots))?;
        let slots_of = self.layout().slots();
        let time_ids = slots.iter().map(|&slot| self.layout().time_ids(slots_of.sample(slot)));
        Ok(match time_ids.collect::<Option<Vec<_>>>() {
            Some(own) => conditions
                .with_time_ids(&Tensor::cat(&own.iter().map(|ids| ids.tensor(1, self.device)).collect::<Vec<_>>(), 0)),
            None => conditions,
        })
    }

    /// What captions give for samples of [`sample_shape`](Self::sample_shape), by their positions in this half.
    pub(crate) fn conditions(&self, captions: &[i64]) -> Result<Conditions, DiffusionError> {
        let (conditions, first) = (self.of_captions(captions)?, self.layout().slots().sample(self.commonest()));
        Ok(match self.layout().time_ids(first) {
            Some(TimeIds { target, .. }) => {
                conditions.with_time_ids(&TimeIds::uncropped(target).tensor(captions.len() as i64, self.device))
            }
            None => conditions,
        })
    }

    fn of_captions(&self, captions: &[i64]) -> Result<Conditions, DiffusionError> {
        match &self.source {
            Source::Pictures { conditions, .. } => Ok(conditions.select(captions)),
            Source::Latents { latents, rows } => {
                latents.conditions(&captions.iter().map(|&caption| rows[caption as usize]).collect::<Vec<_>>())
            }
        }
    }

    /// The positions of the captions of slots.
    pub(crate) fn caption_indices_of(&self, slots: &[i64]) -> Vec<i64> {
        let slots_of = self.layout().slots();
        slots.iter().map(|&slot| self.caption_of[slots_of.sample(slot) as usize]).collect()
    }

    /// The same noise and captions at every call, to look at a training by.
    pub(crate) fn showcase(&self, seed: u64) -> Result<(Tensor, Conditions), DiffusionError> {
        let count = SHOWCASE;
        let [c, h, w] = self.sample_shape();
        let shape = [count, c, h, w];
        let noise = Rng::at(seed, "showcase", 0).randn(&shape, (Kind::Float, self.device));
        let captions: Vec<i64> = (0..count).map(|i| i % self.captions.len() as i64).collect();
        Ok((noise, self.conditions(&captions)?))
    }

    /// What a training is looked at by while it goes on: captions, all of few or some of many, and noise for as many pictures
    /// of each. The same at every call.
    pub(crate) fn gallery(&self, seed: u64) -> (Tensor, Vec<i64>) {
        let all = self.captions.len() as i64;
        let shown = if all <= FEW { all } else { SOME };
        let captions: Vec<i64> = (0..shown).map(|i| i * all / shown).collect();
        let each = (SHOWCASE / shown.max(1)).min(ROW);
        let [c, h, w] = self.sample_shape();
        let noise = Rng::at(seed, "showcase", 0).randn(&[shown * each, c, h, w], (Kind::Float, self.device));
        (noise, captions)
    }

    /// (channels, height, width) of a sample; where there are several sizes, of the commonest.
    pub(crate) fn sample_shape(&self) -> [i64; 3] {
        self.shape_of(&[self.commonest()])
    }

    /// A slot of the commonest size.
    fn commonest(&self) -> i64 {
        let slots = self.layout().slots();
        let most = slots.counts().iter().enumerate().max_by_key(|&(bucket, &count)| (count, std::cmp::Reverse(bucket)));
        slots.first(most.map_or(0, |(bucket, _)| bucket))
    }

    /// How many sizes there are.
    pub(crate) fn sizes(&self) -> usize {
        self.layout().slots().counts().len()
    }

    /// (channels, height, width) of the samples of slots.
    pub(crate) fn shape_of(&self, slots: &[i64]) -> [i64; 3] {
        let sample = self.layout().slots().sample(slots[0]);
        match &self.source {
            Source::Pictures { data, vae: None, .. } => data.shape_of(sample),
            Source::Pictures { data, vae: Some(vae), .. } => {
                let ([_, h, w], factor) = (data.shape_of(sample), vae.config().downsampling());
                [vae.config().latent_channels, h / factor, w / factor]
            }
            Source::Latents { latents, .. } => latents.train.shape_of(sample),
        }
    }

    /// How many slots there are.
    pub(crate) fn len(&self) -> i64 {
        self.layout().slots().len()
    }
}

/// Each caption once, sorted.
fn distinct(captions: &[String]) -> Vec<String> {
    let mut distinct = captions.to_vec();
    distinct.sort();
    distinct.dedup();
    distinct
}

/// Samples in a picture of a training.
const SHOWCASE: i64 = 20;
/// So many captions are all shown, of more so many, and no more pictures of one than in a row of this length.
const FEW: i64 = 10;
const SOME: i64 = 5;
const ROW: i64 = 10;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::Path;

    use hyper_flow_diffusion::weights::write_tensors;

    use super::*;

    /// `count` rows, of which row i is `first` + i everywhere.
    fn ramp(first: i64, count: i64, size: &[i64]) -> Tensor {
        let column = Tensor::arange_start(first, first + count, (Kind::Float, Device::Cpu));
        column.reshape([&[-1], vec![1; size.len()].as_slice()].concat()).expand([&[count], size].concat(), false)
    }

    fn write(folder: &Path, name: &str, tensors: &[(&str, Tensor)]) {
        let tensors: BTreeMap<_, _> = tensors.iter().map(|(key, x)| ((*key).to_owned(), x.contiguous())).collect();
        write_tensors(&folder.join(name), &tensors, None).unwrap();
    }

    fn captions(folder: &Path, name: &str, captions: &[&str]) {
        let lines: String = captions.iter().map(|text| format!("{{\"text\": {text:?}}}\n")).collect();
        fs::write(folder.join(name), lines).unwrap();
    }

    /// Latents as SDXL's: the caption "b" is of the other half alone.
    fn latents(folder: &Path) -> Latents {
        let about = r#"{"side": 64, "encoders": {"vae": "", "text": ""}}"#;
        fs::write(folder.join("latents.json"), about).unwrap();
        captions(folder, "captions.jsonl", &["a", "b", "c"]);
        captions(folder, "train.jsonl", &["c", "a", "c", "a"]);
        write(folder, "train.safetensors", &[("latents", ramp(20, 4, &[4, 8, 8]))]);
        write(folder, "text.safetensors", &[("text", ramp(0, 3, &[2, 5]))]);
        write(folder, "pooled.safetensors", &[("pooled", ramp(10, 3, &[6]))]);
        write(folder, "empty.safetensors", &[("text", ramp(7, 1, &[2, 5])), ("pooled", ramp(8, 1, &[6]))]);
        Latents::read(folder, Kind::Float, Device::Cpu).unwrap()
    }

    /// The number of each row of text and pooled text.
    fn numbers(of: &Conditions) -> (Vec<f32>, Vec<f32>) {
        let first = |t: &Tensor| Vec::<f32>::try_from(t.flatten(1, -1).select(1, 0)).unwrap();
        let added = of.added.as_ref().unwrap();
        assert_eq!(added.time_ids, TimeIds::square(64).tensor(of.rows(), Device::Cpu));
        (first(&of.text), first(&added.text_embeds))
    }

    #[test]
    fn each_latent_has_the_conditions_of_its_caption() {
        let folder = tempfile::tempdir().unwrap();
        let data = Conditioned::of_latents(latents(folder.path()), Device::Cpu).unwrap();
        assert_eq!((data.len(), data.sample_shape()), (4, [4, 8, 8]));
        assert_eq!(data.captions, ["a", "c"], "those of the training half");
        assert_eq!(data.caption_indices_of(&[3, 0, 2]), [0, 1, 1]);
        assert_eq!(numbers(&data.conditions_of(&[3, 0, 2]).unwrap()), (vec![0.0, 2.0, 2.0], vec![10.0, 12.0, 12.0]));
        assert_eq!(numbers(&data.empty), (vec![7.0], vec![8.0]));
        let (noise, conditions) = data.showcase(1).unwrap();
        assert_eq!((noise.size()[0], &numbers(&conditions).0[..3]), (SHOWCASE, [0.0, 2.0, 0.0].as_slice()));
        let Source::Latents { latents, .. } = &data.source else { panic!("latents") };
        let drawn = latents.train.drawn(&[2, 0], Device::Cpu).unwrap();
        assert_eq!(drawn, Tensor::cat(&[ramp(22, 1, &[4, 8, 8]), ramp(20, 1, &[4, 8, 8])], 0));
    }

    /// As above, of two sizes: 64×32 pixels twice, 32×64 once.
    fn framed(folder: &Path) -> Conditioned {
        let _ = latents(folder);
        fs::write(folder.join("latents.json"), r#"{"encoders": {"vae": "", "text": ""}}"#).unwrap();
        let line = |text: &str, size: &str, flip: bool| {
            let framing = format!(r#"{{"size": {size}, "original": [100, 90], "crop": [4, 0]}}"#);
            format!("{{\"text\": {text:?}, \"framing\": {framing}, \"flip\": {flip}}}\n")
        };
        let lines = [line("c", "[64, 32]", false), line("a", "[32, 64]", true), line("c", "[64, 32]", false)];
        fs::write(folder.join("train.jsonl"), lines.concat()).unwrap();
        write(folder, "train.64x32.safetensors", &[("latents", ramp(20, 2, &[4, 4, 8]))]);
        write(folder, "train.32x64.safetensors", &[("latents", ramp(30, 1, &[4, 8, 4]))]);
        Conditioned::of_latents(Latents::read(folder, Kind::Float, Device::Cpu).unwrap(), Device::Cpu).unwrap()
    }

    #[test]
    fn samples_of_several_sizes_are_told_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let data = framed(folder.path());
        // Slots: the picture of 32×64, the same mirrored, and those of 64×32.
        assert_eq!((data.len(), data.sizes(), data.shape_of(&[1]), data.shape_of(&[3])), (4, 2, [4, 8, 4], [4, 4, 8]));
        assert_eq!(data.caption_indices_of(&[0, 1, 2]), [0, 0, 1]);
        assert_eq!(data.samples(&[3, 2]).unwrap(), Tensor::cat(&[ramp(21, 1, &[4, 4, 8]), ramp(20, 1, &[4, 4, 8])], 0));
        let ids = |of: &Conditions| Vec::<f32>::try_from(of.added.as_ref().unwrap().time_ids.get(0)).unwrap();
        // Original height and width, top and left, height and width.
        assert_eq!(ids(&data.conditions_of(&[3]).unwrap()), [90.0, 100.0, 0.0, 4.0, 32.0, 64.0]);
        assert_eq!(ids(&data.conditions_of(&[0]).unwrap()), [90.0, 100.0, 0.0, 4.0, 64.0, 32.0]);
        // What is shown is of the commonest size, and uncropped.
        let (noise, shown) = data.showcase(1).unwrap();
        assert_eq!((noise.size()[1..].to_vec(), ids(&shown)), (vec![4, 8, 4], vec![64.0, 32.0, 0.0, 0.0, 64.0, 32.0]));
        let draw = Draw::first(7, "Test");
        let told = data.with_empty(data.conditions_of(&[3]).unwrap(), Fraction::new(1.0).unwrap(), &draw);
        assert_eq!(ids(&told.conditions), [90.0, 100.0, 0.0, 4.0, 32.0, 64.0], "no caption, but its own sizes");
        assert_eq!(told.own.unwrap().numel(), 0);
    }
}
