//! Adapters that are no plain LoRA, as the ΔW that they add: LoRAs of three factors, LoHa, LoKr and DoRA.

use super::LoraLayer;
use super::file::{Adapter, LoraFile, laid_out};
use crate::DiffusionError;
use tch::{Kind, Tensor};

/// What a module's adapter is.
pub(super) enum Change {
    /// A LoRA.
    Low(LoraLayer),
    /// ΔW in the shape of the weight, f64.
    Full(Tensor),
}

impl LoraFile<'_> {
    /// What an adapter of any kind changes about a weight of `shape`. `alpha` is asked with the rank; `base` for the weight,
    /// which only a DoRA needs.
    pub(super) fn change(
        &self,
        adapter: &Adapter<'_>,
        module: &str,
        shape: &[i64],
        alpha: impl Fn(f64) -> Result<f64, DiffusionError>,
        base: impl Fn() -> Result<Tensor, DiffusionError>,
    ) -> Result<Change, DiffusionError> {
        let parts = Parts { file: self, adapter, module, shape };
        let change = match parts.form() {
            Form::Plain => Change::Low(self.plain(adapter, module, shape, alpha)?),
            Form::Mid => Change::Low(parts.three_factors(alpha)?),
            Form::LoHa => Change::Full(parts.hadamard(alpha)?),
            Form::LoKr => Change::Full(parts.kronecker(alpha)?),
        };
        parts.weight_decomposed(change, base)
    }
}

enum Form {
    Plain,
    Mid,
    LoHa,
    LoKr,
}

/// The tensors of one module's adapter.
struct Parts<'a> {
    file: &'a LoraFile<'a>,
    adapter: &'a Adapter<'a>,
    module: &'a str,
    /// Of the weight.
    shape: &'a [i64],
}

impl Parts<'_> {
    fn form(&self) -> Form {
        let begins = |start: &str| self.adapter.others().any(|part| part.starts_with(start));
        if begins(".hada_") {
            Form::LoHa
        } else if begins(".lokr_") {
            Form::LoKr
        } else if begins(".lora_mid") {
            Form::Mid
        } else {
            Form::Plain
        }
    }

    /// up (out, r), mid (r, r, k, k) and down (r, in), each a convolution behind the one before: a LoRA whose lower half is
    /// mid·down. (LyCORIS, `cp` and `tucker`.)
    fn three_factors(&self, alpha: impl Fn(f64) -> Result<f64, DiffusionError>) -> Result<LoraLayer, DiffusionError> {
        let (down, up) = self.file.halves(self.adapter)?;
        let mid = self.need(".lora_mid.weight")?.to_kind(Kind::Float);
        let rank = down.size().first().map_or(0.0, |&rank| rank as f64);
        let lower = Tensor::f_einsum("pqkl,qi->pikl", &[mid, down.flatten(1, -1)], None::<i64>);
        let (lower, up) = laid_out(lower.map_err(|_| self.unfit("lora_mid"))?, up, self.shape);
        let alpha = alpha(rank)? / rank * lower.size()[0] as f64;
        LoraLayer::checked(self.module, lower, up, alpha)
    }

    /// ΔW = alpha/r · (w1a·w1b) ∘ (w2a·w2b) (arXiv 2108.06098, as LyCORIS has it); with cores t1, t2 each product is
    /// Σ t[i, j]·wa[i, out]·wb[j, in].
    fn hadamard(&self, alpha: impl Fn(f64) -> Result<f64, DiffusionError>) -> Result<Tensor, DiffusionError> {
        let product = |a: &str, b: &str, t: &str| {
            let (a, b) = (self.need(a)?, self.need(b)?);
            self.product(a, b, self.have(t)?)
        };
        let one = product(".hada_w1_a", ".hada_w1_b", ".hada_t1")?;
        let two = product(".hada_w2_a", ".hada_w2_b", ".hada_t2")?;
        let rank = self.need(".hada_w1_b")?.size()[0] as f64;
        let both = one.f_mul(&two).map_err(|_| self.unfit("hada_w1 and hada_w2"))?;
        self.shaped(both * (alpha(rank)? / rank))
    }

    /// ΔW = alpha/r · w1 ⊗ w2 (LyCORIS), each a matrix or a product of two; a core t2 as in [`Self::hadamard`]. Where
    /// neither is a product there is no rank, and alpha counts for nothing.
    fn kronecker(&self, alpha: impl Fn(f64) -> Result<f64, DiffusionError>) -> Result<Tensor, DiffusionError> {
        let (one, first) = self.factor(".lokr_w1", ".lokr_w1_a", ".lokr_w1_b", ".lokr_t1")?;
        let (two, second) = self.factor(".lokr_w2", ".lokr_w2_a", ".lokr_w2_b", ".lokr_t2")?;
        let one = if two.dim() == 4 && one.dim() == 2 { one.unsqueeze(2).unsqueeze(3) } else { one };
        let scale = match second.or(first) {
            Some(rank) => alpha(rank)? / rank,
            None => 1.0,
        };
        self.shaped(one.f_kron(&two.contiguous()).map_err(|_| self.unfit("lokr_w1 and lokr_w2"))? * scale)
    }

    /// A factor, and its rank if it is a product.
    fn factor(&self, whole: &str, a: &str, b: &str, t: &str) -> Result<(Tensor, Option<f64>), DiffusionError> {
        if let Some(whole) = self.have(whole)? {
            return Ok((whole, None));
        }
        let (a, b) = (self.need(a)?, self.need(b)?);
        let rank = b.size().first().map_or(0.0, |&rank| rank as f64);
        Ok((self.product(a, b, self.have(t)?)?, Some(rank)))
    }

    fn product(&self, a: Tensor, b: Tensor, core: Option<Tensor>) -> Result<Tensor, DiffusionError> {
        let made = match core {
            None => a.f_matmul(&b),
            Some(core) => Tensor::f_einsum("ijkl,jr,ip->prkl", &[core, b, a], None::<i64>),
        };
        made.map_err(|_| self.unfit("the factors"))
    }

    /// W' = m·(W + ΔW) / ‖W + ΔW‖ (arXiv 2402.09353), as ΔW. The norm is over all but the dimension of the magnitudes: the
    /// outputs in peft, the inputs or the outputs in LyCORIS, which its shape tells.
    fn weight_decomposed(
        &self,
        change: Change,
        base: impl Fn() -> Result<Tensor, DiffusionError>,
    ) -> Result<Change, DiffusionError> {
        let magnitudes = [".lora_magnitude_vector", ".lora_magnitude_vector.weight", ".dora_scale"];
        let Some(part) = magnitudes.into_iter().find(|part| self.adapter.others().any(|other| other == *part)) else {
            return Ok(change);
        };
        let magnitude = self.need(part)?;
        let by_output = part != ".dora_scale" || magnitude.size().first() == Some(&self.shape[0]);
        let (dimension, count) = if by_output { (0, self.shape[0]) } else { (1, self.shape[1]) };
        if magnitude.numel() as i64 != count {
            return Err(self.unfit("its magnitudes"));
        }
        let mut beside = vec![1; self.shape.len()];
        beside[dimension] = count;
        let delta = match change {
            Change::Low(layer) => layer.map(|half| half.to_kind(Kind::Double)).delta(),
            Change::Full(delta) => delta,
        };
        if delta.size() != self.shape {
            return Err(self.unfit("its halves"));
        }
        let weight = base()?;
        let changed = weight.f_add(&delta).map_err(|_| self.unfit("the weight"))?;
        let others: Vec<i64> = (0..self.shape.len() as i64).filter(|d| *d != dimension as i64).collect();
        let norm = changed.square().sum_dim_intlist(others, true, Kind::Double).sqrt();
        Ok(Change::Full(magnitude.reshape(beside) * changed / norm - weight))
    }

    /// In the shape of the weight.
    fn shaped(&self, delta: Tensor) -> Result<Tensor, DiffusionError> {
        delta.f_reshape(self.shape).map_err(|_| self.unfit("the product"))
    }

    /// A tensor in f64, if the file has it.
    fn have(&self, part: &str) -> Result<Option<Tensor>, DiffusionError> {
        let key = self.adapter.other(part);
        key.map(|key| Ok(self.file.finite(key)?.to_kind(Kind::Double))).transpose()
    }

    fn need(&self, part: &str) -> Result<Tensor, DiffusionError> {
        self.have(part)?.ok_or_else(|| DiffusionError::Lora(format!("{} has no {}", self.module, &part[1..])))
    }

    fn unfit(&self, what: &str) -> DiffusionError {
        DiffusionError::Lora(format!("{}: {what} do not fit a weight of {:?}", self.module, self.shape))
    }
}
