"""What each member adds, one subset at a time: the slow twin of the linear map."""

import numpy as np


def marginal_values(scores):
    """Shapley value of each member and the loss when it alone leaves, from all subsets' scores, by plain loops."""
    num_members = (len(scores) + 1).bit_length() - 1
    whole = len(scores)
    gains = np.full(num_members, np.nan)
    losses = np.full(num_members, np.nan)
    if num_members == 1:
        return gains, losses
    for member in range(num_members):
        bit = 1 << member
        by_size = {}
        for code in range(1, whole + 1):
            if not code & bit:
                by_size.setdefault(code.bit_count(), []).append(
                    float(scores[(code | bit) - 1]) - float(scores[code - 1])
                )
        gains[member] = np.mean([np.mean(values) for values in by_size.values()])
        losses[member] = scores[whole - 1] - scores[(whole ^ bit) - 1]
    return gains, losses
