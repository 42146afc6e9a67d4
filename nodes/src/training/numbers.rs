//! What is told of a step beside its losses.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hyper_flow_diffusion::lora::Lora;
use hyper_flow_spec::{Event, Held};

use crate::worker::{Context, memory};

/// The mean of each loss term over the parts of a batch.
pub(super) type Means = BTreeMap<String, f64>;

/// What the updates of a step came to.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    losses: Means,
    lr: BTreeMap<String, f64>,
    grad_norm: BTreeMap<String, f64>,
}

impl Numbers {
    /// Of one update of a group: its losses, its learning rate, and the norm of its gradient before clipping.
    pub(super) fn of(losses: Means, group: &str, lr: f64, grad_norm: f64) -> Numbers {
        let by_name = |value| [(group.to_owned(), brief(value))].into();
        Numbers { losses, lr: by_name(lr), grad_norm: by_name(grad_norm) }
    }

    /// Takes a later update in.
    pub(super) fn extend(&mut self, later: Numbers) {
        self.losses.extend(later.losses);
        self.lr.extend(later.lr);
        self.grad_norm.extend(later.grad_norm);
    }
}

/// How often the most memory so far is told: it seldom changes.
const ASK: Duration = Duration::from_secs(60);

/// The norms of adapters are told so often in a training, or less: a large model has a thousand of them.
const NORMS: u64 = 100;

/// How fast steps come, what memory they take, and what is due to be told.
#[derive(Debug)]
pub(super) struct Gauge {
    told: Instant,
    asked: Option<Instant>,
    gpu: Option<u64>,
    /// The step after which the norms were last told.
    normed: u64,
}

impl Gauge {
    pub(super) fn new() -> Gauge {
        Gauge { told: Instant::now(), asked: None, gpu: None, normed: 0 }
    }

    /// The first step begins.
    pub(super) fn start(&mut self) {
        self.told = Instant::now();
    }

    /// The event of a step that took so many samples.
    pub(super) fn step(&mut self, step: u64, of: u64, numbers: Numbers, samples: i64) -> Event {
        let seconds = std::mem::replace(&mut self.told, Instant::now()).elapsed().as_secs_f64();
        let speed = Some(brief(samples as f64 / seconds));
        let memory = memory::resident().map(|resident| Held { resident, gpu: self.gpu });
        let Numbers { losses, lr, grad_norm } = numbers;
        Event::Step { step, of, losses, speed, lr, grad_norm, memory }
    }

    /// Whether the norms of adapters are told after a step that is in a checkpoint; they count as told then.
    pub(super) fn is_due(&mut self, step: u64, of: u64) -> bool {
        let due = step == of || step >= self.normed + of / NORMS;
        if due {
            self.normed = step;
        }
        due
    }

    /// Reports the most memory so far, after the first step and then now and then.
    pub(super) fn ask_gpu(&mut self, context: &Context) {
        if self.asked.is_none_or(|asked| asked.elapsed() >= ASK) {
            self.asked = Some(Instant::now());
            self.gpu = context.report_memory().and_then(|memory| memory.gpu);
        }
    }
}

/// The norms of what adapters add.
pub(super) fn norms(step: u64, lora: &Lora) -> Event {
    let norms = lora.norms().into_iter().filter(|(_, norm)| norm.is_finite());
    Event::Norms { step, norms: norms.map(|(module, norm)| (module, brief(norm))).collect() }
}

/// Six digits: more are noise, and a log has hundreds of thousands of them.
fn brief(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_brief() {
        assert_eq!(
            [brief(1e-4), brief(0.123_456_789), brief(123_456_789.0), brief(0.0)],
            [1e-4, 0.123_457, 123_457e3, 0.0]
        );
        assert!(brief(f64::INFINITY).is_infinite() && brief(f64::NAN).is_nan());
    }

    #[test]
    fn norms_are_told_a_hundred_times_at_most() {
        let mut gauge = Gauge::new();
        assert_eq!((1..=10_000).filter(|step| gauge.is_due(*step, 10_000)).count(), 100);
        let mut few = Gauge::new();
        assert!((1..=7).all(|step| few.is_due(step, 7)), "of a short training at each checkpoint");
    }

    #[test]
    fn a_later_update_of_an_optimiser_takes_the_place_of_an_earlier_one() {
        let mut all = Numbers::of([("fake.mse".to_owned(), 1.0)].into(), "fake", 0.1, 3.0);
        all.extend(Numbers::of([("fake.mse".to_owned(), 2.0)].into(), "fake", 0.2, 4.0));
        all.extend(Numbers::of([("student.kl".to_owned(), 5.0)].into(), "student", 0.3, 6.0));
        let Event::Step { losses, lr, grad_norm, .. } = Gauge::new().step(1, 2, all, 8) else { panic!("a step") };
        let of = |names: [(&str, f64); 2]| names.map(|(name, value)| (name.to_owned(), value)).into();
        assert_eq!(losses, of([("fake.mse", 2.0), ("student.kl", 5.0)]));
        assert_eq!((lr, grad_norm), (of([("fake", 0.2), ("student", 0.3)]), of([("fake", 4.0), ("student", 6.0)])));
    }
}
