"""What is done with a trained network, and the words for background work."""

from segcore.catalog.choice import Choice

ENSEMBLE_RULES: dict[str, Choice] = {
    "mean": Choice("Mean probability", "The arithmetic mean of the members' probabilities."),
    "weighted": Choice("Weighted mean", "The mean with a weight for each member, searched on the validation split."),
    "geometric": Choice(
        "Geometric mean",
        "The renormalised product of probabilities: a class that one member rules out loses more than in the mean.",
        "Hinton: Training products of experts, Neural Computation 2002",
    ),
    "majority": Choice(
        "Majority vote",
        "Each member votes for its most probable class; the mean probability decides ties.",
        "Breiman: Bagging predictors, Machine Learning 1996",
    ),
}

BALANCE_MODES: dict[str, Choice] = {
    "pixel": Choice("By pixel", "A label's share of all labelled pixels."),
    "count": Choice("By count", "A label's share of all (image, label) pairs: in how many images it occurs."),
}

RUN_STATES: dict[str, Choice] = {
    "queued": Choice("Queued", "Waits for a free device or for runs it needs."),
    "starting": Choice("Starting", "Its process is loading."),
    "running": Choice("Running", "Working."),
    "stopping": Choice("Stopping", "Asked to stop; it saves a checkpoint and ends."),
    "finished": Choice("Finished", "Ended as planned."),
    "failed": Choice("Failed", "Ended by an error; the cause says which."),
    "interrupted": Choice("Interrupted", "Ended before it was done; it can be resumed."),
}

RUN_KINDS: dict[str, Choice] = {
    "train": Choice("Training", "Fits a network to a split."),
    "predict": Choice("Prediction", "Writes a network's probabilities and counts for a split."),
    "evaluate": Choice("Evaluation", "Combines members, refines by CRF, and counts."),
    "tune": Choice("Tuning", "Tries settings, each by a training run of its own."),
}
