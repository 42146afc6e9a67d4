//! The text encoders of a model folder with their tokenizers: from prompts to what the UNet is conditioned on, as
//! `encode_prompt` of diffusers' `StableDiffusionPipeline` and `StableDiffusionXLPipeline`.

use crate::clip::{self, ClipTextConfig, ClipTextModel, ClipTextModelWithProjection, ClipTokenizer, Pretrained};
use crate::unet::AddedConditions;
use crate::{Conditions, DiffusionError, ModelIndex, TimeIds};
use std::path::Path;
use tch::{Device, Kind, Tensor, nn, no_grad};

mod lora;

/// Prompts encoded at once: the second encoder of SDXL holds 13 MB of hidden states a prompt.
const CHUNK: usize = 32;

/// The one text encoder of Stable Diffusion 1 and 2, or the two of SDXL; frozen.
#[derive(Debug)]
pub struct TextEncoders {
    first: Encoder<ClipTextModel>,
    second: Option<Encoder<ClipTextModelWithProjection>>,
    force_zeros_for_empty_prompt: bool,
}

impl TextEncoders {
    /// Opens `tokenizer/` and `text_encoder/` of a model folder, and `tokenizer_2/` and `text_encoder_2/` if its
    /// `model_index.json` names them.
    ///
    /// # Errors
    /// What [`ModelIndex::read`], [`clip::load`] and [`ClipTokenizer::read`] say, or [`DiffusionError::Config`] if the
    /// parts do not fit each other.
    pub fn load(model: &Path, kind: Kind, device: Device) -> Result<Self, DiffusionError> {
        let index = ModelIndex::read(model)?;
        let first = Encoder::load(&model.join("text_encoder"), &model.join("tokenizer"), kind, device)?;
        let second = index.text_encoder_2.then(|| {
            let second = Encoder::load(&model.join("text_encoder_2"), &model.join("tokenizer_2"), kind, device)?;
            same_length(&first.tokenizer, &second.tokenizer).map(|()| second)
        });
        Ok(Self {
            first,
            second: second.transpose()?,
            force_zeros_for_empty_prompt: index.force_zeros_for_empty_prompt,
        })
    }

    /// One encoder and its tokenizer out of a folder that holds a whole CLIP.
    ///
    /// # Errors
    /// What [`clip::load`] and [`ClipTokenizer::read`] say.
    pub fn of_clip(folder: &Path, kind: Kind, device: Device) -> Result<Self, DiffusionError> {
        let first = Encoder::load(folder, folder, kind, device)?;
        Ok(Self { first, second: None, force_zeros_for_empty_prompt: true })
    }

    /// Writes the folders that [`TextEncoders::load`] opens, but not `model_index.json`.
    ///
    /// # Errors
    /// [`DiffusionError::Io`].
    pub fn save(&self, model: &Path) -> Result<(), DiffusionError> {
        self.first.save(&model.join("text_encoder"), &model.join("tokenizer"))?;
        match &self.second {
            Some(second) => second.save(&model.join("text_encoder_2"), &model.join("tokenizer_2")),
            None => Ok(()),
        }
    }

    /// What `model_index.json` says of a model with these encoders.
    pub fn index(&self, vae: bool) -> ModelIndex {
        let force_zeros_for_empty_prompt = self.force_zeros_for_empty_prompt;
        ModelIndex { text_encoder_2: self.second.is_some(), vae, force_zeros_for_empty_prompt }
    }

    /// The width of the text: a UNet's `cross_attention_dim`.
    pub fn width(&self) -> i64 {
        self.first.config.hidden_size + self.second.as_ref().map_or(0, |second| second.config.hidden_size)
    }

    /// The width of the pooled text that SDXL adds to the time embedding.
    pub fn pooled_width(&self) -> Option<i64> {
        self.second.as_ref().map(|second| second.config.projection_dim)
    }

    /// What prompts give, a row each. `time_ids` matter to SDXL only.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] if there is no prompt, or one that the tokenizer has no tokens for.
    pub fn encode<S: AsRef<str>>(&self, prompts: &[S], time_ids: TimeIds) -> Result<Conditions, DiffusionError> {
        if prompts.is_empty() {
            return Err(DiffusionError::Config { what: "prompts".into(), message: "there is none to encode".into() });
        }
        let chunks: Result<Vec<_>, _> = prompts.chunks(CHUNK).map(|chunk| self.encode_chunk(chunk, time_ids)).collect();
        Ok(Conditions::cat(&chunks?))
    }

    /// How many tokens a prompt has with begin and end: the most of its tokenizers.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] if a tokenizer has no tokens for it.
    pub fn tokens(&self, prompt: &str) -> Result<usize, DiffusionError> {
        let second = self.second.as_ref().map_or(Ok(0), |second| second.tokenizer.count(prompt))?;
        Ok(self.first.tokenizer.count(prompt)?.max(second))
    }

    /// How many tokens of a prompt are read, with begin and end: 77 of CLIP's.
    pub fn max_tokens(&self) -> usize {
        self.first.tokenizer.max_length()
    }

    /// What no prompt gives, one row: zeros for SDXL if its `model_index.json` says so, else as the prompt "".
    ///
    /// # Errors
    /// As [`TextEncoders::encode`].
    pub fn empty(&self, time_ids: TimeIds) -> Result<Conditions, DiffusionError> {
        let encoded = self.encode(&[""], time_ids)?;
        Ok(match encoded.added {
            Some(added) if self.force_zeros_for_empty_prompt => Conditions {
                text: encoded.text.zeros_like(),
                added: Some(AddedConditions { text_embeds: added.text_embeds.zeros_like(), ..added }),
            },
            added => Conditions { text: encoded.text, added },
        })
    }

    /// SD: the last hidden state, normed. SDXL: the last but one of both, not normed, and the second's projected pooled
    /// state.
    fn encode_chunk<S: AsRef<str>>(&self, prompts: &[S], time_ids: TimeIds) -> Result<Conditions, DiffusionError> {
        let first = no_grad(|| Ok::<_, DiffusionError>(self.first.model.forward(&self.first.ids(prompts)?)))?;
        let Some(encoder) = &self.second else { return Ok(first.last_hidden_state.into()) };
        let (second, text_embeds) = no_grad(|| Ok::<_, DiffusionError>(encoder.model.forward(&encoder.ids(prompts)?)))?;
        let [first, second] = [first, second].map(|output| last_but_one(output.hidden_states));
        let time_ids = time_ids.tensor(prompts.len() as i64, text_embeds.device());
        Ok(Conditions {
            text: Tensor::cat(&[first, second], 2),
            added: Some(AddedConditions { text_embeds, time_ids }),
        })
    }
}

fn last_but_one(mut states: Vec<Tensor>) -> Tensor {
    states.swap_remove(states.len() - 2)
}

/// A text tower with its tokenizer.
#[derive(Debug)]
struct Encoder<M> {
    store: nn::VarStore,
    model: M,
    config: ClipTextConfig,
    tokenizer: ClipTokenizer,
}

impl<M: Pretrained<Config = ClipTextConfig>> Encoder<M> {
    fn load(weights: &Path, tokenizer: &Path, kind: Kind, device: Device) -> Result<Self, DiffusionError> {
        let (mut store, model, config) = clip::load::<M>(weights, kind, device)?;
        store.freeze();
        let encoder = Self { store, model, config, tokenizer: ClipTokenizer::read(tokenizer)? };
        check_tokenizer(&tokenizer.display().to_string(), &encoder.tokenizer, &encoder.config)?;
        Ok(encoder)
    }

    fn save(&self, weights: &Path, tokenizer: &Path) -> Result<(), DiffusionError> {
        clip::save::<M>(weights, &self.store, &self.config)?;
        self.tokenizer.write(tokenizer)
    }

    fn ids<S: AsRef<str>>(&self, prompts: &[S]) -> Result<Tensor, DiffusionError> {
        self.tokenizer.encode_batch(prompts, self.store.device())
    }
}

/// That a tokenizer is the text encoder's, which may know more tokens.
pub(crate) fn check_tokenizer(
    what: &str,
    tokenizer: &ClipTokenizer,
    config: &ClipTextConfig,
) -> Result<(), DiffusionError> {
    let (tokens, vocab_size) = (tokenizer.vocab_size(), config.vocab_size);
    let (length, positions) = (tokenizer.max_length() as i64, config.max_position_embeddings);
    let message = if tokens > vocab_size {
        format!("{tokens} tokens, and the text encoder beside it has vocab_size {vocab_size}")
    } else if length > positions {
        format!("model_max_length {length}, and the text encoder beside it has max_position_embeddings {positions}")
    } else {
        return Ok(());
    };
    Err(DiffusionError::Config { what: what.to_owned(), message })
}

fn same_length(first: &ClipTokenizer, second: &ClipTokenizer) -> Result<(), DiffusionError> {
    let (a, b) = (first.max_length(), second.max_length());
    if a == b {
        return Ok(());
    }
    let message = format!("model_max_length {b}, and {a} in tokenizer: their texts cannot lie side by side");
    Err(DiffusionError::Config { what: "tokenizer_2".into(), message })
}
