//! `matrix`: one node of the file stands for many.
//!
//! `axes` are what is swept; a name or text with `{axis}` in it is a `template`; `expand` puts every value
//! where its name stands, before anything has a type.

mod axes;
mod expand;
mod template;

pub(super) use axes::{Axes, tell_axes_twice};
pub(super) use expand::{Swept, sweep};
pub(super) use template::unknown_axis;
pub(crate) use template::{Piece, pieces};
