//! What a sample's members mean.

use serde::Deserialize;

use super::shard::Sample;
use crate::picture::{EXTENSIONS, Square, Wanted, read_square};

/// The caption as text, and as a field of something.
const TEXT: &str = "txt";
const JSON: &str = "json";

/// Every extension that means something.
pub(super) fn extensions() -> Vec<&'static str> {
    EXTENSIONS.into_iter().chain([TEXT, JSON]).collect()
}

/// Further fields are whoever's made the shard.
#[derive(Deserialize)]
struct Described {
    caption: Option<String>,
    text: Option<String>,
}

/// What a sample turns out to be.
pub(super) enum Found {
    /// A picture and its caption.
    Pair(Square, String),
    /// There is no picture.
    NoPicture,
    /// There is no caption.
    NoCaption,
}

/// Reads a sample. The error names the member.
pub(super) fn find(sample: &Sample, wanted: Wanted) -> Result<Found, String> {
    let Some(extension) = EXTENSIONS.into_iter().find(|extension| sample.members.contains_key(*extension)) else {
        return Ok(Found::NoPicture);
    };
    let Some(caption) = caption(sample)? else { return Ok(Found::NoCaption) };
    let square = |bytes: &[u8]| read_square(bytes, wanted).map_err(|e| e.to_string());
    Ok(Found::Pair(member(sample, extension, square)?, caption))
}

fn caption(sample: &Sample) -> Result<Option<String>, String> {
    if sample.members.contains_key(TEXT) {
        let text =
            |bytes: &[u8]| std::str::from_utf8(bytes).map(|text| text.trim().to_owned()).map_err(|e| e.to_string());
        return member(sample, TEXT, text).map(Some);
    }
    if !sample.members.contains_key(JSON) {
        return Ok(None);
    }
    let described = |bytes: &[u8]| serde_json::from_slice::<Described>(bytes).map_err(|e| e.to_string());
    let Described { caption, text } = member(sample, JSON, described)?;
    Ok(caption.or(text).map(|text| text.trim().to_owned()))
}

/// What `read` makes of a member that is there.
fn member<T>(sample: &Sample, extension: &str, read: impl Fn(&[u8]) -> Result<T, String>) -> Result<T, String> {
    let content = sample.members[extension].as_ref();
    let made = content.map_err(Clone::clone).and_then(|bytes| read(bytes));
    made.map_err(|why| format!("{}.{extension}: {why}", sample.key.escape_debug()))
}
