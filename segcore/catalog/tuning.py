"""How settings are searched: what may be varied, who proposes, who gives up early, and spaces to begin with."""

from segcore.catalog.choice import Choice

SAMPLERS: dict[str, Choice] = {
    "tpe": Choice(
        "Guided (TPE)",
        "After some random trials, settings that resemble the better ones so far.",
        "Bergstra et al.: Algorithms for hyper-parameter optimization, NeurIPS 2011",
    ),
    "random": Choice(
        "Random",
        "Every trial drawn by itself; a fair baseline.",
        "Bergstra, Bengio: Random search for hyper-parameter optimization, JMLR 2012",
    ),
    "grid": Choice("Grid", "Every combination once, in order; for few choices."),
}

PRUNERS: dict[str, Choice] = {
    "none": Choice("Never", "Every trial is trained to its end."),
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
            "Only the best third goes on at each rung of epochs, with several starting rungs; "
            "for many trials."
        ),
        "Li et al.: Hyperband, JMLR 2018",
    ),
}

TUNE_PRESETS: dict[str, Choice] = {
    "quick": Choice(
        "Quick", "Loss, learning rate and augmentation: what pays first on any network."
    ),
    "recipe": Choice(
        "Recipe",
        (
            "All of how it learns: loss, learning rate, schedule, batch size, class weights, "
            "augmentation."
        ),
    ),
    "network": Choice("Network", "Architecture and encoder, each at its own learning rate."),
}
