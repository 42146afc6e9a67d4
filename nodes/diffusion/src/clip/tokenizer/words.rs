//! Text into words: what happens before BPE.

use tokenizers::normalizers::{Lowercase, NFC, Replace, Sequence as Normalizers, replace::ReplacePattern};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence as PreTokenizers;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::tokenizer::normalizer::{OffsetReferential, SplitDelimiterBehavior};
use tokenizers::{NormalizedString, Normalizer, NormalizerWrapper, OffsetType, PreTokenizedString, PreTokenizer};

/// Contractions, runs of letters, single digits, runs of anything else that is not space.
const WORDS: &str = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

/// Composed characters, single spaces, lower case.
pub(super) fn normalizer() -> tokenizers::Result<NormalizerWrapper> {
    let spaces = Replace::new(ReplacePattern::Regex(r"\s+".into()), " ")?;
    Ok(Normalizers::new(vec![NFC.into(), spaces.into(), Lowercase.into()]).into())
}

/// Words, their bytes written as printable characters.
pub(super) fn pre_tokenizer() -> tokenizers::Result<PreTokenizerWrapper> {
    let words = Split::new(SplitPattern::Regex(WORDS.into()), SplitDelimiterBehavior::Removed, true)?;
    Ok(PreTokenizers::new(vec![words.into(), ByteLevel::new(false, true, true).into()]).into())
}

/// The words of a text, as BPE sees them.
pub(super) fn words(text: &str) -> tokenizers::Result<Vec<String>> {
    let mut text = NormalizedString::from(text);
    normalizer()?.normalize(&mut text)?;
    let mut words = PreTokenizedString::from(text);
    pre_tokenizer()?.pre_tokenize(&mut words)?;
    let splits = words.get_splits(OffsetReferential::Normalized, OffsetType::None);
    Ok(splits.into_iter().map(|(word, ..)| word.to_owned()).collect())
}
