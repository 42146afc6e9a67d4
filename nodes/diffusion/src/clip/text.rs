//! The text tower.

use super::ClipTextConfig;
use super::encoder::{Encoder, EncoderConfig, base};
use crate::layers::{LayerNorm, Linear, variable};
use tch::{Kind, Tensor, nn};

/// What the text tower makes of a batch of token sequences.
#[derive(Debug)]
pub struct ClipTextOutput {
    /// The last layer's states after the final norm, (b, n, width): what SD1.5 conditions on.
    pub last_hidden_state: Tensor,
    /// Of those, the state of each sequence's end token, (b, width).
    pub pooled: Tensor,
    /// The embeddings and then each layer's output, before the final norm: one more than layers. SDXL conditions on the
    /// last but one.
    pub hidden_states: Vec<Tensor>,
}

/// `text_model`
#[derive(Debug)]
pub(super) struct TextTower {
    token_embedding: Tensor,
    position_embedding: Tensor,
    encoder: Encoder,
    final_layer_norm: LayerNorm,
    eos_token_id: i64,
}

impl TextTower {
    pub(super) fn new(vs: &nn::Path<'_>, config: &ClipTextConfig) -> Self {
        let (embeddings, width) = (vs / "embeddings", config.hidden_size);
        let embedding = |name: &str, n| variable(&(&embeddings / name), "weight", &[n, width]);
        Self {
            token_embedding: embedding("token_embedding", config.vocab_size),
            position_embedding: embedding("position_embedding", config.max_position_embeddings),
            encoder: Encoder::new(&(vs / "encoder"), encoder_config(config)),
            final_layer_norm: LayerNorm::new(&(vs / "final_layer_norm"), width, config.layer_norm_eps),
            eos_token_id: config.eos_token_id,
        }
    }

    pub(super) fn forward(&self, ids_bn: &Tensor) -> ClipTextOutput {
        let positions = self.position_embedding.narrow(0, 0, ids_bn.size()[1]);
        let tokens = Tensor::embedding(&self.token_embedding, ids_bn, -1, false, false);
        let hidden_states = self.encoder.forward(tokens + positions);
        let last_hidden_state = self.final_layer_norm.forward(&hidden_states[hidden_states.len() - 1]);
        let pooled = pick(&last_hidden_state, &self.end(ids_bn));
        ClipTextOutput { last_hidden_state, pooled, hidden_states }
    }

    /// Where each sequence ends, (b): its first end token. Configurations that say 2 date from when the end token was
    /// found as the highest id.
    fn end(&self, ids_bn: &Tensor) -> Tensor {
        match self.eos_token_id {
            2 => ids_bn.argmax(-1, false),
            eos => ids_bn.eq(eos).to_kind(Kind::Int64).argmax(-1, false),
        }
    }
}

/// (b, n, d) at (b) → (b, d).
fn pick(x: &Tensor, at: &Tensor) -> Tensor {
    let index = at.reshape([-1, 1, 1]).expand([-1, 1, x.size()[2]], false);
    x.gather(1, &index, false).squeeze_dim(1)
}

fn encoder_config(config: &ClipTextConfig) -> EncoderConfig {
    EncoderConfig {
        width: config.hidden_size,
        inner: config.intermediate_size,
        layers: config.num_hidden_layers,
        heads: config.num_attention_heads,
        act: config.hidden_act,
        eps: config.layer_norm_eps,
        causal: true,
    }
}

/// `CLIPTextModel`: SD's text encoder.
#[derive(Debug)]
pub struct ClipTextModel {
    text_model: TextTower,
}

impl ClipTextModel {
    /// A model whose variables are in `vs`, not yet numbers.
    pub fn new(vs: &nn::Path<'_>, config: &ClipTextConfig) -> Self {
        Self { text_model: TextTower::new(&(vs / "text_model"), config) }
    }

    /// Token ids (b, n) as int64; n is at most `max_position_embeddings`.
    pub fn forward(&self, ids_bn: &Tensor) -> ClipTextOutput {
        self.text_model.forward(ids_bn)
    }
}

/// `CLIPTextModelWithProjection`: SDXL's second text encoder.
#[derive(Debug)]
pub struct ClipTextModelWithProjection {
    text_model: TextTower,
    text_projection: Linear,
}

impl ClipTextModelWithProjection {
    /// A model whose variables are in `vs`, not yet numbers.
    pub fn new(vs: &nn::Path<'_>, config: &ClipTextConfig) -> Self {
        Self {
            text_model: TextTower::new(&(vs / "text_model"), config),
            text_projection: Linear::new(&(vs / "text_projection"), config.hidden_size, config.projection_dim, false),
        }
    }

    /// Token ids (b, n) → the tower's output, and the projected pooled state (b, projection).
    pub fn forward(&self, ids_bn: &Tensor) -> (ClipTextOutput, Tensor) {
        let output = self.text_model.forward(ids_bn);
        let text_embeds = base(&self.text_projection, &output.pooled);
        (output, text_embeds)
    }
}
