//! What a sample's members mean.

use super::shard::Sample;
use crate::artifacts::dataset::words;
use crate::picture::{EXTENSIONS, Picture, Unread, Wanted, read_picture};

/// The caption as text, and as a field of something.
const TEXT: &str = "txt";
const JSON: &str = "json";
/// Fields that hold captions; the first that is not null counts.
const CAPTIONS: [&str; 2] = ["caption", "text"];

/// Every extension that means something.
pub(super) fn extensions() -> Vec<&'static str> {
    EXTENSIONS.into_iter().chain([TEXT, JSON]).collect()
}

/// The names of a sample's members that would be read, had their names no second dot.
pub(super) fn dotted(sample: &Sample) -> impl Iterator<Item = String> {
    let read = |ending: &str| extensions().contains(&ending);
    let dotted = move |name: &&String| name.rsplit_once('.').is_some_and(|(_, ending)| read(ending));
    sample.members.keys().filter(dotted).map(|name| format!("{}.{name}", sample.key.escape_debug()))
}

/// What a sample turns out to be.
pub(super) enum Found {
    /// A picture and its caption.
    Pair(Picture, String),
    /// Its picture would have to be enlarged.
    Small,
    /// There is no picture.
    NoPicture,
    /// There is no caption.
    NoCaption,
}

/// Reads a sample. The error names the member.
pub(super) fn find(sample: &Sample, wanted: Wanted<'_>) -> Result<Found, String> {
    let Some(extension) = EXTENSIONS.into_iter().find(|extension| sample.members.contains_key(*extension)) else {
        return Ok(Found::NoPicture);
    };
    let Some(caption) = caption(sample)? else { return Ok(Found::NoCaption) };
    let read = |bytes: &[u8]| match read_picture(bytes, wanted) {
        Err(Unread::Small { .. }) => Ok(None),
        read => read.map(Some).map_err(|e| e.to_string()),
    };
    Ok(member(sample, extension, read)?.map_or(Found::Small, |read| Found::Pair(read, caption)))
}

fn caption(sample: &Sample) -> Result<Option<String>, String> {
    if sample.members.contains_key(TEXT) {
        return member(sample, TEXT, |bytes| words::text(bytes).map(|text| Some(text.trim().to_owned())));
    }
    if !sample.members.contains_key(JSON) {
        return Ok(None);
    }
    member(sample, JSON, |bytes| {
        let described = words::json(words::text(bytes)?).map_err(|e| e.to_string())?;
        let fields = CAPTIONS.iter().map(|field| words::caption(described.get(field)));
        let texts = fields.collect::<Result<Vec<_>, _>>()?;
        Ok(texts.into_iter().flatten().next().map(|text| text.trim().to_owned()))
    })
}

/// What `read` makes of a member that is there.
fn member<T>(sample: &Sample, extension: &str, read: impl Fn(&[u8]) -> Result<T, String>) -> Result<T, String> {
    let content = sample.members[extension].as_ref();
    let made = content.map_err(Clone::clone).and_then(|bytes| read(bytes));
    made.map_err(|why| format!("{}.{extension}: {why}", sample.key.escape_debug()))
}
