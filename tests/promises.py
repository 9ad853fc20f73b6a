"""Keys of JSON that README and docs promise; the tests of each entry point ask for the same ones."""

SCORES = {
    "split",
    "num_samples",
    "size",
    "ignored_share",
    "mean_iou",
    "pixel_accuracy",
    "classes",
    "confusion",
    "interval",
}
"""Of a report."""

MERGE = {
    "groups",
    "num_groups",
    "accuracy",
    "mean_iou",
    "kappa",
    "entropy_bits",
    "retained_entropy",
    "information_bits",
    "honest_accuracy",
    "lift",
}
"""Of each row of a what-if's path."""
