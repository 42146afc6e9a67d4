//! Pictures in files: reading them in, writing grids out. What is absent: artifacts, and all that draws.

mod canvas;
mod line;
mod read;

pub(crate) use canvas::{Canvas, GAP, GLYPH, magnification, save, to_bytes, write_png};
pub(crate) use line::{CAPTIONS, Line};
pub(crate) use read::{EXTENSIONS, Square, Wanted, read_square};
