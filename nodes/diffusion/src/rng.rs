//! Randomness as a function of (seed, purpose, step): nothing is carried along, so a resumed run draws what the
//! uninterrupted one would have drawn.
//!
//! The generator is ours and runs on the CPU, because libtorch's is one per process (two threads disturb each other) and
//! gives different normals on CPUs of different capability. Draws are made in float32 and then moved and cast, so that a
//! stream is the same for every device and precision.

use std::f64::consts::TAU;
use std::ops::Range;

use tch::{Device, Kind, Tensor};

use crate::send;

const GOLDEN_GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// A stream of random numbers. Equal (seed, purpose, step) give equal streams; others are unrelated.
#[derive(Debug, Clone)]
pub struct Rng {
    state: u64,
}

impl Rng {
    /// The stream of one purpose ("noise", "timesteps", …) at one step of a run.
    ///
    /// The state is FNV-1a over the little-endian seed, the purpose's bytes and the little-endian step; then SplitMix64
    /// (Steele, Lea, Flood 2014) runs on it. A test pins both: changing either changes every trained model.
    pub fn at(seed: u64, purpose: &str, step: u64) -> Self {
        let bytes = seed.to_le_bytes().into_iter().chain(purpose.bytes()).chain(step.to_le_bytes());
        let hash =
            bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
        // FNV's high bits are weak for short inputs; the finaliser spreads them.
        Self { state: mix(hash) }
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN_GAMMA);
        mix(self.state)
    }

    /// Passes over the next numbers of 64 bits, at no cost: the generator is a counter.
    pub fn skip(&mut self, numbers: u64) {
        self.state = self.state.wrapping_add(GOLDEN_GAMMA.wrapping_mul(numbers));
    }

    /// A uniform number of [0, 1), with 53 random bits.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (-53f64).exp2()
    }

    /// A uniform whole number of `low..high`. An empty range gives `low`.
    pub fn below(&mut self, low: i64, high: i64) -> i64 {
        let width = high.saturating_sub(low).max(1) as u64;
        // The high half of a 128-bit product (Lemire 2019); its bias is below width / 2^64.
        low + ((u128::from(self.bits()) * u128::from(width)) >> 64) as i64
    }

    /// Standard normal numbers of the given shape.
    pub fn randn(&mut self, shape: &[i64], options: (Kind, Device)) -> Tensor {
        tensor(&self.normals(count(shape)), shape, options)
    }

    /// Some rows, each of the given shape, of what [`Rng::randn`] draws for a larger first dimension: no others are drawn.
    pub fn randn_rows(mut self, rows: Range<i64>, shape: &[i64], options: (Kind, Device)) -> Tensor {
        let first = rows.start as usize * count(shape);
        // Two numbers of 64 bits make two normals.
        self.skip(2 * (first as u64 / 2));
        let shape: Vec<i64> = std::iter::once(rows.end - rows.start).chain(shape.iter().copied()).collect();
        let odd = first % 2;
        tensor(&self.normals(odd + count(&shape))[odd..], &shape, options)
    }

    fn normals(&mut self, count: usize) -> Vec<f32> {
        let mut values = Vec::with_capacity(count + 1);
        while values.len() < count {
            let (a, b) = self.normal_pair();
            values.extend([a as f32, b as f32]);
        }
        values.truncate(count);
        values
    }

    /// Uniform numbers of [low, high) of the given shape.
    pub fn uniform(&mut self, low: f64, high: f64, shape: &[i64], options: (Kind, Device)) -> Tensor {
        let values: Vec<_> = (0..count(shape)).map(|_| (low + (high - low) * self.unit()) as f32).collect();
        tensor(&values, shape, options)
    }

    /// Uniform whole numbers of `low..high` of the given shape, as int64.
    pub fn randint(&mut self, low: i64, high: i64, shape: &[i64], device: Device) -> Tensor {
        let values: Vec<_> = (0..count(shape)).map(|_| self.below(low, high)).collect();
        send(&Tensor::from_slice(&values).reshape(shape), device)
    }

    /// The numbers `0..n` in random order (Fisher–Yates): the data order of an epoch, whose number is the stream's step.
    pub fn permutation(&mut self, n: i64) -> Vec<i64> {
        let mut order: Vec<_> = (0..n).collect();
        for i in (1..order.len()).rev() {
            let j = self.below(0, i as i64 + 1);
            order.swap(i, j as usize);
        }
        order
    }

    /// Two independent normals (Box and Muller 1958), by a logarithm and sines that are the same on every platform.
    fn normal_pair(&mut self) -> (f64, f64) {
        let radius = (-2.0 * libm::log(1.0 - self.unit())).sqrt();
        let (sin, cos) = libm::sincos(TAU * self.unit());
        (radius * cos, radius * sin)
    }
}

/// SplitMix64's finaliser.
fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn count(shape: &[i64]) -> usize {
    shape.iter().product::<i64>().max(0) as usize
}

fn tensor(values: &[f32], shape: &[i64], (kind, device): (Kind, Device)) -> Tensor {
    send(&Tensor::from_slice(values).reshape(shape).to_kind(kind), device)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CPU: (Kind, Device) = (Kind::Float, Device::Cpu);

    /// Values of the same definition in another language.
    #[test]
    fn streams_are_pinned() {
        let mut rng = Rng::at(7, "noise", 3);
        assert_eq!([rng.bits(), rng.bits()], [11926813712399738450, 10526575671393814605]);
        let normals = Vec::<f32>::try_from(Rng::at(7, "noise", 3).randn(&[4], CPU)).unwrap();
        assert_eq!(normals, [-1.3024689, -0.61937314, 0.99384683, -0.84553605]);
        assert_eq!(Rng::at(7, "order", 0).permutation(8), [1, 5, 3, 6, 7, 0, 4, 2]);
    }

    #[test]
    fn seed_purpose_and_step_each_change_the_stream() {
        let first = |mut rng: Rng| rng.bits();
        let all = [
            first(Rng::at(7, "noise", 3)),
            first(Rng::at(8, "noise", 3)),
            first(Rng::at(7, "noisf", 3)),
            first(Rng::at(7, "noise", 4)),
        ];
        let distinct: std::collections::BTreeSet<_> = all.into_iter().collect();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn a_stream_does_not_depend_on_the_global_generator() {
        tch::manual_seed(1);
        let a = Rng::at(1, "x", 0).randn(&[3, 5], CPU);
        tch::manual_seed(2);
        assert_eq!(a, Rng::at(1, "x", 0).randn(&[3, 5], CPU));
        assert_eq!(a.size(), [3, 5]);
    }

    #[test]
    fn rows_are_those_of_the_whole() {
        for shape in [&[3, 5][..], &[4], &[]] {
            let size: Vec<i64> = std::iter::once(7).chain(shape.iter().copied()).collect();
            let whole = Rng::at(1, "x", 0).randn(&size, CPU);
            for (start, end) in [(0, 7), (1, 2), (2, 5), (3, 3), (6, 7)] {
                let rows = Rng::at(1, "x", 0).randn_rows(start..end, shape, CPU);
                assert_eq!(rows, whole.narrow(0, start, end - start), "{start}..{end} of {size:?}");
            }
        }
    }

    #[test]
    fn normals_have_normal_moments() {
        let x = Rng::at(1, "moments", 0).randn(&[200_000], (Kind::Double, Device::Cpu));
        let moment = |p: i64| x.pow_tensor_scalar(p).mean(Kind::Double).double_value(&[]);
        // Standard errors are 0.0022, 0.0032, 0.0087 and 0.022; five of each.
        assert!(moment(1).abs() < 0.011, "{}", moment(1));
        assert!((moment(2) - 1.0).abs() < 0.016, "{}", moment(2));
        assert!(moment(3).abs() < 0.044, "{}", moment(3));
        assert!((moment(4) - 3.0).abs() < 0.11, "{}", moment(4));
    }

    #[test]
    fn uniform_and_whole_numbers_fill_their_range() {
        let x = Rng::at(1, "range", 0).uniform(-2.0, 3.0, &[100_000], CPU);
        let (low, high) = (x.min().double_value(&[]), x.max().double_value(&[]));
        assert!((-2.0..-1.99).contains(&low) && (2.99..3.0).contains(&high), "{low} {high}");
        let mut counts = [0; 4];
        let draws = Rng::at(1, "range", 1).randint(-1, 3, &[40_000], Device::Cpu);
        for value in Vec::<i64>::try_from(draws).unwrap() {
            counts[(value + 1) as usize] += 1;
        }
        assert!(counts.iter().all(|&n: &i32| (n - 10_000).abs() < 500), "{counts:?}");
    }

    #[test]
    fn a_permutation_holds_each_number_once() {
        let mut order = Rng::at(1, "order", 0).permutation(100);
        assert_ne!(order, Rng::at(1, "order", 1).permutation(100));
        order.sort_unstable();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
        assert!(Rng::at(1, "order", 0).permutation(0).is_empty());
    }
}
