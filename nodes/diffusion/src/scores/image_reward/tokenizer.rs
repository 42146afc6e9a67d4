//! BERT's tokenizer (WordPiece), with the two tokens that BLIP adds, from `vocab.txt`.

use crate::{DiffusionError, send};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use tch::{Device, Tensor};
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::{AddedToken, Tokenizer};

const FILE: &str = "vocab.txt";
const UNKNOWN: &str = "[UNK]";
const SPECIAL: [&str; 5] = ["[PAD]", UNKNOWN, "[CLS]", "[SEP]", "[MASK]"];
/// Numbered after the vocabulary, in this order.
const ADDED: [&str; 2] = ["[DEC]", "[ENC]"];

/// `BertTokenizer` of `bert-base-uncased`, as BLIP extends it.
#[derive(Debug, Clone)]
pub struct BertTokenizer {
    tokenizer: Tokenizer,
    vocab: String,
    pad: i64,
    cls: i64,
    sep: i64,
}

impl BertTokenizer {
    /// Reads `vocab.txt`: a token a line, numbered from 0. `path` is the file, or the folder that it is in.
    ///
    /// # Errors
    /// [`DiffusionError::Io`], or [`DiffusionError::Config`] if a special token is missing or a token is there twice.
    pub fn read(path: &Path) -> Result<Self, DiffusionError> {
        let path = if path.is_dir() { path.join(FILE) } else { path.to_owned() };
        let text = std::fs::read_to_string(&path);
        let text = text.map_err(|source| DiffusionError::Io { action: "read", path: path.clone(), source })?;
        Self::new(&text).map_err(|message| DiffusionError::Config { what: path.display().to_string(), message })
    }

    /// Writes `vocab.txt` into a folder.
    ///
    /// # Errors
    /// [`DiffusionError::Io`].
    pub fn write(&self, folder: &Path) -> Result<(), DiffusionError> {
        let path: PathBuf = folder.join(FILE);
        std::fs::write(&path, &self.vocab).map_err(|source| DiffusionError::Io { action: "write", path, source })
    }

    fn new(text: &str) -> Result<Self, String> {
        let mut vocab = HashMap::new();
        for (i, token) in text.lines().enumerate() {
            if let Some(first) = vocab.insert(token.to_owned(), i as u32) {
                return Err(format!("lines {} and {} are both `{token}`", first + 1, i + 1));
            }
        }
        let id =
            |token: &str| vocab.get(token).map(|&id| i64::from(id)).ok_or_else(|| format!("has no line `{token}`"));
        SPECIAL.iter().try_for_each(|token| id(token).map(drop))?;
        let (pad, cls, sep) = (id("[PAD]")?, id("[CLS]")?, id("[SEP]")?);
        let vocab_text = text.lines().map(|token| format!("{token}\n")).collect();
        let tokenizer = word_piece(vocab).map_err(|e| e.to_string())?;
        Ok(Self { tokenizer, vocab: vocab_text, pad, cls, sep })
    }

    /// The ids of a text: `[CLS]`, its tokens cut to what fits into `max_length`, `[SEP]`. Not padded.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] if the tokenizer fails.
    pub fn encode(&self, text: &str, max_length: usize) -> Result<Vec<i64>, DiffusionError> {
        let wrong = |e: tokenizers::Error| DiffusionError::Config { what: "tokenizer".into(), message: e.to_string() };
        let tokens = self.tokenizer.encode_fast(text, false).map_err(wrong)?;
        let tokens = tokens.get_ids().iter().take(max_length - 2).map(|&id| i64::from(id));
        Ok(std::iter::once(self.cls).chain(tokens).chain([self.sep]).collect())
    }

    /// Texts as int64 (texts, 2, max_length): their ids, padded, and 1 where an id is no padding.
    ///
    /// # Errors
    /// As [`BertTokenizer::encode`].
    pub fn encode_batch<S: AsRef<str>>(
        &self,
        texts: &[S],
        max_length: usize,
        device: Device,
    ) -> Result<Tensor, DiffusionError> {
        let mut rows = Vec::with_capacity(texts.len() * 2 * max_length);
        for text in texts {
            let mut ids = self.encode(text.as_ref(), max_length)?;
            let mut mask = vec![1; ids.len()];
            ids.resize(max_length, self.pad);
            mask.resize(max_length, 0);
            rows.extend(ids.into_iter().chain(mask));
        }
        Ok(send(&Tensor::from_slice(&rows).reshape([texts.len() as i64, 2, max_length as i64]), device))
    }

    /// One more than the highest id: a model's `vocab_size`.
    pub fn vocab_size(&self) -> i64 {
        self.tokenizer.get_vocab_size(true) as i64
    }
}

fn word_piece(vocab: HashMap<String, u32>) -> tokenizers::Result<Tokenizer> {
    let vocab: Vec<_> = vocab.into_iter().collect();
    let model = WordPiece::builder().vocab(vocab.into_iter().collect::<tokenizers::models::bpe::Vocab>());
    let mut tokenizer = Tokenizer::new(model.unk_token(UNKNOWN.into()).build()?);
    tokenizer.with_normalizer(Some(BertNormalizer::new(true, true, None, true)))?;
    tokenizer.with_pre_tokenizer(Some(BertPreTokenizer));
    // These are found in the raw text, before any normalisation.
    tokenizer.add_special_tokens(SPECIAL.iter().chain(&ADDED).map(|&token| AddedToken::from(token, true)))?;
    Ok(tokenizer)
}
