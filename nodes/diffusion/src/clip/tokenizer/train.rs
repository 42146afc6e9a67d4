//! A small vocabulary from captions.

use super::encode::{ClipTokenizer, END_OF_WORD, Parts, SpecialTokens, wrong};
use super::words::words;
use crate::DiffusionError;
use std::collections::BTreeMap;

type Pair = (String, String);

impl ClipTokenizer {
    /// A tokenizer whose vocabulary is CLIP's alphabet (each byte, within and at the end of a word), at most `merges`
    /// tokens merged from the commonest pairs of `captions`, and the two special tokens last.
    ///
    /// The same captions in any order give the same tokenizer: pairs as common as each other are merged in the order of
    /// their text. A pair must be there twice. (Each merge goes through all distinct words: for captions of a few
    /// thousand different words.)
    ///
    /// # Errors
    /// [`DiffusionError::Config`] if `max_length` is below 2.
    pub fn train<S: AsRef<str>>(captions: &[S], merges: usize, max_length: usize) -> Result<Self, DiffusionError> {
        let mut counts = count_words(captions).map_err(wrong)?;
        let mut learnt = Vec::new();
        while learnt.len() < merges
            && let Some(pair) = commonest_pair(&counts)
        {
            merge_all(&mut counts, &pair);
            learnt.push(pair);
        }
        let special = SpecialTokens::default();
        let tokens = alphabet().chain(learnt.iter().map(|(left, right)| format!("{left}{right}")));
        let tokens = tokens.chain([special.bos.clone(), special.eos.clone()]);
        let mut vocab = BTreeMap::new();
        for token in tokens {
            // Two pairs can give one token; it has one id.
            let next = vocab.len() as u32;
            vocab.entry(token).or_insert(next);
        }
        Self::new(Parts { vocab, merges: learnt, special, max_length })
    }
}

/// Words as lists of symbols, with how often they occur.
type Words = Vec<(Vec<String>, usize)>;

fn count_words<S: AsRef<str>>(captions: &[S]) -> tokenizers::Result<Words> {
    let mut counts = BTreeMap::new();
    for caption in captions {
        for word in words(caption.as_ref())? {
            *counts.entry(word).or_insert(0) += 1;
        }
    }
    Ok(counts.into_iter().map(|(word, count)| (symbols(&word), count)).collect())
}

/// The characters of a word, the last marked.
fn symbols(word: &str) -> Vec<String> {
    let mut symbols: Vec<_> = word.chars().map(String::from).collect();
    if let Some(last) = symbols.last_mut() {
        last.push_str(END_OF_WORD);
    }
    symbols
}

fn commonest_pair(words: &Words) -> Option<Pair> {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (symbols, count) in words {
        for pair in symbols.windows(2) {
            *counts.entry((&pair[0], &pair[1])).or_insert(0) += count;
        }
    }
    // The first of equals: `max_by_key` takes the last, hence the reversal.
    let (pair, count) = counts.into_iter().rev().max_by_key(|&(_, count)| count)?;
    (count > 1).then(|| (pair.0.to_owned(), pair.1.to_owned()))
}

fn merge_all(words: &mut Words, pair: &Pair) {
    for (symbols, _) in words {
        let mut i = 0;
        while i + 1 < symbols.len() {
            if symbols[i] == pair.0 && symbols[i + 1] == pair.1 {
                let right = symbols.remove(i + 1);
                symbols[i].push_str(&right);
            }
            i += 1;
        }
    }
}

/// Each byte as a printable character, then each again as the end of a word, in the order of CLIP's vocabulary:
/// printable bytes first.
fn alphabet() -> impl Iterator<Item = String> {
    let printable = |byte: u8| matches!(byte, 33..=126 | 161..=172 | 174..=255);
    let (plain, moved): (Vec<u8>, Vec<u8>) = (0..=255).partition(|&byte| printable(byte));
    let plain = plain.into_iter().map(char::from);
    let characters: Vec<_> = plain.chain((0x100..).zip(moved).filter_map(|(code, _)| char::from_u32(code))).collect();
    let ends = characters.clone();
    characters.into_iter().map(String::from).chain(ends.into_iter().map(|c| format!("{c}{END_OF_WORD}")))
}
