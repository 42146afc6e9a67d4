//! What a few repeats of a measurement say, by Student's t.

/// A number that was measured several times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Repeats {
    /// How often.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// Sample standard deviation (divisor n − 1); none of one.
    pub deviation: Option<f64>,
}

impl Repeats {
    /// Of these values; `None` of no value.
    pub fn of(values: &[f64]) -> Option<Repeats> {
        let n = values.len();
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        let deviation = (n > 1).then(|| (squares / (n as f64 - 1.0)).sqrt());
        (n > 0).then_some(Repeats { n, mean, deviation })
    }

    /// Half the width of the interval that holds the true mean with this confidence, if the values are normal.
    pub fn margin(&self, confidence: f64) -> Option<f64> {
        let n = self.n as f64;
        self.deviation.map(|deviation| t_quantile(confidence, n - 1.0) * deviation / n.sqrt())
    }

    /// How often chance gives such a mean where the true one is 0: the two-sided t-test. Of paired differences, the
    /// paired t-test.
    pub fn p(&self) -> Option<f64> {
        let error = self.deviation? / (self.n as f64).sqrt();
        Some(if self.mean == 0.0 { 1.0 } else { outside(self.mean / error, self.n as f64 - 1.0) })
    }
}

/// The t that |T| is below with this probability, for `df` degrees of freedom.
fn t_quantile(probability: f64, df: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while outside(high, df) > 1.0 - probability {
        high *= 2.0;
    }
    // Until the halves are as near as numbers are.
    while low < (low + high) / 2.0 && (low + high) / 2.0 < high {
        let middle = (low + high) / 2.0;
        if outside(middle, df) > 1.0 - probability { low = middle } else { high = middle }
    }
    high
}

/// How probable it is that |T| is above |t|: the regularised incomplete beta function of df/(df + t²), with df/2 and 1/2.
fn outside(t: f64, df: f64) -> f64 {
    incomplete_beta(df / (df + t * t), df / 2.0, 0.5)
}

/// I_x(a, b), by the continued fraction on the side where it converges fast.
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(1.0 - x, b, a);
    }
    let beta = libm::lgamma(a) + libm::lgamma(b) - libm::lgamma(a + b);
    libm::exp(a * libm::log(x) + b * libm::log(1.0 - x) - beta) / a * continued_fraction(x, a, b)
}

/// The continued fraction of I_x(a, b) (DLMF 8.17.22), evaluated by the modified Lentz method.
fn continued_fraction(x: f64, a: f64, b: f64) -> f64 {
    let coefficient = |m: f64, even: bool| match even {
        true => m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m)),
        false => -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0)),
    };
    let (mut value, mut c, mut d) = (1.0, 1.0, 0.0);
    for step in 0..1000u32 {
        let (m, even) = (f64::from(step.div_ceil(2)), step % 2 == 1);
        let term = coefficient(m, even);
        d = 1.0 / (1.0 + term * d);
        c = 1.0 + term / c;
        value *= c * d;
        if (c * d - 1.0).abs() < 1e-15 {
            break;
        }
    }
    1.0 / value
}
