"""The parts of this process's engine: its devices, its steps, its answers.

Every engine has the same three modules, so that training and prediction are written once.
"""

import importlib
from types import ModuleType

from segcore.models.engines.engine import ENGINE


def _part(name: str) -> ModuleType:
    return importlib.import_module(f"segcore.training.engines.{ENGINE}.{name}")


devices: ModuleType = _part("devices")
"""Which devices there are and how a network is spread over them: ``TITLE``, ``count_gpus``,
``use``, ``spread``, ``describe``, ``seed``, ``on_gpu``, ``rewrite_graphs``, ``free_bytes``,
``peak_bytes``, ``is_out_of_memory``, ``LOST``, ``MOMENTS_BY_REPLICA``. A strategy has a ``scope()`` under which a network
is built, and ``num_replicas_in_sync``."""

steps: ModuleType = _part("steps")
"""``Steps``, what a learner does with one batch, and ``OPTIMIZERS``, the engine's own classes."""

answers: ModuleType = _part("answers")
"""``freeze``, ``plain``, ``candidates``, ``note`` and ``ERRORS``: a network as a function of images."""
