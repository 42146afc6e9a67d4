//! `EncodeLatents`: what a model's encoders make of a dataset, once for every later node.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::Path;

use hyper_flow_diffusion::rng::Rng;
use hyper_flow_diffusion::vae::{AutoencoderKl, AutoencoderKlConfig};
use hyper_flow_diffusion::weights::write_tensors;
use hyper_flow_diffusion::{Conditions, ModelIndex, TextEncoders, TimeIds};
use hyper_flow_spec::kinds::EncodeLatents;
use tch::{Kind, Tensor, no_grad};

use crate::dataset::{Caption, Dataset, HELD_OUT, Masks, Shape, Split, TRAIN, tell_long};
use crate::latents::{ABOUT, About, CAPTIONS, EMPTY, Encoders, LATENTS, POOLED, TEXT};
use crate::rows::{Rows, compute};
use crate::worker::Context;
use crate::{NodeError, files, paint};

/// Captions encoded at once.
const CAPTIONS_AT_ONCE: i64 = 32;

struct Encoding<'a> {
    context: &'a Context,
    params: &'a EncodeLatents,
    model: &'a Path,
    data: Dataset,
    /// (channels, height, width) of the latents.
    shape: [i64; 3],
    kind: Kind,
}

pub(super) fn run(context: &Context, params: &EncodeLatents) -> Result<(), NodeError> {
    let model = context.input(&params.model)?;
    if !ModelIndex::read(model)?.vae {
        return Err(NodeError::Unfit("the model draws pixels and has no VAE; train on the dataset itself".into()));
    }
    let data = Dataset::read(context.input(&params.data)?)?;
    let shape = latent_shape(&AutoencoderKlConfig::read(&model.join("vae/config.json"))?, data.shape())?;
    let encoding = Encoding { context, params, model, data, shape, kind: paint::kind(params.precision) };
    let (texts, empty) = encoding.captions()?;
    let latents = encoding.pictures()?;
    texts.iter().chain(&latents).try_for_each(|rows| rows.publish(context))?;
    write_tensors(&context.output(EMPTY), &empty, None)?;
    encoding.about()
}

impl Encoding<'_> {
    /// The small files.
    fn about(&self) -> Result<(), NodeError> {
        for (name, split) in [(TRAIN, &self.data.train), (HELD_OUT, &self.data.held_out)] {
            self.write_captions(&format!("{name}.jsonl"), &split.captions)?;
            if split.masks.is_some() {
                self.copy(&Masks::file(name))?;
            }
        }
        self.write_captions(CAPTIONS, &self.data.distinct_captions())?;
        let about = About { side: self.data.shape().side, encoders: Encoders::of(self.model)? };
        files::write_json(&self.context.output(ABOUT), &about)
    }

    /// What is the same for pictures and latents.
    fn copy(&self, name: &str) -> Result<(), NodeError> {
        let path = self.context.input(&self.params.data)?.join(name);
        fs::copy(&path, self.context.output(name)).map(drop).map_err(NodeError::io("copy", &path))
    }

    fn write_captions(&self, name: &str, captions: &[String]) -> Result<(), NodeError> {
        let lines: Vec<_> = captions.iter().map(|text| Caption { text: text.clone() }).collect();
        files::write_lines(&self.context.output(name), &lines)
    }

    /// What the captions give, and what none gives. The text encoders are not held any longer.
    fn captions(&self) -> Result<(Vec<Rows>, BTreeMap<String, Tensor>), NodeError> {
        let encoders = TextEncoders::load(self.model, self.kind, self.context.device)?;
        let time_ids = TimeIds::square(self.data.shape().side);
        let empty = self.stored(encoders.empty(time_ids)?);
        let captions = self.data.distinct_captions();
        tell_long(self.context, &encoders, &captions)?;
        let rows = |(key, like): &(&'static str, Tensor)| Rows {
            file: (*key).to_owned(),
            key,
            kind: self.kind,
            shape: std::iter::once(captions.len() as i64).chain(like.size().into_iter().skip(1)).collect(),
        };
        let tensors: Vec<Rows> = empty.iter().map(rows).collect();
        compute(self.context, &tensors, CAPTIONS_AT_ONCE, "captions", |range| {
            let conditions = encoders.encode(&captions[range.start as usize..range.end as usize], time_ids)?;
            Ok(self.stored(conditions).into_iter().map(|(_, tensor)| tensor).collect())
        })?;
        Ok((tensors, empty.into_iter().map(|(key, tensor)| (key.to_owned(), tensor)).collect()))
    }

    /// What is kept of conditions, by its name.
    fn stored(&self, conditions: Conditions) -> Vec<(&'static str, Tensor)> {
        let pooled = conditions.added.map(|added| (POOLED, added.text_embeds.to_kind(self.kind)));
        std::iter::once((TEXT, conditions.text.to_kind(self.kind))).chain(pooled).collect()
    }

    /// The latents of both halves.
    fn pictures(&self) -> Result<Vec<Rows>, NodeError> {
        let vae = AutoencoderKl::load(&self.model.join("vae"), self.kind, self.context.device)?;
        let halves = [(TRAIN, &self.data.train), (HELD_OUT, &self.data.held_out)];
        let half = |(name, split): (&str, &std::rc::Rc<Split>)| {
            let shape = std::iter::once(split.len()).chain(self.shape).collect();
            let rows = Rows { file: name.to_owned(), key: LATENTS, kind: self.kind, shape };
            let batch = self.params.batch.get();
            compute(self.context, std::slice::from_ref(&rows), batch, &format!("{name} pictures"), |range| {
                self.latents(&vae, name, split, range).map(|latents| vec![latents])
            })?;
            Ok(rows)
        };
        halves.into_iter().map(half).collect()
    }

    /// The latents of some pictures: draws, whose noise is a function of seed, half and the picture's place alone.
    fn latents(&self, vae: &AutoencoderKl, half: &str, split: &Split, range: Range<i64>) -> Result<Tensor, NodeError> {
        let pictures = split.images(&range.clone().collect::<Vec<_>>(), self.context.device)?;
        let purpose = format!("EncodeLatents/{half}");
        let stream = |i: i64| Rng::at(self.context.seed(), &purpose, i as u64);
        let noise = |i: i64| stream(i).randn(&self.shape, (Kind::Float, self.context.device));
        let noise = Tensor::stack(&range.clone().map(noise).collect::<Vec<_>>(), 0);
        let latents = no_grad(|| vae.to_latents(&pictures, Some(&noise))).to_kind(self.kind);
        if latents.isfinite().all().int64_value(&[]) == 1 {
            return Ok(latents);
        }
        Err(NodeError::Unfit(format!(
            "the latents of {half} pictures {} to {} are not finite; if the VAE's weights are sound, use another \
             `precision`",
            range.start,
            range.end - 1
        )))
    }
}

/// (channels, height, width) of the latents of pictures.
fn latent_shape(vae: &AutoencoderKlConfig, pictures: Shape) -> Result<[i64; 3], NodeError> {
    let factor = vae.downsampling();
    if vae.in_channels != pictures.channels || pictures.side % factor != 0 {
        return Err(NodeError::Unfit(format!(
            "the VAE takes pictures of {} channels whose side is a multiple of {factor} pixels, and the dataset's have \
             {} and {}; set `channels` and `size` where it is read in",
            vae.in_channels, pictures.channels, pictures.side
        )));
    }
    let side = pictures.side / factor;
    Ok([vae.latent_channels, side, side])
}
