"""Hyperparameter search: samplers, pruners and preset spaces."""

from segcore.catalog.choice import Choice

SAMPLERS: dict[str, Choice] = {
    "tpe": Choice(
        "Guided (TPE)",
        "After some random trials, values that resemble the better ones so far.",
        "Bergstra et al.: Algorithms for hyper-parameter optimization, NeurIPS 2011",
    ),
    "random": Choice(
        "Random",
        "Every trial is drawn independently; a fair baseline.",
        "Bergstra, Bengio: Random search for hyper-parameter optimization, JMLR 2012",
    ),
    "grid": Choice("Grid", "Every combination once, in order; for few values."),
}

PRUNERS: dict[str, Choice] = {
    "none": Choice("Never", "Every trial runs to its end."),
    "median": Choice(
        "Below the median",
        (
            "A trial ends once its best score is below the median of finished trials at the "
            "same epoch."
        ),
        "Golovin et al.: Google Vizier, KDD 2017",
    ),
    "hyperband": Choice(
        "Hyperband",
        (
            "Only the best third continues at each rung of epochs, with several starting rungs; "
            "for many trials."
        ),
        "Li et al.: Hyperband, JMLR 2018",
    ),
}

TUNE_PRESETS: dict[str, Choice] = {
    "quick": Choice("Quick", "Loss, learning rate and augmentation: a good first search."),
    "recipe": Choice(
        "Recipe",
        (
            "All of the recipe: loss, learning rate, schedule, batch size, class weights, "
            "augmentation."
        ),
    ),
    "network": Choice("Model", "Architecture and encoder, each with its own learning rate."),
}
