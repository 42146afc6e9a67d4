//! A number, and what it would be of other samples.

/// A number and its bootstrap replicates.
///
/// Where resampling shifts a number (repeated samples cover less, and lie nearer to each other), its replicates tell how it
/// spreads, not where it lies: interval and significance are of the replicates less their mean.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// The number, of all samples.
    pub value: f64,
    replicates: Vec<f64>,
    range: (f64, f64),
}

impl Estimate {
    /// A number and what it is of each resample. Resamples that give no number are left out.
    pub fn new(value: f64, replicates: Vec<f64>) -> Self {
        Self { value, replicates, range: (f64::NEG_INFINITY, f64::INFINITY) }
    }

    /// The same of a number that cannot be outside of a range.
    pub fn within(self, low: f64, high: f64) -> Self {
        // Not `clamp`: no number stays none.
        let value = if self.value < low { low } else { self.value.min(high) };
        Self { value, range: (low, high), ..self }
    }

    /// Where the number lies in this share of the resamples: percentiles of the replicates, moved so that their mean is the
    /// number. None without replicates.
    pub fn interval(&self, confidence: f64) -> Option<[f64; 2]> {
        let mut deviations = self.deviations();
        deviations.sort_unstable_by(f64::total_cmp);
        let tail = (1.0 - confidence) / 2.0;
        let bound = |share| Some((self.value + quantile(&deviations, share)?).clamp(self.range.0, self.range.1));
        self.value.is_finite().then_some([bound(tail)?, bound(1.0 - tail)?])
    }

    /// What is left of this number when the other, of the same resamples, is taken away.
    pub fn minus(&self, other: &Estimate) -> Estimate {
        let pairs = self.replicates.iter().zip(&other.replicates);
        Estimate::new(self.value - other.value, pairs.map(|(a, b)| a - b).collect())
    }

    /// How often resampling alone moves the number at least as far as it is from 0: the two-sided achieved significance level
    /// of the bootstrap (Efron and Tibshirani 1993, §16.4). Never 0: the sample itself counts as one more resample.
    pub fn significance(&self) -> f64 {
        let deviations = self.deviations();
        let as_far = deviations.iter().filter(|deviation| deviation.abs() >= self.value.abs()).count();
        (1 + as_far) as f64 / (1 + deviations.len()) as f64
    }

    fn deviations(&self) -> Vec<f64> {
        let finite: Vec<f64> = self.replicates.iter().copied().filter(|x| x.is_finite()).collect();
        let mean = finite.iter().sum::<f64>() / finite.len() as f64;
        finite.into_iter().map(|x| x - mean).collect()
    }
}

/// Between the two nearest of sorted values, as numpy's `quantile`.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = share * (sorted.len().checked_sub(1)?) as f64;
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    Some(low + (high - low) * place.fract())
}
