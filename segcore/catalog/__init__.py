"""What may be chosen: every name, its display text and its source, in plain tables.

Pages, the command line and configs read these tables; the builders that stand behind the names
live in ``models/build.py`` and ``training/`` and a test ties the two together. No TensorFlow here.
"""

from segcore.catalog.choice import Choice
from segcore.catalog.networks import (
    ARCHITECTURES,
    CLASSIC_NAMES,
    ENCODERS,
    MEMBER_ARCHITECTURES,
    Architecture,
    Encoder,
    resolve,
)
from segcore.catalog.recipe import (
    AUGMENTATIONS,
    BATCH_NORMS,
    CLASS_WEIGHTS,
    LOSSES,
    MONITORS,
    OPTIMIZERS,
    PRECISIONS,
    PREPROCESSING,
    SCHEDULES,
    loss_terms,
)
from segcore.catalog.tuning import PRUNERS, SAMPLERS, TUNE_PRESETS
from segcore.catalog.work import (
    BACKENDS,
    BALANCE_MODES,
    BALANCE_RULES,
    CORRUPTIONS,
    CRF_OBJECTIVES,
    ENSEMBLE_RULES,
    EXPORT_FORMATS,
    IMAGE_ORDERS,
    MASK_FILTERS,
    MASK_VALUES,
    MEMBERS_BY,
    PROBABILITY_STORAGE,
    RUN_EXPORTS,
    RUN_KINDS,
    RUN_STATES,
    SUBMODEL_RULES,
    TEST_TIME_AUGMENTATIONS,
)

__all__ = [
    "ARCHITECTURES",
    "AUGMENTATIONS",
    "BACKENDS",
    "BALANCE_MODES",
    "BALANCE_RULES",
    "BATCH_NORMS",
    "CLASSIC_NAMES",
    "CLASS_WEIGHTS",
    "CORRUPTIONS",
    "CRF_OBJECTIVES",
    "ENCODERS",
    "ENSEMBLE_RULES",
    "EXPORT_FORMATS",
    "IMAGE_ORDERS",
    "LOSSES",
    "MASK_FILTERS",
    "MASK_VALUES",
    "MEMBERS_BY",
    "MEMBER_ARCHITECTURES",
    "MONITORS",
    "OPTIMIZERS",
    "PRECISIONS",
    "PREPROCESSING",
    "PROBABILITY_STORAGE",
    "PRUNERS",
    "RUN_EXPORTS",
    "RUN_KINDS",
    "RUN_STATES",
    "SAMPLERS",
    "SCHEDULES",
    "SUBMODEL_RULES",
    "TEST_TIME_AUGMENTATIONS",
    "TUNE_PRESETS",
    "Architecture",
    "Choice",
    "Encoder",
    "loss_terms",
    "resolve",
]
