//! Tensors that are computed batch by batch into files of the scratch directory, where an interrupted node goes on.

mod compute;
mod prefix;

pub(crate) use compute::{Rows, compute};
