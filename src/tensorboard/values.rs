//! Numbers as TensorBoard has them. What is before a slash in a tag is the section that it is shown in.

use std::collections::BTreeMap;

use hyper_flow_spec::Held;

use super::proto::{Histogram, Is, Value};

/// Bytes are told in these.
const GIB: f64 = (1_u64 << 30) as f64;

/// One number.
pub(super) fn scalar(tag: impl Into<String>, number: f64) -> Value {
    Value { tag: tag.into(), metadata: None, is: Some(Is::Scalar(number as f32)) }
}

/// Numbers of the optimisers of a training; one has no need of a name.
pub(super) fn by_optimiser<'a>(tag: &'a str, numbers: &'a BTreeMap<String, f64>) -> impl Iterator<Item = Value> {
    numbers.iter().map(move |(name, number)| match numbers.len() {
        1 => scalar(tag, *number),
        _ => scalar(format!("{tag}.{name}"), *number),
    })
}

/// The memory of the machine and of the GPU.
pub(super) fn memory(held: &Held) -> impl Iterator<Item = Value> {
    let gpu = held.gpu.map(|bytes| ("memory/gpu_GiB", bytes));
    [Some(("memory/resident_GiB", held.resident)), gpu]
        .into_iter()
        .flatten()
        .map(|(tag, bytes)| scalar(tag, bytes as f64 / GIB))
}

/// As many as TensorBoard draws.
const BUCKETS: usize = 30;

/// How numbers are spread, in buckets of one width; none of no numbers.
pub(super) fn histogram(tag: &str, numbers: impl Iterator<Item = f64>) -> Option<Value> {
    let numbers: Vec<f64> = numbers.filter(|number| number.is_finite()).collect();
    let min = numbers.iter().copied().reduce(f64::min)?;
    let max = numbers.iter().copied().reduce(f64::max)?;
    let width = (max - min) / BUCKETS as f64;
    // Where all are one number, or too far apart to tell, one bucket has them.
    let count = if width > 0.0 && width.is_finite() { BUCKETS } else { 1 };
    let mut bucket = vec![0.0; count];
    for number in &numbers {
        let index = ((number - min) / width) as usize;
        bucket[index.min(count - 1)] += 1.0;
    }
    let limit = |index: usize| if index == count { max } else { min + width * index as f64 };
    let histogram = Histogram {
        min,
        max,
        num: numbers.len() as f64,
        sum: numbers.iter().sum(),
        sum_squares: numbers.iter().map(|number| number * number).sum(),
        bucket_limit: (1..=count).map(limit).collect(),
        bucket,
    };
    Some(Value { tag: tag.to_owned(), metadata: None, is: Some(Is::Histogram(histogram)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(numbers: &[f64]) -> Option<Histogram> {
        match histogram("a", numbers.iter().copied())?.is {
            Some(Is::Histogram(histogram)) => Some(histogram),
            _ => None,
        }
    }

    #[test]
    fn every_number_is_in_a_bucket() {
        let many = spread(&(0..=60).map(f64::from).collect::<Vec<_>>()).unwrap();
        assert_eq!((many.min, many.max, many.num, many.sum), (0.0, 60.0, 61.0, 1830.0));
        assert_eq!((many.bucket[0], many.bucket[29]), (2.0, 3.0), "the last one has its upper end");
        assert_eq!((many.bucket_limit[0], many.bucket_limit[29]), (2.0, 60.0));
        assert_eq!(many.bucket.iter().sum::<f64>(), 61.0);
        for odd in [&[0.0, 0.0][..], &[5.0], &[-f64::MAX, f64::MAX], &[1.0, f64::NAN]] {
            let found = spread(odd).unwrap();
            assert_eq!((found.bucket.iter().sum::<f64>(), found.bucket.len()), (found.num, 1), "{odd:?}");
        }
        assert_eq!(spread(&[]), None);
    }

    #[test]
    fn one_optimiser_has_no_need_of_a_name() {
        let tags = |names: &[&str]| {
            let numbers = names.iter().map(|name| ((*name).to_owned(), 1.0)).collect();
            by_optimiser("train/lr", &numbers).map(|value| value.tag).collect::<Vec<_>>()
        };
        assert_eq!(tags(&["model"]), ["train/lr"]);
        assert_eq!(tags(&["fake", "student"]), ["train/lr.fake", "train/lr.student"]);
    }
}
