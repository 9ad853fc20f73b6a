"""The engine of this process: what Keras computes with, settled when Keras is imported."""

import importlib
from types import ModuleType

import keras

ENGINE: str = keras.backend.backend()
"""One of tensorflow, jax and torch; ``KERAS_BACKEND`` says it before the first import of Keras."""

primitives: ModuleType = importlib.import_module(f"segcore.models.engines.{ENGINE}")
"""The engine's own operations: ``fused_batch_norm`` (None where Keras' is used),
``over_replicas``, ``count_cells``, ``resize`` and ``argmax`` (Keras' takes -0 for less than 0)."""
