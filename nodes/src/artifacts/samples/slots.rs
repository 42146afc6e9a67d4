//! What an epoch comes by.

use hyper_flow_diffusion::send;
use tch::Tensor;

use super::Line;

/// Each sample as often as its line says, and mirrored too where it says so. A slot is a number; those of one size are a
/// bucket, and the slots of a bucket lie one after the other in the order of their samples.
#[derive(Debug)]
pub(crate) struct Slots {
    /// For each slot its sample.
    samples: Vec<u32>,
    /// For each slot whether it is mirrored; none where none is.
    mirrored: Vec<bool>,
    /// Slots of each bucket.
    counts: Vec<i64>,
}

impl Slots {
    /// Of lines; `bucket` gives the place of a sample's size among so many.
    pub(super) fn of(lines: &[Line], bucket: impl Fn(usize) -> usize, buckets: usize) -> Self {
        let mut all: Vec<Vec<(u32, bool)>> = vec![Vec::new(); buckets];
        for (sample, line) in lines.iter().enumerate() {
            let own = &mut all[bucket(sample)];
            for _ in 0..line.repeats {
                own.push((sample as u32, false));
                own.extend(line.flip.then_some((sample as u32, true)));
            }
        }
        let counts = all.iter().map(|own| own.len() as i64).collect();
        let all: Vec<(u32, bool)> = all.into_iter().flatten().collect();
        let mirrored = all.iter().any(|&(_, mirrored)| mirrored);
        Self {
            samples: all.iter().map(|&(sample, _)| sample).collect(),
            mirrored: if mirrored { all.iter().map(|&(_, mirrored)| mirrored).collect() } else { Vec::new() },
            counts,
        }
    }

    /// How many slots each bucket has.
    pub(crate) fn counts(&self) -> &[i64] {
        &self.counts
    }

    /// How many slots there are.
    pub(crate) fn len(&self) -> i64 {
        self.samples.len() as i64
    }

    /// The first slot of a bucket.
    pub(crate) fn first(&self, bucket: usize) -> i64 {
        self.counts[..bucket].iter().sum()
    }

    /// The sample of a slot.
    pub(crate) fn sample(&self, slot: i64) -> i64 {
        i64::from(self.samples[slot as usize])
    }

    /// What `read` gives of the samples of slots (b, c, h, w), those mirrored that are to be.
    pub(crate) fn mirrored<E>(
        &self,
        slots: &[i64],
        read: impl FnOnce(&[i64]) -> Result<Tensor, E>,
    ) -> Result<Tensor, E> {
        let samples = read(&slots.iter().map(|&slot| self.sample(slot)).collect::<Vec<_>>())?;
        let mirrored: Vec<bool> = slots.iter().map(|&slot| self.is_mirrored(slot)).collect();
        if !mirrored.contains(&true) {
            return Ok(samples);
        }
        let chosen = send(&Tensor::from_slice(&mirrored), samples.device()).reshape([-1, 1, 1, 1]);
        Ok(samples.flip([3]).where_self(&chosen, &samples))
    }

    fn is_mirrored(&self, slot: i64) -> bool {
        self.mirrored.get(slot as usize).copied().unwrap_or_default()
    }
}
