//! `EncodeLatents`: what a model's encoders make of a dataset, once for every later node.

use std::collections::BTreeMap;
use std::path::Path;

use hyper_flow_diffusion::rng::Rng;
use hyper_flow_diffusion::vae::{AutoencoderKl, AutoencoderKlConfig};
use hyper_flow_diffusion::weights::write_tensors;
use hyper_flow_diffusion::{Conditions, ModelIndex, TextEncoders, TimeIds};
use hyper_flow_spec::Level;
use hyper_flow_spec::kinds::EncodeLatents;
use tch::{Kind, Tensor, no_grad};

use crate::artifacts::dataset::{Caption, Dataset, HELD_OUT, Shape, Split, TRAIN, tell_long};
use crate::artifacts::latents::{ABOUT, About, CAPTIONS, EMPTY, Encoders, LATENTS, POOLED, TEXT};
use crate::artifacts::rows::{Rows, compute};
use crate::artifacts::samples::{Layout, Line, Slots};
use crate::artifacts::{lora, model};
use crate::distilling::paint;
use crate::worker::Context;
use crate::{NodeError, files};

/// Captions encoded at once.
const CAPTIONS_AT_ONCE: i64 = 32;

/// One half of the dataset.
struct Half<'a> {
    name: &'static str,
    split: &'a Split,
    lines: Vec<Line>,
    /// Each picture once, and mirrored where it is to be drawn so: a mirrored latent is not that of the mirrored picture.
    layout: Layout,
}

impl<'a> Half<'a> {
    fn read(folder: &Path, name: &'static str, split: &'a Split) -> Result<Self, NodeError> {
        let lines: Vec<Line> = files::read_lines(&folder.join(format!("{name}.jsonl")))?;
        let once: Vec<Line> = lines.iter().map(|line| Line { repeats: 1, ..line.clone() }).collect();
        Ok(Self { name, split, lines, layout: Layout::of(&once).map_err(NodeError::Unfit)? })
    }

    /// Which pictures are encoded, by their slots.
    fn slots(&self) -> &Slots {
        self.layout.slots()
    }

    /// What is said of the latents, in their order.
    fn lines(&self) -> Vec<Line> {
        let line = |slot| Line { flip: false, ..self.lines[self.slots().sample(slot) as usize].clone() };
        (0..self.slots().len()).map(line).collect()
    }
}

struct Encoding<'a> {
    context: &'a Context,
    params: &'a EncodeLatents,
    model: &'a Path,
    data: &'a Dataset,
    halves: [Half<'a>; 2],
    vae: AutoencoderKlConfig,
    kind: Kind,
}

pub(super) fn run(context: &Context, params: &EncodeLatents) -> Result<(), NodeError> {
    let model = context.input(&params.model)?;
    if !ModelIndex::read(model)?.vae {
        return Err(NodeError::Unfit("the model draws pixels and has no VAE; train on the dataset itself".into()));
    }
    let folder = context.input(&params.data)?;
    let data = Dataset::read(folder)?;
    let vae = AutoencoderKlConfig::read(&model.join("vae/config.json"))?;
    data.shapes().try_for_each(|shape| latent_shape(&vae, shape).map(drop))?;
    let halves = [Half::read(folder, TRAIN, &data.train)?, Half::read(folder, HELD_OUT, &data.held_out)?];
    let encoding = Encoding { context, params, model, data: &data, halves, vae, kind: paint::kind(params.precision) };
    let (texts, empty) = encoding.captions()?;
    let latents = encoding.pictures()?;
    texts.iter().chain(&latents).try_for_each(|rows| rows.publish(context))?;
    write_tensors(&context.output(EMPTY), &empty, None)?;
    encoding.about()
}

impl Encoding<'_> {
    /// The small files.
    fn about(&self) -> Result<(), NodeError> {
        for half in &self.halves {
            files::write_lines(&self.context.output(&format!("{}.jsonl", half.name)), &half.lines())?;
            if let Some(masks) = &half.split.masks {
                masks.write_again(&|file| self.context.output(file), half.name, &half.layout)?;
            }
        }
        self.write_captions(CAPTIONS, &self.data.distinct_captions())?;
        let side = (!self.data.is_framed()).then(|| self.data.train.shape_of(0)[2]);
        files::write_json(&self.context.output(ABOUT), &About { side, encoders: Encoders::of(self.model)? })
    }

    fn write_captions(&self, name: &str, captions: &[String]) -> Result<(), NodeError> {
        let lines: Vec<_> = captions.iter().map(|text| Caption { text: text.clone() }).collect();
        files::write_lines(&self.context.output(name), &lines)
    }

    /// What the captions give, and what none gives. The text encoders are not held any longer.
    fn captions(&self) -> Result<(Vec<Rows>, BTreeMap<String, Tensor>), NodeError> {
        let encoders = self.text_encoders()?;
        // Not kept: each sample is told its own.
        let time_ids = TimeIds::square(0);
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

    /// The model's text encoders, with what the LoRA has for them.
    fn text_encoders(&self) -> Result<TextEncoders, NodeError> {
        let encoders = TextEncoders::load(self.model, self.kind, self.context.device)?;
        let Some(port) = &self.params.lora else { return Ok(encoders) };
        let lora = lora::read(self.context, port, &model::lora_modules(self.model)?, self.context.device)?;
        if lora.text_modules() == 0 {
            let text = format!("{} has no modules of text encoders: captions are encoded as without it", port.name());
            self.context.reporter.message(Level::Warning, text);
        }
        encoders.fuse(&lora, 1.0)?;
        Ok(encoders)
    }

    /// What is kept of conditions, by its name.
    fn stored(&self, conditions: Conditions) -> Vec<(&'static str, Tensor)> {
        let pooled = conditions.added.map(|added| (POOLED, added.text_embeds.to_kind(self.kind)));
        std::iter::once((TEXT, conditions.text.to_kind(self.kind))).chain(pooled).collect()
    }

    /// The latents of both halves.
    fn pictures(&self) -> Result<Vec<Rows>, NodeError> {
        let vae = AutoencoderKl::load(&self.model.join("vae"), self.kind, self.context.device)?;
        let mut all = Vec::new();
        for half in &self.halves {
            for (bucket, &count) in half.slots().counts().iter().enumerate() {
                let first = half.slots().first(bucket);
                let (file, ..) = half.layout.files(half.name).swap_remove(bucket);
                let shape = latent_shape(&self.vae, half.split.shape_of(half.slots().sample(first)))?;
                let unit = format!("{file} pictures");
                let rows = [count].into_iter().chain(shape).collect();
                let rows = Rows { file, key: LATENTS, kind: self.kind, shape: rows };
                compute(self.context, std::slice::from_ref(&rows), self.params.batch.get(), &unit, |range| {
                    let slots: Vec<i64> = range.map(|row| first + row).collect();
                    self.latents(&vae, half, &slots, shape).map(|latents| vec![latents])
                })?;
                all.push(rows);
            }
        }
        Ok(all)
    }

    /// The latents of some pictures: draws, whose noise is a function of seed, half and the picture's place alone.
    fn latents(
        &self,
        vae: &AutoencoderKl,
        half: &Half<'_>,
        slots: &[i64],
        shape: [i64; 3],
    ) -> Result<Tensor, NodeError> {
        let device = self.context.device;
        let pictures = half.slots().mirrored(slots, |pictures| half.split.images(pictures, device))?;
        let purpose = format!("EncodeLatents/{}", half.name);
        let stream = |slot: i64| Rng::at(self.context.seed(), &purpose, slot as u64);
        let noise = |&slot: &i64| stream(slot).randn(&shape, (Kind::Float, device));
        let noise = Tensor::stack(&slots.iter().map(noise).collect::<Vec<_>>(), 0);
        let latents = no_grad(|| vae.to_latents(&pictures, Some(&noise))).to_kind(self.kind);
        if latents.isfinite().all().int64_value(&[]) == 1 {
            return Ok(latents);
        }
        Err(NodeError::Unfit(format!(
            "the latents of {} pictures {} to {} are not finite; if the VAE's weights are sound, use another `precision`",
            half.name,
            slots[0],
            slots[slots.len() - 1]
        )))
    }
}

/// (channels, height, width) of the latents of pictures.
fn latent_shape(vae: &AutoencoderKlConfig, [channels, height, width]: [i64; 3]) -> Result<[i64; 3], NodeError> {
    let factor = vae.downsampling();
    if vae.in_channels != channels || height % factor != 0 || width % factor != 0 {
        return Err(NodeError::Unfit(format!(
            "the VAE takes pictures of {} channels whose sides are multiples of {factor} pixels, and the dataset's have \
             {channels} and {}; set `channels` and `size` or `buckets` where it is read in",
            vae.in_channels,
            Shape { channels, height, width }.size()
        )));
    }
    Ok([vae.latent_channels, height / factor, width / factor])
}
