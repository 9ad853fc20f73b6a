"""What is done with a trained network, and the words for background work."""

from segcore.catalog.choice import Choice

ENSEMBLE_RULES: dict[str, Choice] = {
    "mean": Choice("Mean probability", "The arithmetic mean of the members' probabilities."),
    "weighted": Choice(
        "Weighted mean", "The mean with a weight for each member, searched on the validation split."
    ),
    "geometric": Choice(
        "Geometric mean",
        (
            "The renormalised product of probabilities: a class that one member rules out "
            "loses more than in the mean."
        ),
        "Hinton: Training products of experts, Neural Computation 2002",
    ),
    "majority": Choice(
        "Majority vote",
        "Each member votes for its most probable class; the mean probability decides ties.",
        "Breiman: Bagging predictors, Machine Learning 1996",
    ),
}

MEMBERS_BY: dict[str, Choice] = {
    "seed": Choice(
        "Seed", "The same network on the same images; other first weights, order and augmentation."
    ),
    "fold": Choice(
        "Fold",
        (
            "Each member validates on another part of train and validation and trains on the "
            "rest; test stays out of all."
        ),
    ),
    "architecture": Choice(
        "Architecture",
        "The chosen decoder first, then others from a fixed list, all over the chosen encoder.",
    ),
}
"""How the members of an ensemble differ; each also has its own seed."""

MASK_FILTERS: dict[str, Choice] = {
    "components": Choice(
        "Small components",
        "Connected regions below a number of pixels go to their nearest larger neighbour.",
    ),
    "median": Choice(
        "Median filter", "The median of each class's probability over a small window."
    ),
    "majority": Choice(
        "Majority filter", "Each pixel takes the class that most pixels of its window have."
    ),
    "rank_dice": Choice(
        "Decoding for Dice",
        "The mask that maximises the expected Dice of each class, in place of the most probable "
        "class.",
        "Dai, Li: RankSEG, JMLR 2023; Wang, Dai: RankSEG-RMA, 2025",
    ),
    "rank_iou": Choice(
        "Decoding for IoU",
        "The mask that maximises the expected IoU of each class, in place of the most probable "
        "class.",
        "Dai, Li: RankSEG, JMLR 2023; Wang, Dai: RankSEG-RMA, 2025",
    ),
}

CRF_OBJECTIVES: dict[str, Choice] = {
    "mean_iou": Choice("Mean IoU", "Ranks by the mean IoU over the set."),
    "boundary_iou": Choice(
        "Boundary IoU",
        "Ranks by the mean IoU of regions near contours.",
        "Cheng et al.: Boundary IoU, CVPR 2021",
    ),
    "both": Choice("Both", "Ranks by the mean of mean IoU and boundary IoU."),
}

SUBMODEL_RULES: dict[str, Choice] = {
    "one_vs_rest": Choice(
        "One against the rest",
        "What each network says of its own classes, divided by the sum; a group may be one class.",
    ),
    "routed": Choice(
        "Routed",
        (
            "One more network chooses the group, the group's own network the class: the "
            "product of both."
        ),
    ),
}

BALANCE_MODES: dict[str, Choice] = {
    "pixel": Choice("By pixel", "A label's share of all labelled pixels."),
    "count": Choice(
        "By count", "A label's share of all (image, label) pairs: in how many images it occurs."
    ),
}

BALANCE_RULES: dict[str, Choice] = {
    "nearest": Choice(
        "Nearest to the target",
        "Whole repeats that bring the shares nearest to the target, shown with the lower bound.",
    ),
    "lvis": Choice(
        "LVIS repeat factors",
        (
            "Images of classes in less than a share t of the images repeat: sqrt(t / share). "
            "CVPR 2019."
        ),
    ),
    "ml_ros": Choice(
        "ML-ROS",
        "Random images of classes rarer than the mean imbalance are cloned. Neurocomputing 2015.",
    ),
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
    "subsets": Choice(
        "Subsets", "Scores every ensemble that can be made of some members, in one pass."
    ),
    "crf_search": Choice(
        "CRF search", "Searches the parameters of the CRF and asks whether it helps at all."
    ),
    "robustness": Choice(
        "Robustness", "Counts a network on corrupted images, at five severities each."
    ),
    "tune": Choice("Tuning", "Tries settings, each by a training run of its own."),
    "imported": Choice("Import", "Predictions that another tool made."),
}

_KIND_WORDS = {
    "train": "a training run",
    "predict": "a prediction",
    "evaluate": "an ensemble",
    "subsets": "a score of every subset",
    "crf_search": "a search for a CRF",
    "robustness": "a robustness test",
    "tune": "a hyperparameter search",
    "imported": "an import",
}


def kind_words(kind: str) -> str:
    """Return what a run of a kind is, for a sentence: "a training run"; an unknown kind by its name."""
    return _KIND_WORDS.get(kind, f"a run of kind {kind}")


CORRUPTIONS: dict[str, Choice] = {
    "noise": Choice(
        "Noise",
        "Gaussian noise of the sensor.",
        "Hendrycks and Dietterich: Benchmarking neural network robustness, ICLR 2019",
    ),
    "blur": Choice(
        "Blur", "A Gaussian blur, in proportion to the size of the image: out of focus."
    ),
    "darkness": Choice("Darkness", "Less light: every value is multiplied by a number below 1."),
    "jpeg": Choice(
        "JPEG",
        "Strong compression with its blocks.",
        "Hendrycks and Dietterich: Benchmarking neural network robustness, ICLR 2019",
    ),
}

TEST_TIME_AUGMENTATIONS: dict[str, Choice] = {
    "none": Choice("None", "Each image is predicted once."),
    "flip": Choice(
        "Mirrored",
        "The mean with the image mirrored left to right: twice the time; suits every subject.",
    ),
    "flips": Choice(
        "Flipped both ways",
        (
            "The mean over both mirrorings and a half turn: four times the time; suits views "
            "from above."
        ),
    ),
    "turns": Choice(
        "Flips and quarter turns",
        (
            "The mean over the eight symmetries of a square: for views from above, where no "
            "side is up."
        ),
        "Cohen and Welling: Group equivariant convolutional networks, ICML 2016",
    ),
    "scales": Choice(
        "Three sizes",
        (
            "The mean over 3/4, 1 and 5/4 of the size: for things whose distance varies; six "
            "times the time."
        ),
        "Chen et al.: Attention to scale, CVPR 2016",
    ),
}

BACKENDS: dict[str, Choice] = {
    "auto": Choice(
        "Fastest that agrees",
        "On CPUs with bfloat16 OpenVINO, or TensorFlow with coarse layers in it, if the first "
        "images agree; else the engine as it is.",
    ),
    "tensorflow": Choice("TensorFlow", "Reads every network; uses a GPU where there is one."),
    "jax": Choice("JAX", "Reads every network; needs the package jax."),
    "torch": Choice("PyTorch", "Reads every network; needs the package torch."),
    "openvino": Choice(
        "OpenVINO",
        (
            "In bfloat16 where the CPU has it and enough pixels agree, else float32; needs the "
            "packages openvino and tensorflow."
        ),
    ),
}

PROBABILITY_STORAGE: dict[str, Choice] = {
    "whole": Choice(
        "All classes",
        "About .8 bytes for each pixel and class; ensembles, the CRF and calibration need them.",
    ),
    "top": Choice(
        "Top 5 classes",
        "Each pixel's five most probable classes and the sum of the rest: enough to view; scores "
        "are the same.",
    ),
    "none": Choice(
        "Masks and counts only", "The smallest; scores are the same, nothing shows certainty."
    ),
}

EXPORT_FORMATS: dict[str, Choice] = {
    "keras": Choice(
        "Keras", "One .keras file: weights, network and configuration, to load with Keras 3."
    ),
    "saved_model": Choice(
        "SavedModel", "A folder for TensorFlow Serving and TensorFlow without Keras."
    ),
    "onnx": Choice(
        "ONNX", "One .onnx file for ONNX Runtime and most other runtimes; needs tf2onnx and onnx."
    ),
    "openvino": Choice(
        "OpenVINO",
        "An .xml and a .bin file for Intel's and other CPUs; needs the package openvino.",
    ),
    "litert": Choice("LiteRT", "One .tflite file for phones and small devices."),
}

FROM_TENSORFLOW = ("saved_model", "onnx", "openvino", "litert")
"""Forms that are written from TensorFlow's graph, whatever a network was trained with."""

MASK_VALUES: dict[str, Choice] = {
    "auto": Choice(
        "Auto-detect",
        "Class ids in one channel, else the classes' colours; probabilities in arrays.",
    ),
    "ids": Choice("Class ids", "Each pixel holds the id that the dataset gives the class."),
    "indices": Choice(
        "Positions",
        "Each pixel holds the position of its class in the dataset's list, counted from 0.",
    ),
    "colors": Choice(
        "Colours",
        "Each pixel has the colour that the dataset gives the class, directly or by a palette.",
    ),
}

IMAGE_ORDERS: dict[str, Choice] = {
    "order": Choice("Default order", "The dataset's own order."),
    "mean_iou": Choice("Mean IoU", "Lowest mean IoU of the image first."),
    "class_iou": Choice("IoU of a class", "Lowest IoU of one class first; images without it last."),
    "error": Choice("Error share", "Largest share of wrong pixels first."),
    "entropy": Choice(
        "Entropy", "Most unsure first: mean entropy as a share of the largest possible."
    ),
    "disagreement": Choice(
        "Member disagreement",
        "Where the members of the ensemble contradict each other most, first.",
    ),
    "crf_gain": Choice(
        "CRF gain", "Where the CRF loses most mean IoU first, where it gains most last."
    ),
    "difference": Choice(
        "A minus B", "Where B beats A by most in mean IoU first, where A beats B by most last."
    ),
}

RUN_EXPORTS: dict[str, Choice] = {
    "tensorboard": Choice(
        "TensorBoard",
        "An event file with every curve, that TensorBoard reads; needs no package to write.",
    ),
    "mlflow": Choice(
        "MLflow",
        "Parameters, curves and notes in an MLflow experiment; needs the package mlflow-skinny.",
    ),
    "wandb": Choice(
        "Weights & Biases", "A run of a project there, or written offline; needs the package wandb."
    ),
}
