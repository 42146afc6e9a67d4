//! What a model is conditioned on.

use tch::{Device, Kind, Tensor};

use crate::send;
use crate::unet::AddedConditions;

/// What a model is conditioned on besides the timestep, one row a sample.
#[derive(Debug)]
pub struct Conditions {
    /// The text (b, length, dim).
    pub text: Tensor,
    /// What SDXL adds to the time embedding; none for a model that takes nothing of the kind.
    pub added: Option<AddedConditions>,
}

/// The sizes that SDXL is told of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeIds {
    /// Height and width before it was cropped.
    pub original: [i64; 2],
    /// Top and left of the crop.
    pub crop: [i64; 2],
    /// Height and width after it was cropped.
    pub target: [i64; 2],
}

impl TimeIds {
    /// Those of an uncropped picture of this height and width, which is what one draws.
    pub fn uncropped(size: [i64; 2]) -> Self {
        Self { original: size, crop: [0; 2], target: size }
    }

    /// Those of an uncropped square.
    pub fn square(side: i64) -> Self {
        Self::uncropped([side; 2])
    }

    /// For each of `rows` samples (rows, 6), float32.
    pub fn tensor(&self, rows: i64, device: Device) -> Tensor {
        let all = [self.original, self.crop, self.target].concat();
        send(&Tensor::from_slice(&all).to_kind(Kind::Float), device).expand([rows, 6], false)
    }
}

impl Conditions {
    /// How many rows there are.
    pub fn rows(&self) -> i64 {
        self.text.size()[0]
    }

    /// The rows at these positions, in this order.
    ///
    /// # Panics
    /// On a position that is not there, as plain tensor operations do: see [`catch`](crate::catch).
    pub fn select(&self, rows: &[i64]) -> Self {
        let rows = send(&Tensor::from_slice(rows), self.text.device());
        self.map(|t| t.index_select(0, &rows))
    }

    /// The only row, for each of `rows` samples. Nothing is copied.
    ///
    /// # Panics
    /// If there are several rows, and not just as many as asked for.
    pub fn expand(&self, rows: i64) -> Self {
        self.map(|t| {
            let mut size = t.size();
            size[0] = rows;
            t.expand(size, false)
        })
    }

    /// All of them, one after the other.
    ///
    /// # Panics
    /// If there are none, if only some have added conditions, or on widths that differ.
    pub fn cat(parts: &[Self]) -> Self {
        let cat = |tensors: Vec<&Tensor>| Tensor::cat(&tensors, 0);
        let added: Vec<_> = parts.iter().filter_map(|part| part.added.as_ref()).collect();
        assert!(added.is_empty() || added.len() == parts.len(), "{MIXED}");
        let added = (!added.is_empty()).then(|| AddedConditions {
            text_embeds: cat(added.iter().map(|added| &added.text_embeds).collect()),
            time_ids: cat(added.iter().map(|added| &added.time_ids).collect()),
        });
        Self { text: cat(parts.iter().map(|part| &part.text).collect()), added }
    }

    /// These rows, but those of `others` (which may be one row for all) where `chosen` (b) is true.
    ///
    /// # Panics
    /// If only one of the two has added conditions, or on widths that differ.
    pub fn replace_where(&self, chosen: &Tensor, others: &Self) -> Self {
        self.zip(others, |own, other| {
            let mut size = vec![1; own.dim()];
            size[0] = -1;
            other.where_self(&chosen.reshape(size), own)
        })
    }

    /// The same, told these sizes (b, 6), if the model is told any.
    #[must_use]
    pub fn with_time_ids(self, time_ids: &Tensor) -> Self {
        let of = |added: AddedConditions| AddedConditions { time_ids: time_ids.shallow_clone(), ..added };
        Self { text: self.text, added: self.added.map(of) }
    }

    /// The only row, for each sample of `others`, told the sizes that they are told. Nothing is copied.
    ///
    /// # Panics
    /// If there are several rows, and not just as many.
    #[must_use]
    pub fn expand_as(&self, others: &Self) -> Self {
        let expanded = self.expand(others.rows());
        match &others.added {
            Some(added) => expanded.with_time_ids(&added.time_ids),
            None => expanded,
        }
    }

    /// On another device.
    pub fn to_device(&self, device: Device) -> Self {
        self.map(|t| t.to_device(device))
    }

    /// Text in another dtype. Time ids are pixels, which a half would round, and stay what they are.
    pub fn to_kind(&self, kind: Kind) -> Self {
        let added = self.added.as_ref().map(|added| AddedConditions {
            text_embeds: added.text_embeds.to_kind(kind),
            time_ids: added.time_ids.shallow_clone(),
        });
        Self { text: self.text.to_kind(kind), added }
    }

    /// The same tensors, not copied.
    #[must_use]
    pub fn shallow_clone(&self) -> Self {
        self.map(Tensor::shallow_clone)
    }

    fn map(&self, f: impl Fn(&Tensor) -> Tensor) -> Self {
        let added = self
            .added
            .as_ref()
            .map(|added| AddedConditions { text_embeds: f(&added.text_embeds), time_ids: f(&added.time_ids) });
        Self { text: f(&self.text), added }
    }

    fn zip(&self, other: &Self, f: impl Fn(&Tensor, &Tensor) -> Tensor) -> Self {
        let added = match (&self.added, &other.added) {
            (Some(a), Some(b)) => Some(AddedConditions {
                text_embeds: f(&a.text_embeds, &b.text_embeds),
                time_ids: f(&a.time_ids, &b.time_ids),
            }),
            (None, None) => None,
            _ => panic!("{MIXED}"),
        };
        Self { text: f(&self.text, &other.text), added }
    }
}

const MIXED: &str = "some conditions have added ones and some have not: they are of different models";

/// Text alone, as Stable Diffusion 1 and 2 take it.
impl From<Tensor> for Conditions {
    fn from(text: Tensor) -> Self {
        Self { text, added: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Row i is i everywhere, shifted by `first`.
    fn conditions(first: i64, rows: i64) -> Conditions {
        let ramp = |size: &[i64]| {
            let mut shape = vec![1; size.len()];
            shape[0] = -1;
            let column = Tensor::arange_start(first, first + rows, (Kind::Float, Device::Cpu)).reshape(shape);
            column.expand(size, false)
        };
        let added = AddedConditions { text_embeds: ramp(&[rows, 5]), time_ids: ramp(&[rows, 6]) };
        Conditions { text: ramp(&[rows, 2, 3]), added: Some(added) }
    }

    /// The number of each row, which all tensors must agree on.
    fn numbers(of: &Conditions) -> Vec<f32> {
        let added = of.added.as_ref().unwrap();
        let first = |t: &Tensor| Vec::<f32>::try_from(t.flatten(1, -1).select(1, 0)).unwrap();
        assert_eq!(first(&of.text), first(&added.text_embeds));
        assert_eq!(first(&of.text), first(&added.time_ids));
        first(&of.text)
    }

    #[test]
    fn rows_of_all_tensors_go_together() {
        let three = conditions(0, 3);
        assert_eq!(three.rows(), 3);
        assert_eq!(numbers(&three.select(&[2, 0, 2])), [2.0, 0.0, 2.0]);
        assert_eq!(numbers(&conditions(7, 1).expand(3)), [7.0; 3]);
        assert_eq!(numbers(&Conditions::cat(&[three.shallow_clone(), conditions(7, 1)])), [0.0, 1.0, 2.0, 7.0]);
        let mask = Tensor::from_slice(&[false, true, false]);
        assert_eq!(numbers(&three.replace_where(&mask, &conditions(7, 1))), [0.0, 7.0, 2.0]);
    }

    #[test]
    fn time_ids_are_not_rounded() {
        let half = conditions(1023, 1).to_kind(Kind::BFloat16);
        let added = half.added.unwrap();
        assert_eq!((half.text.kind(), added.text_embeds.kind()), (Kind::BFloat16, Kind::BFloat16));
        assert_eq!(added.time_ids.double_value(&[0, 0]), 1023.0);
    }

    #[test]
    #[should_panic(expected = "different models")]
    fn conditions_of_two_models_do_not_mix() {
        let _ = Conditions::cat(&[conditions(0, 1), conditions(0, 1).text.into()]);
    }
}
