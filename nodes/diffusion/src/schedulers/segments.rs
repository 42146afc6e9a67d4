//! The solver grid of trajectory segmented consistency distillation (TSCD), cut into segments.

use crate::{DiffusionError, rng::Rng, send};
use std::ops::RangeInclusive;
use tch::{Device, Kind, Tensor};

/// N + 1 timesteps `g_0 = 0, g_i = round(i·T/N) − 1`, cut into k segments at the indices `⌈j·N/k⌉`.
///
/// Boundaries are grid indices: cut by timestep, a boundary may lie above the solver's previous point, and the interval of
/// target timesteps is then empty. With the ceiling, N = 50 has the points that TCD samples at as boundaries, and N = 40
/// those of trailing DDIM; N = 200 has both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentGrid {
    points: Vec<i64>,
    segments: i64,
    ends: Ends,
    /// For each index n the start index of the segment that holds n − 1; of 0, which is no start, 0.
    starts: Vec<usize>,
}

/// Where in its segment a student may be asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// At any point, b..=n−1: Hyper-SD's TSCD, eq. 8. With one segment it is TCD (arXiv 2402.19159, §4.1).
    Any,
    /// At its start b: PCM (arXiv 2405.18407, §3.1), whose segments are called phases.
    Start,
}

/// Timesteps of one batch of TSCD, each an int64 tensor of shape (B).
#[derive(Debug)]
pub struct SegmentDraw {
    /// `g_n`: where the student starts.
    pub start: Tensor,
    /// `g_{n−1}`: where the teacher's solver step ends and the target net starts.
    pub previous: Tensor,
    /// `g_e`, e in b..=n−1: where both end, in the segment of n − 1. Where it equals `previous` the teacher's point is
    /// itself the target.
    pub end: Tensor,
}

impl SegmentGrid {
    /// The grid of `solver_steps` (N) steps over `train` (T) timesteps in `segments` (k) segments.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] if k is 0 or above N, or N so near to T that points coincide.
    pub fn new(train: i64, solver_steps: usize, segments: usize) -> Result<Self, DiffusionError> {
        let wrong = |message| Err(DiffusionError::Config { what: "segments".into(), message });
        if segments == 0 || segments > solver_steps {
            return wrong(format!("{segments} is not in 1..={solver_steps} solver steps"));
        }
        let points = points(train, solver_steps);
        if let Some(i) = points.windows(2).position(|pair| pair[0] >= pair[1]) {
            let at = points[i + 1];
            return wrong(format!(
                "{solver_steps} solver steps are too many for {train} timesteps: points {i} and {} both lie at {at}",
                i + 1
            ));
        }
        let boundaries: Vec<_> = (0..segments).map(|j| (j * solver_steps).div_ceil(segments)).collect();
        let start = |n: usize| boundaries[boundaries.partition_point(|&b| b < n.max(1)) - 1];
        let starts = (0..=solver_steps).map(start).collect();
        Ok(Self { points, segments: segments as i64, ends: Ends::Any, starts })
    }

    /// The same grid, whose draws end elsewhere. A new grid's end at any point of their segment.
    #[must_use]
    pub fn ending(self, ends: Ends) -> Self {
        Self { ends, ..self }
    }

    /// Number of solver steps, N.
    pub fn solver_steps(&self) -> usize {
        self.points.len() - 1
    }

    /// The timesteps `g_0 … g_N`, ascending.
    pub fn points(&self) -> &[i64] {
        &self.points
    }

    /// The start index of the segment in which a solver step from index `n` (1..=N) ends: `max{⌈j·N/k⌉ ≤ n−1}`.
    pub fn segment_start(&self, n: usize) -> usize {
        self.starts[n]
    }

    /// The timesteps that segments start at, ascending: where a sampler with one step a segment stops, 0 included.
    pub fn boundaries(&self) -> Vec<i64> {
        let mut starts = self.starts.clone();
        starts.dedup();
        starts.into_iter().map(|i| self.points[i]).collect()
    }

    /// Draws `n` uniform in 1..=`last` and a target index `e` uniform in b..=n−1 for each of `batch` samples.
    ///
    /// The n are stratified, one in each of `batch` equal parts of the range: their mean varies less than that of
    /// independent draws. `last` is N, or less to leave out the noisiest starts.
    pub fn draw(&self, rng: &mut Rng, batch: i64, last: usize, device: Device) -> SegmentDraw {
        let indices: Vec<_> =
            (0..batch).map(|i| self.draw_one(rng, i as f64 / batch as f64, 1.0 / batch as f64, last)).collect();
        let pick = |index: fn(&(usize, usize)) -> usize| {
            let timesteps: Vec<_> = indices.iter().map(|pair| self.points[index(pair)]).collect();
            send(&Tensor::from_slice(&timesteps), device)
        };
        SegmentDraw { start: pick(|&(n, _)| n), previous: pick(|&(n, _)| n - 1), end: pick(|&(_, e)| e) }
    }

    /// `n` within the stratum that begins at the share `from` of the range.
    fn draw_one(&self, rng: &mut Rng, from: f64, width: f64, last: usize) -> (usize, usize) {
        let n = 1 + ((from + width * rng.unit()) * last as f64) as usize;
        let n = n.min(last);
        let end = match self.ends {
            Ends::Any => rng.below(self.starts[n] as i64, n as i64) as usize,
            Ends::Start => self.starts[n],
        };
        (n, end)
    }

    /// Number of training timesteps, T.
    fn train(&self) -> i64 {
        self.points[self.solver_steps()] + 1
    }

    /// The timesteps at which a discriminator may look at a sample that ended at `end`, moved there by fresh noise: from `end`
    /// itself over the length ⌈T/k⌉ of a segment, never past T (PCM's implementation, for segments of equal length).
    /// A negative `end`, that of the trajectory, counts as 0.
    pub fn noise_range(&self, end: i64) -> RangeInclusive<i64> {
        let (train, from) = (self.train(), end.max(0));
        from..=(from + self.segment_length()).min(train) - 1
    }

    /// A timestep of [`SegmentGrid::noise_range`] for each end (b), int64, by uniform numbers (b) of [0, 1). The host learns
    /// nothing of them.
    pub fn noised(&self, ends: &Tensor, uniform: &Tensor) -> Tensor {
        let (train, length) = (self.train(), self.segment_length());
        let from = ends.clamp_min(0);
        let count = (&from + length).clamp_max(train) - &from;
        let passed = (uniform.to_kind(Kind::Double) * &count).floor().to_kind(Kind::Int64);
        // Below 1 in float64, a number may be 1 in the float32 that it came in.
        from + passed.minimum(&(count - 1))
    }

    /// ⌈T/k⌉.
    fn segment_length(&self) -> i64 {
        (self.train() as u64).div_ceil(self.segments as u64) as i64
    }
}

fn points(train: i64, solver_steps: usize) -> Vec<i64> {
    let point = |i: usize| (i as f64 * train as f64 / solver_steps as f64).round_ties_even() as i64 - 1;
    std::iter::once(0).chain((1..=solver_steps).map(point)).collect()
}
