//! Merging: the sum of weighted LoRAs exactly, by concatenation, and its best approximation of a lower rank, by SVD.

use super::{Lora, LoraLayer};
use crate::error::DiffusionError;
use std::collections::{BTreeMap, BTreeSet};
use tch::{Tensor, no_grad};

/// The relative error ‖ΔW − ΔW_r‖ / ‖ΔW‖ (Frobenius) of a LoRA that stands for changes of weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Truncation {
    /// For each module.
    pub modules: BTreeMap<String, f64>,
    /// Over all modules together.
    pub total: f64,
    squares: BTreeMap<String, Squares>,
}

impl Truncation {
    /// Over the modules of each block of a UNet together, and of each text encoder; one that is in none stands for itself.
    pub fn blocks(&self) -> BTreeMap<String, f64> {
        let mut blocks: BTreeMap<&str, Squares> = BTreeMap::new();
        for (path, squares) in &self.squares {
            blocks.entry(block(path)).or_default().add(squares);
        }
        blocks.into_iter().map(|(block, squares)| (block.to_owned(), squares.relative())).collect()
    }
}

/// `down_blocks.0`, `mid_block`, `text_encoder`, or the whole path of what is in none.
fn block(path: &str) -> &str {
    let end = |count: usize| path.match_indices('.').nth(count).map_or(path.len(), |(at, _)| at);
    match path.split('.').next() {
        Some("down_blocks" | "up_blocks") => &path[..end(1)],
        Some("mid_block" | "text_encoder" | "text_encoder_1" | "text_encoder_2") => &path[..end(0)],
        _ => path,
    }
}

/// Σ weight·ΔW as one LoRA whose rank is the sum of the ranks. Exact; alpha equals the rank, so the scale is 1.
///
/// # Errors
/// [`DiffusionError::Lora`] if there is nothing to merge, or a module has two shapes.
pub fn concat(loras: &[(&Lora, f64)]) -> Result<Lora, DiffusionError> {
    let modules: BTreeSet<&String> = loras.iter().flat_map(|(lora, _)| lora.layers.keys()).collect();
    if modules.is_empty() {
        return Err(DiffusionError::Lora("there is nothing to merge".to_owned()));
    }
    let layers = modules.into_iter().map(|module| {
        let parts = loras.iter().filter_map(|(lora, weight)| Some((lora.layers.get(module)?, *weight)));
        Ok((module.clone(), concat_layer(module, &parts.collect::<Vec<_>>())?))
    });
    Ok(Lora { layers: layers.collect::<Result<_, DiffusionError>>()? })
}

fn concat_layer(module: &str, parts: &[(&LoraLayer, f64)]) -> Result<LoraLayer, DiffusionError> {
    let shape = parts[0].0.weight_shape();
    if parts.iter().any(|(layer, _)| layer.weight_shape() != shape) {
        return Err(DiffusionError::Lora(format!("{module} has different shapes in the LoRAs to merge")));
    }
    no_grad(|| {
        let downs: Vec<_> = parts.iter().map(|(layer, _)| layer.down.detach()).collect();
        let ups: Vec<_> = parts.iter().map(|(layer, weight)| layer.up.detach() * (weight * layer.scale())).collect();
        let (down, up) = (Tensor::f_cat(&downs, 0)?, Tensor::f_cat(&ups, 1)?);
        let alpha = down.size()[0] as f64;
        Ok(LoraLayer { down, up, alpha })
    })
}

/// The best LoRA of at most `rank` in each module (Eckart–Young), and the error it makes. Convolutions are flattened to
/// (out, in·k·k). Computed in f64 on the CPU.
///
/// # Errors
/// [`DiffusionError::Lora`] if `rank` is below 1, [`DiffusionError::Tensor`] if the SVD does not converge.
pub fn truncate(lora: &Lora, rank: i64) -> Result<(Lora, Truncation), DiffusionError> {
    if rank < 1 {
        return Err(DiffusionError::Lora(format!("a rank of {rank}")));
    }
    let mut kept = Kept::default();
    for (module, layer) in &lora.layers {
        kept.add(module, no_grad(|| truncate_layer(layer, rank))?);
    }
    Ok(kept.into_parts())
}

/// What was kept of changes to weights, and what was lost.
#[derive(Default)]
pub(super) struct Kept {
    lora: Lora,
    squares: BTreeMap<String, Squares>,
}

impl Kept {
    pub(super) fn add(&mut self, module: &str, (layer, squares): (LoraLayer, Squares)) {
        self.squares.insert(module.to_owned(), squares);
        self.lora.layers.insert(module.to_owned(), layer);
    }

    pub(super) fn into_parts(self) -> (Lora, Truncation) {
        let mut all = Squares::default();
        self.squares.values().for_each(|squares| all.add(squares));
        let modules = self.squares.iter().map(|(module, squares)| (module.clone(), squares.relative())).collect();
        (self.lora, Truncation { modules, total: all.relative(), squares: self.squares })
    }
}

/// Squared Frobenius norms.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Squares {
    pub(super) lost: f64,
    pub(super) whole: f64,
}

impl Squares {
    fn add(&mut self, other: &Self) {
        self.lost += other.lost;
        self.whole += other.whole;
    }

    /// Nothing lost of nothing is no error.
    fn relative(&self) -> f64 {
        if self.whole > 0.0 { (self.lost / self.whole).sqrt() } else { 0.0 }
    }
}

/// With up = Q₁R₁ and downᵀ = Q₂R₂, the SVD of up·down is that of the small R₁R₂ᵀ between Q₁ and Q₂ᵀ.
pub(super) fn truncate_layer(layer: &LoraLayer, rank: i64) -> Result<(LoraLayer, Squares), DiffusionError> {
    let (up, down) = layer.factors();
    let (q1, r1) = Tensor::f_linalg_qr(&up, "reduced")?;
    let (q2, r2) = Tensor::f_linalg_qr(&down.tr(), "reduced")?;
    let core = r1.f_matmul(&r2.tr())? * layer.scale();
    let (u, s, v) = core.f_svd(true, true)?;
    let kept = rank.min(s.size()[0]);
    let root = s.narrow(0, 0, kept).sqrt();
    let up = q1.matmul(&u.narrow(1, 0, kept)) * &root;
    let down = root.unsqueeze(1) * q2.matmul(&v.narrow(1, 0, kept)).tr();
    let squares = s.square();
    let whole = squares.sum(tch::Kind::Double).double_value(&[]);
    let lost = squares.narrow(0, kept, s.size()[0] - kept).sum(tch::Kind::Double).double_value(&[]);
    Ok((reshaped(layer, &up, &down, kept), Squares { lost, whole }))
}

/// Factors in the shape, dtype and device of the layer that they replace; the scale is in them.
fn reshaped(like: &LoraLayer, up: &Tensor, down: &Tensor, rank: i64) -> LoraLayer {
    let (mut up_shape, mut down_shape) = (like.up.size(), like.down.size());
    (up_shape[1], down_shape[0]) = (rank, rank);
    let as_before =
        |t: &Tensor, shape: Vec<i64>| t.reshape(shape).to_kind(like.down.kind()).to_device(like.down.device());
    LoraLayer { up: as_before(up, up_shape), down: as_before(down, down_shape), alpha: rank as f64 }
}
