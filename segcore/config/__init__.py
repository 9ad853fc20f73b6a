"""What a run is: frozen, validated configs that survive a JSON round trip.

A run is its config on disk. Each dataclass checks itself when made, so a config that exists is
one that can be started; unknown keys in a file are refused with the nearest known one.
"""

from typing import Any

from segcore.config.distillation import AveragingConfig, DistillationConfig
from segcore.config.ensembles import CRFSearchConfig, SubsetsConfig
from segcore.config.imported import ImportedConfig
from segcore.config.mapping import from_json, to_json
from segcore.config.robustness import RobustnessConfig
from segcore.config.training import ModelConfig, RecipeConfig, TrainConfig, shared_labels
from segcore.config.tuning import Range, SearchSpace, TuneConfig
from segcore.config.using import EvaluateConfig, PredictConfig, PredictOptions, at_training_scale
from segcore.errors import unknown

__all__ = [
    "CONFIGS",
    "AveragingConfig",
    "CRFSearchConfig",
    "DistillationConfig",
    "EvaluateConfig",
    "ImportedConfig",
    "ModelConfig",
    "PredictConfig",
    "PredictOptions",
    "Range",
    "RecipeConfig",
    "RobustnessConfig",
    "RunConfig",
    "SearchSpace",
    "SubsetsConfig",
    "TrainConfig",
    "TuneConfig",
    "at_training_scale",
    "config_from_json",
    "from_json",
    "shared_labels",
    "to_json",
]

RunConfig = (
    TrainConfig
    | PredictConfig
    | EvaluateConfig
    | SubsetsConfig
    | CRFSearchConfig
    | RobustnessConfig
    | TuneConfig
    | ImportedConfig
)

CONFIGS: dict[str, type[RunConfig]] = {
    "train": TrainConfig,
    "predict": PredictConfig,
    "evaluate": EvaluateConfig,
    "subsets": SubsetsConfig,
    "crf_search": CRFSearchConfig,
    "robustness": RobustnessConfig,
    "tune": TuneConfig,
    "imported": ImportedConfig,
}


def config_from_json(data: dict[str, Any]) -> RunConfig:
    """Build the config of a run from its mapping; ``kind`` says which.

    Raises:
        SegcoreError: The kind or a key is unknown, or a value is refused.
    """
    kind = data.get("kind")
    if kind not in CONFIGS:
        raise unknown("kind of run", kind, CONFIGS)
    return from_json(CONFIGS[kind], data)
