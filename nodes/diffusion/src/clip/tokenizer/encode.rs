//! Token ids of texts, begun, ended, cut and padded to one length.

use super::words::{normalizer, pre_tokenizer};
use crate::{DiffusionError, send};
use std::collections::BTreeMap;
use tch::{Device, Tensor};
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::{AddedToken, Tokenizer};

/// What marks the end of a word in the vocabulary.
pub(super) const END_OF_WORD: &str = "</w>";

/// The tokens with a meaning of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SpecialTokens {
    pub(super) bos: String,
    pub(super) eos: String,
    pub(super) pad: String,
    pub(super) unk: String,
}

impl Default for SpecialTokens {
    fn default() -> Self {
        let end = "<|endoftext|>";
        Self { bos: "<|startoftext|>".into(), eos: end.into(), pad: end.into(), unk: end.into() }
    }
}

/// What a tokenizer is made of and saved as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parts {
    /// Token to id.
    pub(super) vocab: BTreeMap<String, u32>,
    /// Pairs that become one token, the first ones first.
    pub(super) merges: Vec<(String, String)>,
    pub(super) special: SpecialTokens,
    /// The length that texts are cut and padded to (`model_max_length`).
    pub(super) max_length: usize,
}

/// CLIP's tokenizer.
#[derive(Debug, Clone)]
pub struct ClipTokenizer {
    pub(super) parts: Parts,
    tokenizer: Tokenizer,
    bos: i64,
    eos: i64,
    pad: i64,
}

impl ClipTokenizer {
    pub(super) fn new(parts: Parts) -> Result<Self, DiffusionError> {
        let id = |token: &String| {
            let message = || format!("{token} is not in the vocabulary");
            parts.vocab.get(token).map(|&id| i64::from(id)).ok_or_else(|| wrong(message()))
        };
        let special = &parts.special;
        let (bos, eos, pad) = (id(&special.bos)?, id(&special.eos)?, id(&special.pad)?);
        if parts.max_length < 2 {
            return Err(wrong(format!("model_max_length {} has no room for begin and end", parts.max_length)));
        }
        let tokenizer = byte_pair_encoding(&parts).map_err(wrong)?;
        Ok(Self { tokenizer, bos, eos, pad, parts })
    }

    /// The same, but for the token that pads.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] if it is not in the vocabulary.
    pub fn padded_with(self, pad: &str) -> Result<Self, DiffusionError> {
        let mut parts = self.parts;
        pad.clone_into(&mut parts.special.pad);
        Self::new(parts)
    }

    /// The ids of a text: begin, its tokens cut to what fits, end, and padding up to [`ClipTokenizer::max_length`].
    ///
    /// # Errors
    /// [`DiffusionError::Config`] if the text holds what the vocabulary has no token for, not even the unknown one.
    pub fn encode(&self, text: &str) -> Result<Vec<i64>, DiffusionError> {
        let tokens = self.tokenizer.encode_fast(text, false).map_err(wrong)?;
        let length = self.max_length();
        let mut ids = vec![self.bos];
        ids.extend(tokens.get_ids().iter().take(length - 2).map(|&id| i64::from(id)));
        ids.push(self.eos);
        ids.resize(length, self.pad);
        Ok(ids)
    }

    /// The tokens of a text with begin and end, however many: [`ClipTokenizer::encode`] keeps
    /// [`ClipTokenizer::max_length`] of them.
    ///
    /// # Errors
    /// As [`ClipTokenizer::encode`].
    pub fn count(&self, text: &str) -> Result<usize, DiffusionError> {
        Ok(self.tokenizer.encode_fast(text, false).map_err(wrong)?.len() + 2)
    }

    /// The ids of texts as int64 (texts, max_length).
    ///
    /// # Errors
    /// As [`ClipTokenizer::encode`].
    pub fn encode_batch<S: AsRef<str>>(&self, texts: &[S], device: Device) -> Result<Tensor, DiffusionError> {
        let rows: Result<Vec<_>, _> = texts.iter().map(|text| self.encode(text.as_ref())).collect();
        let shape = [texts.len() as i64, self.max_length() as i64];
        Ok(send(&Tensor::from_slice(&rows?.concat()).reshape(shape), device))
    }

    /// The length of every encoded text (`model_max_length`).
    pub fn max_length(&self) -> usize {
        self.parts.max_length
    }

    /// One more than the highest id: a model's `vocab_size`.
    pub fn vocab_size(&self) -> i64 {
        self.parts.vocab.values().max().map_or(0, |&id| i64::from(id) + 1)
    }

    /// The id of the token that begins a text.
    pub fn bos_token_id(&self) -> i64 {
        self.bos
    }

    /// The id of the token that ends a text.
    pub fn eos_token_id(&self) -> i64 {
        self.eos
    }

    /// The id of the token that pads.
    pub fn pad_token_id(&self) -> i64 {
        self.pad
    }
}

fn byte_pair_encoding(parts: &Parts) -> tokenizers::Result<Tokenizer> {
    let vocab: Vocab = parts.vocab.clone().into_iter().collect();
    let model = BPE::builder()
        .vocab_and_merges(vocab, parts.merges.clone())
        .unk_token(parts.special.unk.clone())
        .continuing_subword_prefix(String::new())
        .end_of_word_suffix(END_OF_WORD.into())
        .build()?;
    let mut tokenizer = Tokenizer::new(model);
    tokenizer.with_normalizer(Some(normalizer()?))?;
    tokenizer.with_pre_tokenizer(Some(pre_tokenizer()?));
    let SpecialTokens { bos, eos, pad, unk } = &parts.special;
    // These are found in the raw text, before any normalisation.
    tokenizer.add_special_tokens([bos, eos, unk, pad].map(|token| AddedToken::from(token, true)))?;
    Ok(tokenizer)
}

/// An error of this module.
pub(super) fn wrong(message: impl ToString) -> DiffusionError {
    DiffusionError::Config { what: "tokenizer".into(), message: message.to_string() }
}
