"""What merging labels at random gives, from the formula."""


def random_merge_accuracy(accuracy, sizes):
    """Expected accuracy after assigning labels at random to groups of the given sizes.

    a + (1 - a) pi, where pi = sum_g s_g (s_g - 1) / (C (C - 1)) is the chance that two labels meet.
    """
    total = sum(sizes)
    meet = sum(s * (s - 1) for s in sizes) / (total * (total - 1)) if total > 1 else 1.0
    return accuracy + (1 - accuracy) * meet
