//! Pictures in files: reading them in, writing grids out.

mod canvas;
#[cfg(test)]
mod formula;
mod line;
mod read;
mod resize;

pub(crate) use canvas::{Canvas, GAP, GLYPH, magnification, save, to_bytes, write_png};
pub(crate) use line::{CAPTIONS, Line};
pub(crate) use read::{EXTENSIONS, Square, Wanted, read_square};
