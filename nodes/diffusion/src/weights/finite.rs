//! Whether numbers are numbers, told by their bits.

use safetensors::Dtype;

/// The first of little-endian numbers that is not finite; `None` if all are.
pub(super) fn not_finite(bytes: &[u8], dtype: Dtype) -> Option<&'static str> {
    match dtype {
        Dtype::F64 => first(bytes, |b: &[u8; 8]| f64::from_le_bytes(*b)),
        Dtype::F32 => first(bytes, |b: &[u8; 4]| f64::from(f32::from_le_bytes(*b))),
        Dtype::BF16 => first(bytes, |b: &[u8; 2]| f64::from(f32::from_bits(u32::from(u16::from_le_bytes(*b)) << 16))),
        Dtype::F16 => first(bytes, |b: &[u8; 2]| half(u16::from_le_bytes(*b))),
        _ => None,
    }
}

fn first<const N: usize>(bytes: &[u8], number: impl Fn(&[u8; N]) -> f64) -> Option<&'static str> {
    let (numbers, _) = bytes.as_chunks::<N>();
    let found = numbers.iter().map(number).find(|number| !number.is_finite())?;
    Some(if found.is_nan() { "NaN" } else { "infinity" })
}

/// A float16, as far as it is finite or not.
fn half(bits: u16) -> f64 {
    const EXPONENT: u16 = 0x7c00;
    match (bits & EXPONENT == EXPONENT, bits & !EXPONENT & 0x7fff) {
        (false, _) => 0.0,
        (true, 0) => f64::INFINITY,
        (true, _) => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Kind, Tensor};

    #[test]
    fn what_is_no_number_is_found_in_every_format() {
        for (kind, dtype) in [
            (Kind::Double, Dtype::F64),
            (Kind::Float, Dtype::F32),
            (Kind::Half, Dtype::F16),
            (Kind::BFloat16, Dtype::BF16),
        ] {
            let found = |numbers: &[f64]| {
                let tensor = Tensor::from_slice(numbers).to_kind(kind);
                not_finite(&crate::weights::write::bytes_of(&tensor).unwrap(), dtype)
            };
            assert_eq!(found(&[0.0, -1.5, 65504.0, 6e-8]), None, "{kind:?}");
            assert_eq!(found(&[1.0, f64::NAN, f64::INFINITY]), Some("NaN"), "{kind:?}");
            assert_eq!(found(&[1.0, f64::NEG_INFINITY, f64::NAN]), Some("infinity"), "{kind:?}");
        }
        assert_eq!(not_finite(&[255; 8], Dtype::I64), None);
    }
}
