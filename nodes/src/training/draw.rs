//! What one part of a batch may look at: which samples it takes, and its random numbers.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use hyper_flow_diffusion::lora::Dropout;
use hyper_flow_diffusion::rng::Rng;
use hyper_flow_diffusion::schedulers::{SegmentDraw, SegmentGrid};
use hyper_flow_spec::Fraction;
use tch::{Device, Kind, Tensor};

use crate::artifacts::samples::Slots;

/// One part of one batch. All of it is a function of (seed, kind, group, update), nothing of what came before: a resumed
/// run draws what the uninterrupted one would have.
///
/// Numbers are those of the whole batch, so that 4 parts of 16 draw what one of 64 does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draw<'a> {
    pub(super) seed: u64,
    pub(super) kind: &'a str,
    pub(super) group: &'a str,
    /// Updates of this group before this one.
    pub(super) update: u64,
    /// Which part of the batch this is.
    pub(super) part: i64,
    pub(super) parts: i64,
    /// Samples in a part.
    pub(super) batch: i64,
    pub(super) device: Device,
    pub(super) orders: &'a Orders,
}

/// The last random order of each stream, and which of its orders that is: parts of a batch, and batches of an epoch, share
/// it. Kept to save time alone, for it is drawn alike at any moment.
#[derive(Debug, Default)]
pub(super) struct Orders(RefCell<BTreeMap<String, (u64, Order)>>);

/// 0..n in some order.
type Order = Rc<Vec<i64>>;

impl Orders {
    /// The order of this number in a stream of orders of 0..n.
    fn get(&self, stream: String, number: u64, draw: impl FnOnce() -> Vec<i64>) -> Order {
        let mut kept = self.0.borrow_mut();
        match kept.get(&stream) {
            Some((last, order)) if *last == number => Rc::clone(order),
            _ => {
                let order = Rc::new(draw());
                kept.insert(stream, (number, Rc::clone(&order)));
                order
            }
        }
    }
}

#[cfg(test)]
impl<'a> Draw<'a> {
    /// That of a training's first sample.
    pub(crate) fn first(seed: u64, kind: &'a str) -> Self {
        Self {
            seed,
            kind,
            group: "model",
            update: 0,
            part: 0,
            parts: 1,
            batch: 1,
            device: Device::Cpu,
            orders: Box::leak(Box::default()),
        }
    }
}

impl Draw<'_> {
    /// Samples in this part.
    pub(crate) fn batch(&self) -> i64 {
        self.batch
    }

    /// Samples in all parts of the batch together.
    pub(crate) fn whole(&self) -> i64 {
        self.batch * self.parts
    }

    /// The stream of a purpose, for the whole batch. What is drawn from it for each sample goes through [`Draw::part`].
    pub(crate) fn rng(&self, purpose: &str) -> Rng {
        self.stream(purpose, self.update)
    }

    fn stream(&self, purpose: &str, step: u64) -> Rng {
        Rng::at(self.seed, &format!("{}/{}/{purpose}", self.kind, self.group), step)
    }

    /// 0..n in the order of this number in a stream of orders.
    fn order(&self, purpose: &str, number: u64, n: i64) -> Order {
        // Two data sets of one training may be gone through by one name.
        let stream = format!("{}/{purpose}/{n}", self.group);
        self.orders.get(stream, number, || self.stream(purpose, number).permutation(n))
    }

    /// This part of what was drawn for the whole batch, along dimension 0.
    pub(crate) fn part(&self, whole: &Tensor) -> Tensor {
        whole.narrow(0, self.part * self.batch, self.batch)
    }

    /// Standard normal noise, (batch, shape…).
    pub(crate) fn randn(&self, purpose: &str, shape: &[i64]) -> Tensor {
        let first = self.part * self.batch;
        self.rng(purpose).randn_rows(first..first + self.batch, shape, (Kind::Float, self.device))
    }

    /// As [`Draw::randn`] for samples (channels, height, width), with `offset` times one more number for all positions of a
    /// channel.
    pub(crate) fn offset_randn(&self, purpose: &str, shape: &[i64], offset: f64) -> Tensor {
        let noise = self.randn(purpose, shape);
        if offset == 0.0 {
            return noise;
        }
        noise + self.randn(&format!("{purpose}/offset"), &[shape[0], 1, 1]) * offset
    }

    /// Uniform numbers of [low, high), (batch).
    pub(crate) fn uniform(&self, purpose: &str, low: f64, high: f64) -> Tensor {
        self.part(&self.rng(purpose).uniform(low, high, &[self.whole()], (Kind::Float, self.device)))
    }

    /// Uniform whole numbers of low..high, (batch), one in each of as many equal strata as there are samples: the mean
    /// over a batch varies less than with independent draws.
    pub(crate) fn stratified(&self, purpose: &str, low: i64, high: i64) -> Tensor {
        let options = (Kind::Float, self.device);
        let jitter = self.rng(purpose).uniform(0.0, 1.0, &[self.whole()], options);
        let strata = Tensor::arange(self.whole(), options);
        let unit = (strata + jitter) / self.whole() as f64;
        let whole = (unit * (high - low) as f64).floor().to_kind(Kind::Int64).clamp_max(high - low - 1) + low;
        self.part(&whole)
    }

    /// Points of a consistency loss for each sample of this part.
    /// None starts above the `last` point.
    pub(crate) fn segments(&self, grid: &SegmentGrid, last: usize) -> SegmentDraw {
        let whole = grid.draw(&mut self.rng("segments"), self.whole(), last, self.device);
        let SegmentDraw { start, previous, end } = whole;
        SegmentDraw { start: self.part(&start), previous: self.part(&previous), end: self.part(&end) }
    }

    /// Dropout in one of the passes of this part, if there is any.
    pub(crate) fn dropout(&self, pass: &str, p: Fraction) -> Option<Dropout> {
        let seed = self.rng(&format!("dropout/{pass}")).bits();
        (p.get() > 0.0).then(|| Dropout { p: p.get(), seed, part: self.part })
    }

    /// The slots of this part, all of one bucket.
    ///
    /// The slots of each bucket are gone through again and again, each time in an order of its own, and make whole batches: so many
    /// in each epoch as are full by its end. So every slot comes as often as any other, in batches of full size. Which batch of
    /// an epoch comes when is drawn.
    pub(crate) fn slots(&self, slots: &Slots) -> Vec<i64> {
        let counts = slots.counts();
        if let [count] = counts {
            return self.indices(*count);
        }
        let (update, whole) = (self.update as i64, self.whole());
        let full = |epoch: i64, count: &i64| epoch * count / whole;
        let before = |epoch: i64| counts.iter().map(|count| full(epoch, count)).sum::<i64>();
        let at_least = update * whole / slots.len();
        let epoch = (at_least..).find(|&epoch| before(epoch + 1) > update).expect("batches get full");
        let batches = counts.iter().enumerate();
        let batches =
            batches.flat_map(|(bucket, n)| (full(epoch, n)..full(epoch + 1, n)).map(move |batch| (bucket, batch)));
        let batches: Vec<(usize, i64)> = batches.collect();
        let order = self.order("buckets", epoch as u64, batches.len() as i64);
        let (bucket, batch) = batches[order[(update - before(epoch)) as usize] as usize];
        let taken = self.walk(&format!("order/{bucket}"), batch, counts[bucket]);
        taken.into_iter().map(|position| slots.first(bucket) + position).collect()
    }

    /// Which of `n` samples this part takes: every epoch goes through all of them in an order of its own.
    pub(crate) fn indices(&self, n: i64) -> Vec<i64> {
        self.walk("order", self.update as i64, n)
    }

    /// Which of `n` samples this part of the batch of this number takes.
    fn walk(&self, purpose: &str, number: i64, n: i64) -> Vec<i64> {
        let first = number * self.whole() + self.part * self.batch;
        let mut taken = Vec::with_capacity(self.batch as usize);
        let last = first + self.batch;
        for epoch in first / n..=(last - 1) / n {
            let order = self.order(purpose, epoch as u64, n);
            let positions = first.max(epoch * n)..last.min((epoch + 1) * n);
            taken.extend(positions.map(|position| order[(position % n) as usize]));
        }
        taken
    }

    /// Where computing happens.
    pub(crate) fn device(&self) -> Device {
        self.device
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::artifacts::samples::{Framing, Layout, Line};

    fn draw(update: u64, part: i64, parts: i64, batch: i64) -> Draw<'static> {
        Draw { update, part, parts, batch, ..Draw::first(7, "Test") }
    }

    #[test]
    fn parts_of_a_batch_are_the_batch() {
        let whole = draw(3, 0, 1, 8);
        let parts =
            |f: &dyn Fn(&Draw<'_>) -> Tensor| Tensor::cat(&(0..4).map(|i| f(&draw(3, i, 4, 2))).collect::<Vec<_>>(), 0);
        let noise = |d: &Draw<'_>| d.randn("noise", &[2, 3]);
        assert_eq!(parts(&noise), noise(&whole));
        let times = |d: &Draw<'_>| d.stratified("t", 0, 1000);
        assert_eq!(parts(&times), times(&whole));
        let indices: Vec<i64> = (0..4).flat_map(|i| draw(3, i, 4, 2).indices(100)).collect();
        assert_eq!(indices, whole.indices(100));
    }

    #[test]
    fn a_kept_order_is_the_one_that_would_be_drawn() {
        let first = draw(0, 0, 1, 4);
        for update in [0, 1, 2, 7, 1, 3] {
            for group in ["model", "fake"] {
                let kept = Draw { update, group, ..first };
                let drawn = Draw { group, ..draw(update, 0, 1, 4) };
                for n in [10, 7] {
                    assert_eq!(kept.indices(n), drawn.indices(n), "{group}, {update} of {n}");
                }
            }
        }
    }

    #[test]
    fn strata_cover_the_range() {
        let t = Vec::<i64>::try_from(draw(0, 0, 1, 10).stratified("t", 0, 1000)).unwrap();
        assert!(t.iter().enumerate().all(|(i, t)| t / 100 == i as i64), "{t:?}");
    }

    /// Slots of buckets with so many samples each.
    fn buckets(counts: &[i64]) -> Layout {
        let line = |side: i64| {
            let framing = Framing { size: [side, 1], original: [side, 1], crop: [0, 0] };
            Line { framing: Some(framing), ..Line::new(String::new()) }
        };
        let lines = counts.iter().zip(1..).flat_map(|(&count, side)| vec![line(side); count as usize]);
        Layout::of(&lines.collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn parts_of_a_batch_are_of_one_bucket_and_are_the_batch() {
        let layout = buckets(&[30, 7]);
        for update in 0..40 {
            let parts: Vec<i64> = (0..4).flat_map(|i| draw(update, i, 4, 2).slots(layout.slots())).collect();
            assert_eq!(parts, draw(update, 0, 1, 8).slots(layout.slots()));
            assert!(parts.iter().all(|&slot| slot < 30) || parts.iter().all(|&slot| slot >= 30), "{parts:?}");
        }
    }

    proptest! {
        #[test]
        fn of_buckets_each_slot_comes_as_often_as_any_other(
            counts in proptest::collection::vec(1i64..20, 2..5), batch in 1i64..9,
        ) {
            let layout = buckets(&counts);
            // After as many epochs as a batch has slots all batches are full.
            let updates = counts.iter().sum::<i64>() as u64;
            let mut taken: Vec<i64> = (0..updates).flat_map(|u| draw(u, 0, 1, batch).slots(layout.slots())).collect();
            taken.sort_unstable();
            let expected = (0..layout.slots().len()).flat_map(|i| std::iter::repeat_n(i, batch as usize));
            prop_assert_eq!(taken, expected.collect::<Vec<_>>());
        }

        #[test]
        fn an_epoch_takes_each_sample_once(n in 1i64..40, batch in 1i64..9) {
            let batches = (n * batch) as u64 / batch as u64;
            let mut taken: Vec<i64> = (0..batches).flat_map(|u| draw(u, 0, 1, batch).indices(n)).collect();
            taken.sort_unstable();
            let expected: Vec<i64> = (0..n).flat_map(|i| std::iter::repeat_n(i, batch as usize)).collect();
            prop_assert_eq!(taken, expected);
        }
    }
}
