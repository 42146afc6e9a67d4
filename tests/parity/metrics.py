"""Makes fixtures/metrics.json: every metric on features of the formula, computed by numpy and scipy from its definition.

Both sides compute in float64: 1e-9 relative, and 1e-6 for the Frechet distance of singular covariances, whose matrix
root scipy finds another way.

Run: python tests/parity/metrics.py  (numpy, scipy)
"""

import json
import pathlib

import numpy as np
import scipy.linalg
from scipy.spatial.distance import cdist, pdist

import formula

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
# name: samples a side, width, scale and shift of the generated ones
CASES = {"plain": (60, 40, 5, 1.2, 0.3), "few": (7, 9, 12, 0.8, 0.0), "far": (30, 30, 3, 1.0, 20.0)}
NEIGHBOURS = 3


def frechet(a, b):
    covariances = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1])
    difference = a.mean(0) - b.mean(0)
    return difference @ difference + np.trace(covariances[0] + covariances[1]) - 2 * np.trace(root).real


def neighbours(real, fake, k):
    radius = lambda x: np.sort(cdist(x, x), axis=1)[:, k]
    between = cdist(real, fake)
    in_real = between < radius(real)[:, None]
    in_fake = between < radius(fake)[None, :]
    return dict(
        precision=in_real.any(0).mean(),
        recall=in_fake.any(1).mean(),
        density=in_real.sum(0).mean() / k,
        coverage=in_real.any(1).mean(),
    )


def case(name, n, m, width, scale, shift):
    real = formula.input(f"{name}.real", (n, width)).double().numpy()
    fake = formula.input(f"{name}.fake", (m, width)).double().numpy() * scale + shift
    pairs = real[: min(n, m)], fake[: min(n, m)]
    cosines = (pairs[0] * pairs[1]).sum(1) / np.linalg.norm(pairs[0], axis=1) / np.linalg.norm(pairs[1], axis=1)
    return dict(
        n=n, m=m, width=width, scale=scale, shift=shift, neighbours=NEIGHBOURS,
        frechet=frechet(real, fake), diversity=pdist(fake).mean(), clip_score=max(100 * cosines.mean(), 0.0),
        **neighbours(real, fake, NEIGHBOURS),
    )


def main():
    values = {name: case(name, *arguments) for name, arguments in CASES.items()}
    (FIXTURES / "metrics.json").write_text(json.dumps(values, indent=1) + "\n")


if __name__ == "__main__":
    main()
