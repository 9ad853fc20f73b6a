"""The slow twin of every interval: one resample after another, no matrix product, no sparse counts."""

import numpy as np
from scipy.stats import norm, t

from segcore.evaluation.counts.bootstrap import Resampling


def plain_interval(parts, statistic, groups=None, *, resamples=1000, seed=0, units=None, by=None):
    """Value, low and high of a statistic of summed arrays (N, ...), by a plain loop.

    Args:
        parts: Arrays of the same N images.
        statistic: Sums of the parts (one (1, ...) array each) to one number.
        groups: Group of each image.
        resamples: As the caller's.
        seed: As the caller's.
        units: Units that hold what the number is about; all by default.
        by: How many of the parts the draws follow from; all by default.
    """
    parts = [np.asarray(part) for part in parts]
    drawing = Resampling(parts[:by], groups, resamples=resamples, seed=seed)
    draws = []
    for row in drawing.weights:
        times = [int(row[drawing.unit_of[i]]) for i in range(len(parts[0]))]
        sums = [sum(k * one for k, one in zip(times, part, strict=True)) for part in parts]
        draws.append(float(np.asarray(statistic(*(s[None] for s in sums)))[0]))
    n = drawing.units if units is None else units
    tail = norm.cdf(-np.sqrt(n / (n - 1)) * t.ppf(0.975, n - 1))
    known = [d for d in draws if not np.isnan(d)]
    value = float(np.asarray(statistic(*(part.sum(0)[None] for part in parts)))[0])
    return value, *(float(v) for v in np.quantile(known, [tail, 1 - tail]))
