"""What may be chosen: every name, its display text and its source, in plain tables.

Pages, the command line and configs read these tables; the builders that stand behind the names
live in ``models/build.py`` and ``training/`` and a test ties the two together. No TensorFlow here.
"""

from segcore.catalog.choice import Choice
from segcore.catalog.networks import ARCHITECTURES, CLASSIC_NAMES, ENCODERS, Architecture, Encoder
from segcore.catalog.recipe import (
    AUGMENTATIONS,
    BATCH_NORMS,
    CLASS_WEIGHTS,
    LOSSES,
    OPTIMIZERS,
    PRECISIONS,
    PREPROCESSING,
    SCHEDULES,
    loss_terms,
)
from segcore.catalog.tuning import PRUNERS, SAMPLERS, SEARCHABLE, TUNE_PRESETS
from segcore.catalog.work import BALANCE_MODES, ENSEMBLE_RULES, RUN_KINDS, RUN_STATES

__all__ = [
    "ARCHITECTURES",
    "AUGMENTATIONS",
    "BALANCE_MODES",
    "CLASSIC_NAMES",
    "CLASS_WEIGHTS",
    "ENCODERS",
    "ENSEMBLE_RULES",
    "LOSSES",
    "OPTIMIZERS",
    "PRECISIONS",
    "PRUNERS",
    "RUN_KINDS",
    "RUN_STATES",
    "SAMPLERS",
    "SCHEDULES",
    "SEARCHABLE",
    "BATCH_NORMS",
    "TUNE_PRESETS",
    "Architecture",
    "Choice",
    "Encoder",
    "loss_terms",
]
    "PREPROCESSING",
