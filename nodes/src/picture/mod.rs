//! Pictures in files: reading them in, writing grids out. What is absent: artifacts, and all that draws.

mod canvas;
mod decode;
mod error;
mod flat;
#[cfg(test)]
mod formula;
mod frame;
mod jpeg;
mod line;
mod profile;
mod read;
mod remark;
mod resize;
mod several;

pub(crate) use canvas::{Canvas, GAP, GLYPH, magnification, save, to_bytes, wrap, write_png};
pub(crate) use error::Unread;
pub(crate) use line::{CAPTIONS, Line};
pub(crate) use read::{EXTENSIONS, Picture, Wanted, read_file, read_picture};
pub(crate) use remark::Remark;

/// A file of tests/parity/odd_pictures.py.
#[cfg(test)]
fn odd(name: &str) -> Vec<u8> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/parity/fixtures/odd_pictures");
    std::fs::read(folder.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}
