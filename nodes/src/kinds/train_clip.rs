//! `TrainClip`: a small CLIP.

use hyper_flow_diffusion::clip::{
    self, ClipConfig, ClipModel, ClipTextConfig, ClipTokenizer, ClipVisionConfig, Pretrained,
};
use hyper_flow_diffusion::losses::contrastive_loss;
use hyper_flow_diffusion::{Tape, send};
use hyper_flow_spec::kinds::TrainClip;
use tch::Tensor;

use crate::NodeError;
use crate::artifacts::dataset::{Dataset, Shape, Split};
use crate::training::{Draw, Group, Losses, Recipe, Twin, train};
use crate::worker::Context;

struct Contrast<'a> {
    clip: &'a ClipModel,
    data: &'a Split,
    /// Token ids of the distinct captions.
    ids: &'a Tensor,
    /// For each picture the position of its caption.
    captions: Vec<i64>,
}

impl Recipe for Contrast<'_> {
    fn name(&self) -> &'static str {
        "TrainClip"
    }

    fn losses<'t>(&'t self, _: &str, draw: &Draw<'_>, _: &Tape<'t>) -> Result<Losses, NodeError> {
        let slots = draw.slots(self.data.layout.slots());
        let of = |&slot: &i64| self.captions[self.data.layout.slots().sample(slot) as usize];
        let captions: Vec<i64> = slots.iter().map(of).collect();
        let captions = send(&Tensor::from_slice(&captions), draw.device());
        let pictures = self.data.drawn(&slots, draw.device())?;
        // Pictures are told from those of the same part: with `accumulate`, not the loss of the batch as a whole.
        let output = self.clip.forward(&self.ids.index_select(0, &captions), &pictures);
        Ok(vec![("contrastive".into(), contrastive_loss(&output.logits_per_text.tr(), &captions))])
    }
}

/// Room for captions that are longer than those trained on, up to CLIP's own length.
fn max_length(data: &Dataset) -> usize {
    let words = data.distinct_captions().iter().map(|caption| caption.split_whitespace().count()).max();
    ((words.unwrap_or(0) + 2) * 2).next_multiple_of(8).min(77)
}

/// Tokens merged from the captions, at most: enough for every word of a small vocabulary.
const MERGES: usize = 2000;

fn config(params: &TrainClip, shape: Shape, tokenizer: &ClipTokenizer) -> ClipConfig {
    let (width, inner) = (params.width.get(), params.width.get() * 2);
    let (layers, heads) = (params.layers.get(), params.heads.get());
    ClipConfig {
        text_config: ClipTextConfig {
            vocab_size: tokenizer.vocab_size(),
            hidden_size: width,
            intermediate_size: inner,
            num_hidden_layers: layers,
            num_attention_heads: heads,
            max_position_embeddings: tokenizer.max_length() as i64,
            bos_token_id: Some(tokenizer.bos_token_id()),
            eos_token_id: tokenizer.eos_token_id(),
            pad_token_id: Some(tokenizer.pad_token_id()),
            projection_dim: params.projection.get(),
            ..ClipTextConfig::default()
        },
        vision_config: ClipVisionConfig {
            hidden_size: width,
            intermediate_size: inner,
            num_hidden_layers: layers,
            num_attention_heads: heads,
            num_channels: shape.channels,
            image_size: shape.width,
            patch_size: params.patch.get(),
            projection_dim: params.projection.get(),
            ..ClipVisionConfig::default()
        },
        projection_dim: params.projection.get(),
        ..ClipConfig::default()
    }
}

pub(super) fn run(context: &Context, params: &TrainClip) -> Result<(), NodeError> {
    let data = Dataset::read(context.input(&params.data)?)?;
    let shape = data.shape()?;
    if shape.height != shape.width {
        let size = shape.size();
        return Err(NodeError::Unfit(format!(
            "this CLIP sees squares, and the pictures are of {size}; give it squares"
        )));
    }
    if shape.width % params.patch.get() != 0 {
        let (patch, side) = (params.patch.get(), shape.width);
        return Err(NodeError::Unfit(format!(
            "patches of {patch} pixels do not fill pictures of {side}; change `patch`"
        )));
    }
    let captions = data.distinct_captions();
    let tokenizer = ClipTokenizer::train(&captions, MERGES, max_length(&data))?;
    let config = config(params, shape, &tokenizer);
    let twin = Twin::new(
        context.device,
        |vs| Ok(ClipModel::new(&vs.root(), &config)),
        |vs| ClipModel::init_weights(vs, &config, context.seed()),
    )?;
    let ids = tokenizer.encode_batch(&captions, context.device)?;
    let recipe =
        Contrast { clip: &twin.model, data: &data.train, ids: &ids, captions: data.train.caption_indices(&captions) };
    let group = Group::main("clip", twin.parameters(), params.lr.get());
    train(context, &params.training(), vec![group], twin.averages(), &recipe)?;

    // How often a held-out picture is closest to its own caption, of all captions.
    let closest = |pictures: &Tensor| twin.average.forward(&ids, pictures).logits_per_text.argmax(0, false);
    let accuracy = data.held_out.accuracy(&captions, context.device, closest)?;
    context.reporter.metric("held_out_accuracy", accuracy);
    clip::save::<ClipModel>(&context.job.output, twin.average_store(), &config)?;
    Ok(tokenizer.write(&context.job.output)?)
}
