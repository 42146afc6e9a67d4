//! Captions of which a text encoder reads only the beginning.

use hyper_flow_diffusion::{DiffusionError, TextEncoders};
use hyper_flow_spec::Level;

use super::account::{shorten, some};
use crate::worker::Context;

/// Tells how many distinct captions are longer than the text encoders read, and which are.
pub(crate) fn tell_long(context: &Context, encoders: &TextEncoders, captions: &[String]) -> Result<(), DiffusionError> {
    let mut long = Vec::new();
    for caption in captions {
        let tokens = encoders.tokens(caption)?;
        if tokens > encoders.max_tokens() {
            long.push(format!("\"{}\" ({tokens})", shorten(caption)));
        }
    }
    if !long.is_empty() {
        let (count, of, most, named) = (long.len(), captions.len(), encoders.max_tokens(), some(&long));
        let text = format!("{count} of {of} captions have more than the {most} tokens that are read of each: {named}");
        context.reporter.message(Level::Warning, text);
    }
    Ok(())
}
