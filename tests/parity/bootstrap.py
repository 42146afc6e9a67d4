"""Makes fixtures/bootstrap.json: intervals, significance and replicates of metrics, by numpy and scipy from their definitions.

Resamples are given by a formula, so that both sides look at the same ones: replicates agree to 1e-9 relative. The Frechet
distance of a resample is taken to first order; its reference is the finite difference of the distance in each sample's
weight (1e-5), and beside it stands how far the distance of true resamples spreads. Recall and coverage of a resample are
taken to first order too, by leaving out one sample after the other. scipy's own bootstrap of a mean, with
resamples of its own, says where the interval must lie.

Run: python tests/parity/bootstrap.py  (numpy, scipy, torch)
"""

import itertools
import json
import pathlib

import numpy as np
import scipy.linalg
import scipy.stats
from scipy.spatial.distance import cdist

import formula

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
REAL, FAKE, WIDTH, NEIGHBOURS, RESAMPLES = 60, 40, 4, 3, 25
GROUPS = [list(range(0, 15)), list(range(15, 38)), [38, 39]]


def drawn(resample):
    """The samples of a resample: a formula that repeats some and leaves some out."""
    return np.array([((7 * j + 3) * (j + 5 * resample + 1) + resample) % FAKE for j in range(FAKE)])


def frechet(real, fake, weights):
    """Of samples with weights that sum to their number."""
    mean = weights @ fake / len(fake)
    centred = fake - mean
    covariance = (centred * weights[:, None]).T @ centred / (len(fake) - 1)
    real_covariance = np.cov(real, rowvar=False)
    root = scipy.linalg.sqrtm(real_covariance @ covariance).real
    difference = real.mean(0) - mean
    return difference @ difference + np.trace(real_covariance + covariance) - 2 * np.trace(root)


def influence(real, fake, step=1e-5):
    """What the distance does when a sample counts more and all others less."""
    ones = np.ones(len(fake))
    move = lambda i: step * (len(fake) * np.eye(len(fake))[i] - ones)
    return np.array(
        [(frechet(real, fake, ones + move(i)) - frechet(real, fake, ones - move(i))) / (2 * step) for i in range(len(fake))]
    )


def manifold(real, fake):
    radius = lambda x: np.sort(cdist(x, x), axis=1)[:, NEIGHBOURS]
    between = cdist(real, fake)
    in_real = between < radius(real)[:, None]
    in_fake = between < radius(fake)[None, :]
    shares = dict(recall=in_fake.any(1).mean(), coverage=in_real.any(1).mean())
    return shares, dict(precision=in_real.any(0), density=in_real.sum(0) / NEIGHBOURS)


def left_out(real, fake, name):
    """What a share loses when a sample is left out, of all samples together: n - 1 times."""
    whole = manifold(real, fake)[0][name]
    rest = np.array([manifold(real, np.delete(fake, i, 0))[0][name] for i in range(len(fake))])
    return whole, (len(fake) - 1) * (whole - rest)


def diversity(fake, samples):
    """Mean distance of two different samples of a group, over the groups that have two."""
    means = []
    for group in GROUPS:
        own = [i for i in samples if i in group]
        pairs = [(i, j) for i, j in itertools.combinations(own, 2) if i != j]
        if pairs:
            means.append(np.mean([np.linalg.norm(fake[i] - fake[j]) for i, j in pairs]))
    return np.mean(means)


def centred_interval(name, value, replicates):
    interval = value + np.quantile(replicates - np.mean(replicates), [0.025, 0.975])
    ranges = {"precision": (0, 1), "recall": (0, 1), "coverage": (0, 1), "frechet": (0, None)}
    return list(np.clip(interval, *ranges.get(name, (None, None))))


def significance(value, replicates):
    return (1 + np.sum(np.abs(replicates - np.mean(replicates)) >= abs(value))) / (1 + len(replicates))


def main():
    real = formula.input("bootstrap.real", (REAL, WIDTH)).double().numpy()
    fake = formula.input("bootstrap.fake", (FAKE, WIDTH)).double().numpy() * 1.3 + 0.2
    other = formula.input("bootstrap.other", (FAKE,)).double().numpy() * 0.1 - 0.03
    resamples = [drawn(b) for b in range(RESAMPLES)]
    counts = np.array([np.bincount(samples, minlength=FAKE) for samples in resamples])
    values = {"mean": (fake[:, 0].mean(), [fake[samples, 0].mean() for samples in resamples])}
    everything = np.arange(FAKE)
    for name, each in manifold(real, fake)[1].items():
        values[name] = (each.mean(), [each[samples].mean() for samples in resamples])
    for name in manifold(real, fake)[0]:
        whole, moves = left_out(real, fake, name)
        values[name] = (whole, list(whole + counts @ moves / FAKE))
    values["diversity"] = (diversity(fake, everything), [diversity(fake, samples) for samples in resamples])
    distance = frechet(real, fake, np.ones(FAKE))
    moves = influence(real, fake)
    values["frechet"] = (distance, list(distance + counts @ moves / FAKE))
    rng = np.random.default_rng(0)
    true = [frechet(real, fake, np.bincount(rng.integers(0, FAKE, FAKE), minlength=FAKE)) for _ in range(4000)]
    scipys = scipy.stats.bootstrap((fake[:, 0],), np.mean, n_resamples=50000, method="percentile", rng=rng)
    shift = [other[samples].mean() for samples in resamples]
    result = dict(
        real=REAL, fake=FAKE, width=WIDTH, neighbours=NEIGHBOURS, resamples=RESAMPLES, groups=GROUPS,
        numbers={
            name: dict(value=value, interval=centred_interval(name, value, np.array(replicates)))
            for name, (value, replicates) in values.items()
        },
        significance=significance(other.mean(), np.array(shift)),
        true_frechet_deviation=np.std(true),
        linear_frechet_deviation=np.sqrt(np.mean(moves**2) / FAKE),
        scipy_mean_interval=list(scipys.confidence_interval),
    )
    (FIXTURES / "bootstrap.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
