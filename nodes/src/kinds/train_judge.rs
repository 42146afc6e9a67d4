//! `TrainJudge`: a small classifier of the real pictures.

use hyper_flow_diffusion::layers::init_weights;
use hyper_flow_diffusion::{Classifier, ClassifierConfig, Tape, send};
use hyper_flow_spec::kinds::TrainJudge;
use tch::Tensor;

use crate::NodeError;
use crate::artifacts::dataset::{Dataset, Split};
use crate::training::{Draw, Group, Losses, Recipe, Twin, train};
use crate::worker::Context;

struct Judge<'a> {
    classifier: &'a Classifier,
    data: &'a Split,
    /// The class of each picture.
    classes: Vec<i64>,
    shift: i64,
}

impl Recipe for Judge<'_> {
    fn name(&self) -> &'static str {
        "TrainJudge"
    }

    fn losses<'t>(&'t self, _: &str, draw: &Draw<'_>, _: &Tape<'t>) -> Result<Losses, NodeError> {
        let slots = draw.slots(self.data.layout.slots());
        let of = |&slot: &i64| self.classes[self.data.layout.slots().sample(slot) as usize];
        let classes: Vec<i64> = slots.iter().map(of).collect();
        let pictures = shifted(&self.data.drawn(&slots, draw.device())?, self.shift, draw);
        let logits = self.classifier.logits(&self.classifier.features(&pictures));
        let classes = send(&Tensor::from_slice(&classes), draw.device());
        Ok(vec![("cross_entropy".into(), logits.cross_entropy_for_logits(&classes))])
    }
}

/// Each picture moved by up to `shift` pixels in both directions; what comes in is background (−1).
fn shifted(pictures: &Tensor, shift: i64, draw: &Draw<'_>) -> Tensor {
    if shift == 0 {
        return pictures.shallow_clone();
    }
    let (height, width) = (pictures.size()[2], pictures.size()[3]);
    let padded = pictures.constant_pad_nd([shift; 4]) - &frame(pictures, shift);
    let mut rng = draw.rng("shift");
    let offsets = draw.part(&rng.randint(0, 2 * shift + 1, &[draw.whole(), 2], tch::Device::Cpu));
    let moved = (0..pictures.size()[0]).map(|i| {
        let (y, x) = (offsets.int64_value(&[i, 0]), offsets.int64_value(&[i, 1]));
        padded.get(i).narrow(1, y, height).narrow(2, x, width)
    });
    Tensor::stack(&moved.collect::<Vec<_>>(), 0)
}

/// 1 in the padding and 0 in the picture.
fn frame(pictures: &Tensor, shift: i64) -> Tensor {
    let inside = pictures.ones_like().constant_pad_nd([shift; 4]);
    1.0 - inside
}

pub(super) fn run(context: &Context, params: &TrainJudge) -> Result<(), NodeError> {
    let data = Dataset::read(context.input(&params.data)?)?;
    let config = ClassifierConfig {
        channels: data.channels(),
        width: params.width.get(),
        features: params.features.get(),
        classes: data.distinct_captions(),
    };
    let twin = Twin::new(context.device, |vs| Ok(Classifier::new(vs, &config)), |vs| init_weights(vs, context.seed()))?;
    let recipe = Judge {
        classifier: &twin.model,
        data: &data.train,
        classes: data.train.caption_indices(&config.classes),
        shift: params.shift.get(),
    };
    let group = Group::main("judge", twin.parameters(), params.lr.get());
    train(context, &params.training(), vec![group], twin.averages(), &recipe)?;

    let judge = &twin.average;
    let read = |pictures: &Tensor| judge.logits(&judge.features(pictures)).argmax(1, false);
    let accuracy = data.held_out.accuracy(&config.classes, context.device, read)?;
    // The engine holds it to `min_accuracy`.
    context.reporter.metric("held_out_accuracy", accuracy);
    Ok(Classifier::save(twin.average_store(), &config, &context.job.output)?)
}
