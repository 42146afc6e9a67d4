//! The numbers of a training as curves: no more points than can be seen, however many steps there are.

use std::convert::Infallible;

use crate::output::report::{Sheet, Steps};

/// A number over the steps.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Curve {
    pub(super) name: String,
    /// Step and mean of what is there about it.
    pub(super) points: Vec<(f64, f64)>,
    pub(super) first: f64,
    pub(super) last: f64,
    /// The least value, and its step.
    pub(super) least: (f64, u64),
    /// The greatest value, and its step.
    pub(super) most: (f64, u64),
}

/// A curve in the making.
struct Bins {
    curve: Curve,
    /// Sum of the steps, sum of the values, and how many.
    bins: Vec<(f64, f64, u64)>,
}

/// All of them, in the order in which a step names its numbers. What is no number leaves a gap.
pub(super) fn curves(steps: &Steps, sheet: Sheet) -> Vec<Curve> {
    let Some((first, last)) = steps.span() else { return Vec::new() };
    let count = (sheet.room.columns() * 2).clamp(2, 1000);
    let span = (last.saturating_sub(first) + 1) as f64;
    let mut all: Vec<Bins> = Vec::new();
    let Ok(()) = steps.each(|step| {
        let place = (step.step.saturating_sub(first) as f64 / span * count as f64) as usize;
        for (name, value) in step.named().into_iter().filter(|(_, value)| value.is_finite()) {
            let at = all.iter().position(|bins| bins.curve.name == name).unwrap_or_else(|| {
                all.push(Bins::new(name, count, value, step.step));
                all.len() - 1
            });
            all[at].add(place.min(count - 1), step.step, value);
        }
        Ok::<_, Infallible>(())
    });
    all.into_iter().map(Bins::curve).collect()
}

impl Bins {
    fn new(name: String, count: usize, value: f64, step: u64) -> Bins {
        let points = Vec::new();
        let curve = Curve { name, points, first: value, last: value, least: (value, step), most: (value, step) };
        Bins { curve, bins: vec![(0.0, 0.0, 0); count] }
    }

    fn add(&mut self, place: usize, step: u64, value: f64) {
        let bin = &mut self.bins[place];
        *bin = (bin.0 + step as f64, bin.1 + value, bin.2 + 1);
        self.curve.last = value;
        if value < self.curve.least.0 {
            self.curve.least = (value, step);
        }
        if value > self.curve.most.0 {
            self.curve.most = (value, step);
        }
    }

    fn curve(mut self) -> Curve {
        let full = self.bins.into_iter().filter(|(_, _, count)| *count > 0);
        self.curve.points = full.map(|(step, value, count)| (step / count as f64, value / count as f64)).collect();
        self.curve
    }
}
