//! Pictures in files: reading them in, writing grids out.

mod canvas;
mod read;

pub(crate) use canvas::{Canvas, GAP, GLYPH, magnification, save, to_bytes, write_png};
pub(crate) use read::{EXTENSIONS, Square, Wanted, read_square};
