"""Makes fixtures/repeats.json: mean, deviation, 95 % interval and t-test of repeated measurements, by scipy.

Both sides compute in float64: 1e-10 relative.

Run: python tests/parity/repeats.py  (numpy, scipy)
"""

import json
import pathlib

import numpy as np
from scipy import stats

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
CASES = {
    "three": [4.4, 5.1, 4.7],
    "two": [-1.0, 3.5],
    "differences": [-2.31, -1.9, -2.05, -2.6],
    "many": [float(np.sin(i) + 0.2) for i in range(40)],
    "far": [1000.0, 1000.001, 999.999, 1000.0005, 1000.0],
}


def case(values):
    n, mean, deviation = len(values), np.mean(values), np.std(values, ddof=1)
    low, high = stats.t.interval(0.95, n - 1, loc=mean, scale=deviation / np.sqrt(n))
    return dict(values=values, mean=mean, deviation=deviation, margin=(high - low) / 2, p=stats.ttest_1samp(values, 0).pvalue)


if __name__ == "__main__":
    (FIXTURES / "repeats.json").write_text(json.dumps({name: case(values) for name, values in CASES.items()}, indent=1) + "\n")
