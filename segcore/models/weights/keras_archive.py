"""Networks saved as ``.keras``, opened without taking more memory than their file accounts for.

A ``.keras`` file is a zip of a config, from which the layers are built, and of their weights. The
config alone may declare a layer of any size. So the layers are built without values first; only if
the weights in the file account for all of them are values made and read.
"""

import importlib
import json
import math
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import keras

from segcore.errors import SegcoreError
from segcore.installing import extra_command
from segcore.models.weights.weight_files import foreign_file, keras_weight_shapes

CONFIG, WEIGHTS = "config.json", "model.weights.h5"

MAX_RATIO = 20
"""Largest ratio of packed to unpacked. Trained weights hardly shrink when a zip is deflated."""


def open_keras(path: Path, fix: str) -> keras.Model:
    """Open a network that was saved as ``.keras``, without its optimizer.

    Args:
        path: The file; no code in it is run.
        fix: What to do if it is damaged ("train it again").

    Raises:
        SegcoreError: It is damaged, or declares more values than it holds.
    """
    expected = "a sound .keras network"
    with tempfile.TemporaryDirectory() as folder, foreign_file(path, expected, fix):
        config, weights = _unpack(path, Path(folder))
        stored = sum(math.prod(shape) for shape in keras_weight_shapes(weights))
        model = _build(config, stored)
        model.load_weights(weights)
        return model


def _unpack(path: Path, folder: Path) -> tuple[Any, Path]:
    """Return the config and the weights, extracted into a folder; checksums are compared.

    Raises:
        Exception: The file is damaged, or declares more than it can hold.
    """
    with zipfile.ZipFile(path) as archive:
        declared = sum(archive.getinfo(name).file_size for name in (CONFIG, WEIGHTS))
        if declared > MAX_RATIO * path.stat().st_size:
            raise ValueError(f"it declares {declared} bytes, more than it can hold")
        config = json.loads(archive.read(CONFIG))
        return config, Path(archive.extract(WEIGHTS, folder))


def _import_keras_hub() -> None:
    """Import KerasHub, whose layers a network has.

    Raises:
        SegcoreError: It is not installed.
    """
    try:
        importlib.import_module("keras_hub")
    except ImportError as error:
        raise SegcoreError(
            "Expected KerasHub to open a network that was made with one of its encoders, which "
            f"cannot be imported ({error}): install it with {extra_command('hub')}."
        ) from error


def _build(config: Any, stored: int) -> keras.Model:
    """Build a network of at most ``stored`` values from its config; its weights are zeros.

    They are read from the file right after: drawing first weights would be in vain, and under JAX,
    which compiles the draw for each shape, it took most of the time.

    Raises:
        ValueError: The config declares more values.
    """
    config["compile_config"] = None
    if '"keras_hub' in json.dumps(config):
        _import_keras_hub()
    scope = keras.StatelessScope(initialize_variables=False)
    policy = keras.config.dtype_policy()
    try:
        with scope:
            model: keras.Model = keras.saving.deserialize_keras_object(config)
            values = sum(math.prod(weight.shape) for weight in model.weights)
            if values > stored:
                raise ValueError(f"its layers need {values} values and it holds {stored}")
            for weight in model.weights:
                weight._initializer = keras.initializers.Zeros()
            scope.initialize_variables = True  # on leaving the scope
    except Exception:
        keras.utils.clear_session()  # forgets variables that still wait for values
        keras.config.set_dtype_policy(policy)
        raise
    return model
