//! Pictures: where they can be opened, and how a terminal draws them.
//!
//! Nothing of a file reaches a terminal: it is decoded within bounds, and what is written is made of its pixels. How pixels
//! become sixels, PNG and base64 is libraries' work; the few bytes around them are in the file of each protocol.

mod blocks;
mod copies;
mod decode;
mod draw;
mod iterm;
mod kitty;
mod protocol;
mod sheet;
mod sixel;
mod window;

pub(crate) use copies::copy;
pub(crate) use decode::{Undrawn, decode};
pub(crate) use draw::draw;
pub(crate) use protocol::{Protocol, Wanted};
pub(crate) use sheet::Sheet;
pub(crate) use window::Window;

/// Whether a name ends as that of a picture.
pub(crate) fn is_picture(path: &str) -> bool {
    ending(path).is_some_and(|end| ["png", "jpg", "jpeg", "svg", "webp", "gif", "bmp"].contains(&end.as_str()))
}

/// Whether it is a picture of pixels.
pub(crate) fn is_drawn(path: &str) -> bool {
    is_picture(path) && ending(path).is_some_and(|end| end != "svg")
}

fn ending(path: &str) -> Option<String> {
    let end = std::path::Path::new(path).extension()?;
    Some(end.to_str()?.to_ascii_lowercase())
}
