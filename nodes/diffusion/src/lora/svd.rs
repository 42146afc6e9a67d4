//! The best LoRA for a change of weights that is known in full.

use super::LoraLayer;
use super::merge::Squares;
use crate::DiffusionError;
use tch::{Device, Kind, Tensor};

/// The LoRA of at most `rank` whose ΔW is nearest to `delta` (Eckart–Young), in fp32 with scale 1, and what it loses.
/// `delta` is in the shape of the module's weight; a convolution is flattened to (out, in·k·k).
///
/// With U the first eigenvectors of ΔW·ΔWᵀ, the nearest is U·(Uᵀ·ΔW): a projection, which is exact where the rank of ΔW is
/// no higher. In f64, on the device of `delta`; the smaller side of ΔW counts, cubed.
pub(super) fn nearest(delta: &Tensor, rank: i64) -> Result<(LoraLayer, Squares), DiffusionError> {
    let shape = delta.size();
    let matrix = delta.to_kind(Kind::Double).flatten(1, -1);
    let wide = matrix.size()[0] <= matrix.size()[1];
    let rows = if wide { matrix.shallow_clone() } else { matrix.tr() };
    // 1. eigenvectors, those of the largest values last
    let (_, vectors) = rows.f_matmul(&rows.tr())?.f_linalg_eigh("L")?;
    let all = vectors.size()[1];
    let kept = rank.min(all);
    let basis = signed(&vectors.narrow(1, all - kept, kept).flip([1]));
    // 2. halves of about the same size
    let part = basis.tr().f_matmul(&rows)?;
    let root = part.square().sum_dim_intlist(1, true, Kind::Double).sqrt().sqrt();
    let other = &part / root.where_self(&root.gt(0.0), &Tensor::ones_like(&root));
    let basis = basis * root.tr();
    let (up, down) = if wide { (basis, other) } else { (other.tr(), basis.tr()) };
    let squares = Squares { lost: length(&(&matrix - up.f_matmul(&down)?)), whole: length(&matrix) };
    let as_weight =
        |half: &Tensor, shape: &[i64]| half.contiguous().reshape(shape).to_kind(Kind::Float).to_device(Device::Cpu);
    let (mut up_shape, mut down_shape) = (vec![1; shape.len()], shape.clone());
    (up_shape[0], up_shape[1], down_shape[0]) = (shape[0], kept, kept);
    Ok((LoraLayer { up: as_weight(&up, &up_shape), down: as_weight(&down, &down_shape), alpha: kept as f64 }, squares))
}

/// Columns whose largest entry is positive: which way an eigenvector points differs between CPUs.
fn signed(columns: &Tensor) -> Tensor {
    let largest = columns.abs().argmax(0, true);
    columns * columns.gather(0, &largest, false).sign()
}

/// The squared length.
fn length(x: &Tensor) -> f64 {
    x.square().sum(Kind::Double).double_value(&[])
}
