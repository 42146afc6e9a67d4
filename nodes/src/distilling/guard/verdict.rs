//! What looks come to.

use hyper_flow_spec::kinds;

use super::look::Look;

/// How much may be lost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Least diversity, over that of the first look.
    pub(super) diversity: f64,
    /// Fall of the held-out score below the best one, in the first look's standard deviations.
    pub(super) tolerance: f64,
    /// Fallen looks in a row that are too many.
    pub(super) patience: usize,
}

impl Limits {
    pub(super) fn of(params: &kinds::Guard) -> Self {
        Self { diversity: params.diversity.get(), tolerance: params.tolerance.get(), patience: params.patience.index() }
    }
}

/// What some looks, at least one, come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    /// The position of the best look.
    pub(super) best: usize,
    /// Whether the last looks, as many as patience lasts, all have fallen.
    pub(super) hacked: bool,
}

impl Verdict {
    pub(super) fn of(looks: &[Look], limits: Limits) -> Self {
        let first = &looks[0];
        let is_diverse = |look: &Look| look.share_of(first) >= limits.diversity;
        let mut best = 0;
        for (i, look) in looks.iter().enumerate().skip(1) {
            if is_diverse(look) && look.held_out > looks[best].held_out {
                best = i;
            }
        }
        let least = looks[best].held_out - limits.tolerance * first.deviation;
        let has_fallen = |look: &Look| look.missed < looks[best].missed && (look.held_out < least || !is_diverse(look));
        let fallen = looks[best + 1..].iter().rev().take_while(|look| has_fallen(look)).count();
        Self { best, hacked: fallen >= limits.patience }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Looks of (held-out score, by how much the reward is missed, diversity), ten steps apart.
    fn looks(seen: &[(f64, f64, f64)]) -> Vec<Look> {
        let look = |(i, &(held_out, missed, diversity)): (usize, &(f64, f64, f64))| Look {
            step: 10 * i as u64,
            held_out,
            deviation: 0.1,
            missed,
            rewards: vec![-missed],
            diversity: vec![2.0 * diversity, diversity],
        };
        seen.iter().enumerate().map(look).collect()
    }

    const LIMITS: Limits = Limits { diversity: 0.9, tolerance: 0.0, patience: 2 };

    fn verdict(seen: &[(f64, f64, f64)], limits: Limits) -> (usize, bool) {
        let Verdict { best, hacked } = Verdict::of(&looks(seen), limits);
        (best, hacked)
    }

    const START: (f64, f64, f64) = (0.5, 1.0, 1.0);

    #[test]
    fn a_held_out_score_that_rises_with_the_reward_is_let_be() {
        assert_eq!(verdict(&[START], LIMITS), (0, false));
        assert_eq!(verdict(&[START, (0.6, 0.9, 1.0), (0.7, 0.8, 0.95)], LIMITS), (2, false));
    }

    #[test]
    fn one_that_falls_while_the_reward_rises_is_hacked() {
        let hacked = [START, (0.6, 0.9, 1.0), (0.5, 0.8, 1.0), (0.4, 0.7, 1.0)];
        assert_eq!(verdict(&hacked[..3], LIMITS), (1, false), "there is patience");
        assert_eq!(verdict(&hacked, LIMITS), (1, true));
        let recovered = [START, (0.4, 0.9, 1.0), (0.6, 0.8, 1.0), (0.5, 0.7, 1.0)];
        assert_eq!(verdict(&recovered, LIMITS), (2, false), "looks before the best one do not count");
    }

    #[test]
    fn one_that_falls_with_the_reward_is_not_hacked_but_not_kept_either() {
        assert_eq!(verdict(&[START, (0.4, 1.1, 1.0), (0.3, 1.2, 1.0)], LIMITS), (0, false));
    }

    #[test]
    fn diversity_counts_at_each_rollout() {
        let lost = [START, (0.6, 0.9, 0.8), (0.7, 0.8, 0.7)];
        assert_eq!(verdict(&lost, LIMITS), (0, true), "however high the score is");
        assert_eq!(verdict(&lost, Limits { diversity: 0.7, ..LIMITS }), (2, false));
        let mut looks = looks(&[START, (0.6, 0.9, 1.0), (0.6, 0.9, 1.0)]);
        looks[1].diversity[1] = 0.5;
        looks[2].diversity[0] = 1.0;
        assert_eq!(Verdict::of(&looks, LIMITS), Verdict { best: 0, hacked: true });
    }

    #[test]
    fn a_small_fall_is_tolerated() {
        let fallen = [START, (0.496, 0.9, 1.0), (0.496, 0.8, 1.0)];
        assert_eq!(verdict(&fallen, LIMITS), (0, true));
        assert_eq!(verdict(&fallen, Limits { tolerance: 0.05, ..LIMITS }), (0, false));
    }

    proptest! {
        /// No look is better than the best one, and a look of something else than a hacked reward says nothing.
        #[test]
        fn the_best_is_the_best(seen in prop::collection::vec((0.0..1.0, 0.0..1.0, 0.0..1.2f64), 0..20)) {
            let seen = [&[START][..], &seen].concat();
            let (best, hacked) = verdict(&seen, LIMITS);
            let allowed = |look: &(f64, f64, f64)| look.2 >= 0.9;
            prop_assert!(seen.iter().filter(|look| allowed(look)).all(|look| look.0 <= seen[best].0));
            prop_assert!(allowed(&seen[best]));
            if hacked {
                let last = &seen[seen.len() - LIMITS.patience..];
                prop_assert!(last.iter().all(|look| look.1 < seen[best].1 && (look.0 < seen[best].0 || !allowed(look))));
            }
        }
    }
}
