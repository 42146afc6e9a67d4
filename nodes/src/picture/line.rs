//! Pictures in a folder with their captions.

use serde::Serialize;

/// The captions, in a folder of pictures.
pub(crate) const CAPTIONS: &str = "metadata.jsonl";

/// A line of [`CAPTIONS`], as the imagefolder convention has it.
#[derive(Serialize)]
pub(crate) struct Line<'a> {
    pub(crate) file_name: String,
    pub(crate) text: &'a str,
}
