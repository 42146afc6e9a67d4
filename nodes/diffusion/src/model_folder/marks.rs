//! What a file of weights says of the model besides its tensors.

use crate::schedulers::PredictionType;
use crate::weights::Weights;

/// Keys that are marks and no tensors of the model, as ComfyUI and other programs read and write them.
const V_PRED: &str = "v_pred";
const ZERO_SNR: &str = "ztsnr";

/// What is said of a UNet's training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marks {
    /// What the model predicts: by the key `v_pred`, or `modelspec.prediction_type` in the header.
    pub(crate) prediction: Option<PredictionType>,
    /// Whether it was trained on noise schedules that leave nothing of x0 at the last timestep: by the key `ztsnr`.
    pub(crate) zero_snr: bool,
}

impl Marks {
    pub(crate) fn of(weights: &Weights) -> Self {
        let specified = weights.metadata("modelspec.prediction_type").map(str::to_lowercase);
        let prediction = match specified.as_deref() {
            _ if weights.shape(V_PRED).is_some() => Some(PredictionType::VPrediction),
            Some("v" | "v_prediction") => Some(PredictionType::VPrediction),
            Some("epsilon") => Some(PredictionType::Epsilon),
            _ => None,
        };
        Self { prediction, zero_snr: weights.shape(ZERO_SNR).is_some() }
    }

    /// Whether a key is a mark.
    pub(crate) fn is_mark(key: &str) -> bool {
        matches!(key, V_PRED | ZERO_SNR)
    }
}
