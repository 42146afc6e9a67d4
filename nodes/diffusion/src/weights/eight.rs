//! Numbers of eight bits, in which large models are published, widened as they are read. A tensor of them may have a scale, one
//! number that all of it is multiplied by, under a key beside its own.

use safetensors::Dtype;
use safetensors::tensor::TensorInfo;
use std::collections::{BTreeMap, BTreeSet};

/// A format of eight bits: a sign, an exponent, a mantissa.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Eight {
    /// Four bits of exponent, three of mantissa; the largest exponent is one of numbers but for its last code, which is none,
    /// and nothing is infinite (`float8_e4m3fn`).
    E4m3,
    /// Five and two: the upper half of a float16.
    E5m2,
}

impl Eight {
    pub(super) fn of(dtype: Dtype) -> Option<Self> {
        match dtype {
            Dtype::F8_E4M3 => Some(Self::E4m3),
            Dtype::F8_E5M2 => Some(Self::E5m2),
            _ => None,
        }
    }

    /// The dtype that numbers are widened to: with a scale float32, in which the product is rounded once, else bfloat16,
    /// which holds every one of them.
    pub(super) fn wide(scaled: bool) -> Dtype {
        if scaled { Dtype::F32 } else { Dtype::BF16 }
    }

    /// The bytes of numbers in the dtype that they are widened to.
    pub(super) fn widened(self, codes: &[u8], scale: Option<f32>) -> Vec<u8> {
        let table: [f32; 256] = std::array::from_fn(|code| self.value(code as u8));
        let values = codes.iter().map(|&code| table[usize::from(code)]);
        match scale {
            Some(scale) => values.flat_map(|value| (value * scale).to_le_bytes()).collect(),
            // A bfloat16 is the upper half of a float32.
            None => values.flat_map(|value| ((value.to_bits() >> 16) as u16).to_le_bytes()).collect(),
        }
    }

    fn value(self, code: u8) -> f32 {
        let (bits, bias) = match self {
            Self::E4m3 => (3, 7),
            Self::E5m2 => (2, 15),
        };
        let (exponent, mantissa) = (i32::from(code & 0x7f) >> bits, i32::from(code) & ((1 << bits) - 1));
        let magnitude = match (self, exponent, mantissa) {
            (Self::E4m3, 15, 7) => f32::NAN,
            (Self::E5m2, 31, 0) => f32::INFINITY,
            (Self::E5m2, 31, _) => f32::NAN,
            (_, 0, _) => mantissa as f32 * 2f32.powi(1 - bias - bits),
            _ => (mantissa + (1 << bits)) as f32 * 2f32.powi(exponent - bias - bits),
        };
        if code < 0x80 { magnitude } else { -magnitude }
    }
}

/// The keys of a file that stand beside tensors of eight bits.
#[derive(Debug, Default)]
pub(super) struct Companions {
    /// The key of each tensor's scale.
    pub(super) scales: BTreeMap<String, String>,
    /// All that are no tensors of the model: scales, what inputs were scaled by where products were of eight bits, too, and
    /// marks.
    pub(super) all: BTreeSet<String>,
}

impl Companions {
    /// Those of a header, as ComfyUI (`scaled_fp8`, `scale_weight`, `comfy_quant`) and compressed-tensors (`weight_scale`) name
    /// them. Beside a tensor of another dtype the same names have no meaning that is known here.
    pub(super) fn of(tensors: &BTreeMap<String, TensorInfo>) -> Self {
        let mut found = Self::default();
        for (key, info) in tensors.iter().filter(|(_, info)| Eight::of(info.dtype).is_some()) {
            if key.rsplit('.').next() == Some("scaled_fp8") && info.shape.iter().product::<usize>() <= 2 {
                found.all.insert(key.clone());
                continue;
            }
            let module = key.strip_suffix("weight").unwrap_or(key);
            let beside = |name: &str| Some(format!("{module}{name}")).filter(|name| tensors.contains_key(name));
            if let Some(scale) = beside("scale_weight").or_else(|| beside("weight_scale")) {
                found.scales.insert(key.clone(), scale);
            }
            found.all.extend(["scale_input", "input_scale", "comfy_quant"].into_iter().filter_map(beside));
        }
        found.all.extend(found.scales.values().cloned());
        found
    }
}
