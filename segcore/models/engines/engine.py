"""The engine of this process: what Keras computes with, settled when Keras is imported."""

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

import keras

ENGINE: str = keras.backend.backend()
"""One of tensorflow, jax and torch; ``KERAS_BACKEND`` says it before the first import of Keras."""


class _WithoutTensorFlow(MetaPathFinder, Loader):
    """Lets an import of TensorFlow fail in a process that computes with another engine.

    Keras asks for it where it saves a network or sets a seed, and treats it as missing if the
    import fails. It would take seconds and memory, and on a GPU a second engine would register
    its own CUDA libraries.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname == "tensorflow" else None

    def create_module(self, spec: ModuleSpec) -> None:
        raise ImportError(f"{spec.name} is not imported where {ENGINE} computes")


if ENGINE != "tensorflow":
    sys.meta_path.insert(0, _WithoutTensorFlow())

primitives: ModuleType = importlib.import_module(f"segcore.models.engines.{ENGINE}")
"""The engine's own operations: ``fused_batch_norm`` and ``add_bias`` (None where Keras' are used),
``over_replicas``, ``count_cells``, ``resize``, ``argmax`` (Keras' takes -0 for less than 0), and
``first_weights``, the context in which a network is built."""
