//! `TrainSegmenter`: a small network that masks the object in a picture.

use hyper_flow_diffusion::Tape;
use hyper_flow_diffusion::layers::init_weights;
use hyper_flow_diffusion::segmentation::{
    ConvSegmenter, ConvSegmenterConfig, Segment, intersection_over_union, mask_loss,
};
use hyper_flow_spec::kinds::TrainSegmenter;
use tch::{Device, Kind, no_grad};

use crate::NodeError;
use crate::artifacts::dataset::{Dataset, Masks, Split};
use crate::training::{Draw, Group, Losses, Recipe, Twin, train};
use crate::worker::Context;

struct Masking<'a> {
    segmenter: &'a ConvSegmenter,
    data: &'a Split,
    masks: &'a Masks,
}

impl Recipe for Masking<'_> {
    fn name(&self) -> &'static str {
        "TrainSegmenter"
    }

    fn losses<'t>(&'t self, _: &str, draw: &Draw<'_>, _: &Tape<'t>) -> Result<Losses, NodeError> {
        let slots = draw.slots(self.data.layout.slots());
        let (pictures, masks) = (self.data.drawn(&slots, draw.device())?, self.masks.drawn(&slots, draw.device())?);
        Ok(vec![("mask".into(), mask_loss(&self.segmenter.logits(&pictures), &masks))])
    }
}

/// The mean intersection over union of a half.
fn mean_iou(segmenter: &dyn Segment, data: &Split, masks: &Masks, device: Device) -> Result<f64, NodeError> {
    let mut sum = 0.0;
    for chunk in data.chunks() {
        let (pictures, masks) = (data.images(&chunk, device)?, masks.of(&chunk, device)?);
        let fits = no_grad(|| intersection_over_union(&segmenter.logits(&pictures), &masks));
        sum += fits.sum(Kind::Double).double_value(&[]);
    }
    Ok(sum / data.len() as f64)
}

pub(super) fn run(context: &Context, params: &TrainSegmenter) -> Result<(), NodeError> {
    let data = Dataset::read(context.input(&params.data)?)?;
    let (Some(masks), Some(held_out)) = (&data.train.masks, &data.held_out.masks) else {
        return Err(NodeError::Unfit("the dataset has no masks; ask for them where it is read in: `masks`".into()));
    };
    let (channels, width, levels) = (data.channels(), params.width.get(), params.levels.get());
    let config = ConvSegmenterConfig { channels, width, levels };
    let build = |vs: &_| Ok(ConvSegmenter::new(vs, &config));
    let twin = Twin::new(context.device, build, |vs| init_weights(vs, context.seed()))?;
    let recipe = Masking { segmenter: &twin.model, data: &data.train, masks };
    let group = Group::main("segmenter", twin.parameters(), params.lr.get());
    train(context, &params.training(), vec![group], twin.averages(), &recipe)?;

    let iou = mean_iou(&twin.average, &data.held_out, held_out, context.device)?;
    // The engine holds it to `min_iou`.
    context.reporter.metric("held_out_iou", iou);
    Ok(ConvSegmenter::save(twin.average_store(), &config, &context.job.output)?)
}
