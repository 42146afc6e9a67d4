//! The adapter of one module.

use crate::error::DiffusionError;
use crate::layers::ConvConfig;
use tch::{Kind, Tensor};

/// ΔW = (alpha/rank)·up·down for one linear or convolution layer.
#[derive(Debug)]
pub struct LoraLayer {
    /// (rank, in) or (rank, in, kernel, kernel): `lora_down`, peft's A.
    pub down: Tensor,
    /// (out, rank) or (out, rank, 1, 1): `lora_up`, peft's B.
    pub up: Tensor,
    /// The numerator of the scale.
    pub alpha: f64,
}

impl LoraLayer {
    /// An adapter out of a file: its halves must fit each other.
    ///
    /// # Errors
    /// [`DiffusionError::Lora`] naming `module`.
    pub(super) fn checked(module: &str, down: Tensor, up: Tensor, alpha: f64) -> Result<Self, DiffusionError> {
        let fits = match (down.size().as_slice(), up.size().as_slice()) {
            ([rank, _], [_, also]) | ([rank, _, _, _], [_, also, 1, 1]) => rank == also && *rank > 0,
            _ => false,
        };
        if fits && alpha.is_finite() {
            return Ok(Self { down, up, alpha });
        }
        let (down, up) = (down.size(), up.size());
        Err(DiffusionError::Lora(format!("{module}: down {down:?}, up {up:?} and alpha {alpha} do not fit together")))
    }

    /// The rank.
    pub fn rank(&self) -> i64 {
        self.down.size()[0]
    }

    /// alpha / rank.
    pub fn scale(&self) -> f64 {
        self.alpha / self.rank() as f64
    }

    /// ΔW in the shape of the module's weight.
    pub fn delta(&self) -> Tensor {
        let product = self.up.flatten(1, -1).matmul(&self.down.flatten(1, -1)) * self.scale();
        product.reshape(self.weight_shape())
    }

    /// The Frobenius norm of ΔW, of matrices that are as small as the rank: ‖BA‖² is the sum of (BᵀB)∘(AAᵀ).
    pub(super) fn norm(&self) -> Tensor {
        let matrix = |t: &Tensor| t.detach().to_kind(Kind::Float).flatten(1, -1);
        let (up, down) = (matrix(&self.up), matrix(&self.down));
        let square = (up.tr().matmul(&up) * down.matmul(&down.tr())).sum(Kind::Float);
        square.clamp_min(0.0).sqrt() * self.scale().abs()
    }

    /// The shape of the weight that this adapts.
    pub fn weight_shape(&self) -> Vec<i64> {
        let mut shape = self.down.size();
        shape[0] = self.up.size()[0];
        shape
    }

    /// What this adds to a linear layer's output, in the adapter's dtype, which x must have.
    pub(super) fn linear(&self, x: &Tensor, weight: f64) -> Tensor {
        // Scaled where it is small: of the rank's width.
        (x.linear(&self.down, NONE) * (weight * self.scale())).linear(&self.up, NONE)
    }

    /// What this adds to a convolution's output, in the adapter's dtype, which x must have.
    pub(super) fn conv(&self, x: &Tensor, weight: f64, config: ConvConfig) -> Tensor {
        let x = config.apply(x, &self.down, None) * (weight * self.scale());
        ConvConfig::POINT.apply(&x, &self.up, None)
    }

    /// The same adapter out of tensors made by `change`.
    pub(super) fn map(&self, change: impl Fn(&Tensor) -> Tensor) -> Self {
        Self { down: change(&self.down), up: change(&self.up), alpha: self.alpha }
    }

    /// (up, down) as matrices in f64 on the CPU, without the scale.
    pub(super) fn factors(&self) -> (Tensor, Tensor) {
        let matrix = |t: &Tensor| t.detach().to_device(tch::Device::Cpu).to_kind(Kind::Double).flatten(1, -1);
        (matrix(&self.up), matrix(&self.down))
    }
}

const NONE: Option<Tensor> = None;
