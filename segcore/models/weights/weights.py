"""A network's first weights, from a download, a file or at random, and a report of them."""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from segcore.errors import SegcoreError
from segcore.models.weights.keras_archive import open_keras
from segcore.models.weights.weight_files import (
    Arrays,
    foreign_file,
    keras_weight_shapes,
    read_arrays,
)

TOP_LAYERS = {"predictions", "conv_preds", "fc", "fc1000", "conv_2", "logits", "classifier", "head"}
"""Layers of a classification top: a file may hold them though no segmentation network does."""

HEAD = "logits"
"""The layer that depends on the classes: left random where a file has another number of them."""


@dataclass(frozen=True)
class WeightReport:
    """What became of every variable.

    Attributes:
        source: "none", "imagenet", or the file's name.
        filled: Variables ("layer/variable") that were given a value by the source.
        unfilled: Variables that start at random (or at a constant).
        unused: Names in the source that the network has no place for: a classification top, or
            encoder layers deeper than its decoder reads.
        inflated: Those of ``filled`` whose kernels were widened from three channels to more.
    """

    source: str
    filled: tuple[str, ...]
    unfilled: tuple[str, ...]
    unused: tuple[str, ...] = ()
    inflated: tuple[str, ...] = ()

    def summary(self) -> str:
        """Return one sentence for a log."""
        return (
            f"Weights from {self.source}: {len(self.filled)} variables filled, "
            f"{len(self.unfilled)} start at random, "
            f"{len(self.unused)} of the source unused."
        )


def fetch_imagenet(encoder: str, build: Callable[[], keras.Model]) -> keras.Model:
    """Build an encoder with the ImageNet weights that Keras downloads and keeps on disk.

    Args:
        encoder: Its name, for the message.
        build: Builds it with ``weights="imagenet"``.

    Returns:
        The encoder.

    Raises:
        SegcoreError: The weights are not in the cache and cannot be downloaded.
    """
    try:
        return build()
    except Exception as error:  # Keras raises a bare Exception here
        if "URL fetch failure" not in str(error):
            raise
        raise SegcoreError(
            f"Expected to download the ImageNet weights of {encoder!r}, received no answer "
            "from the network: choose random weights ('none') or a weights file (its path), or put "
            "Keras' own file into "
            "$KERAS_HOME/models (~/.keras/models) beforehand."
        ) from error


def variables_of(model: keras.Model) -> dict[str, Any]:
    """Return a model's variables by "layer/variable" (nested "layer/inner/variable"), in order.

    Layers that Keras numbers through a whole process ("conv2d_57") are numbered from the first one
    in this model.
    """
    names: dict[str, Any] = {}
    for layer in model.layers:
        for variable in layer.weights:
            path = (
                variable.path
                if variable.path.startswith(f"{layer.name}/")
                else f"{layer.name}/{variable.name}"
            )
            names[path] = variable
    renamed = _renumber(names)
    return {renamed[name]: variable for name, variable in names.items()}


def _renumber(names: Iterable[str]) -> dict[str, str]:
    """Renumber automatic layer names ("conv2d_57") from zero, in their own order."""
    names = list(names)
    automatic = {
        "conv2d",
        "batch_normalization",
        "layer_normalization",
        "normalization",
        "dense",
        "separable_conv2d",
        "depthwise_conv2d",
    }
    numbered = set()
    for name in names:
        layer = name.split("/")[0]
        stem, _, number = layer.rpartition("_")
        if layer in automatic:
            numbered.add((layer, 0, layer))
        elif stem in automatic and number.isdigit():
            numbered.add((stem, int(number), layer))
    layers, counts = {}, Counter[str]()
    for stem, _, layer in sorted(numbered):
        layers[layer] = f"{stem}_{counts[stem]}" if counts[stem] else stem
        counts[stem] += 1
    return {
        name: "/".join([layers.get(name.split("/")[0], name.split("/")[0]), *name.split("/")[1:]])
        for name in names
    }


def load_weights(model: keras.Model, encoder: keras.Model, path: str | Path) -> WeightReport:
    """Fill a network, or only its encoder, from a file.

    Shapes are compared before any value is read. Every array of the file must have a place (a
    classification top may be left over, and encoder
    layers deeper than the decoder reads), every variable of the encoder must be filled, and the
    decoder wholly or not at all; only the scoring layer may stay random when the file was made for
    another number of classes.

    Args:
        model: The network; changed in place.
        encoder: Its encoder, sharing its layers.
        path: ``.npz`` of "layer/variable" arrays, ``.keras``, ``.weights.h5`` (Keras 3), ``.h5``
            (Keras' older files, as its applications download), ``.safetensors``, ``.pth`` or
            ``.pt`` (PyTorch state dicts; nothing in them is executed).

    Returns:
        What was filled.

    Raises:
        SegcoreError: The file is missing, of no known kind, damaged, declares more than it
            holds, or does not fit.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise SegcoreError(
            "Expected weights 'none', 'imagenet' or the path of a file, received "
            f"{str(path)!r}, which is no file: check the path."
        )
    if path.name.endswith(".weights.h5"):
        return _load_keras_weights(model, encoder, path)
    if path.suffix == ".keras":
        network = open_keras(path, "save or download it again")
        arrays: Arrays = {name: np.asarray(v) for name, v in variables_of(network).items()}
    else:
        arrays = read_arrays(path, encoder.name)
    renamed = _renumber(arrays)
    with foreign_file(path, f"weights for {model.name!r}", "save or download it again"):
        return _assign(
            model, encoder, {renamed[name]: array for name, array in arrays.items()}, path.name
        )


def _load_keras_weights(model: keras.Model, encoder: keras.Model, path: Path) -> WeightReport:
    """Fill the whole or the encoder from Keras' numbered form, by the shapes of the variables.

    That form has no layer names; the shapes are compared before any value is read.
    """
    shapes = keras_weight_shapes(path)
    fitting = [m for m in (model, encoder) if sorted(tuple(w.shape) for w in m.weights) == shapes]
    if not fitting:
        counts = " or ".join(str(n) for n in sorted({len(encoder.weights), len(model.weights)}))
        raise SegcoreError(
            f"Expected {counts} variables of the shapes of {encoder.name!r} or {model.name!r}, "
            f"received {len(shapes)} in {path.name!r}: it was saved from another network, choose "
            "that encoder and architecture."
        )
    with foreign_file(path, f"weights for {fitting[0].name!r}", "save it again"):
        fitting[0].load_weights(path)
        if not all(np.isfinite(np.asarray(w)).all() for w in fitting[0].weights):
            raise ValueError("it holds values that are not finite")
    filled = set(variables_of(fitting[0]))
    names = variables_of(model)
    return WeightReport(
        path.name,
        tuple(n for n in names if n in filled),
        tuple(n for n in names if n not in filled),
    )


def _assign(model: keras.Model, encoder: keras.Model, arrays: Arrays, source: str) -> WeightReport:
    targets = variables_of(model)
    encoder_names = set(variables_of(encoder))
    fits = {
        n: a
        for n, a in arrays.items()
        if n in targets and tuple(targets[n].shape) == tuple(a.shape)
    }
    is_head = re.compile(rf"{HEAD}[^/]*/").match
    shapes = [
        f"{n} is {a.shape}, not {tuple(targets[n].shape)}"
        for n, a in arrays.items()
        if n in targets and n not in fits and not is_head(n)
    ]
    unused = [n for n in arrays if n not in targets]
    strange = [n for n in unused if n.split("/")[0] not in TOP_LAYERS and n not in encoder_names]
    missing = [n for n in targets if n not in fits and n in encoder_names]
    decoder = [n for n in targets if n not in encoder_names and not is_head(n)]
    if any(n in fits for n in decoder):
        missing += [n for n in decoder if n not in fits]
    faults = {
        "holds arrays of another shape": shapes,
        "holds arrays that have no place in it": strange,
        "lacks variables of it": missing,
    }
    for what, names in faults.items():
        if names:
            shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
            raise SegcoreError(
                f"Expected weights for {model.name!r}, received {source!r}, which {what} "
                f"({shown}): choose the encoder and architecture "
                "that the file was made for."
            )
    for name, array in fits.items():
        values = np.asarray(array)
        if not np.isfinite(values).all():
            raise ValueError(f"{name} holds values that are not finite")
        targets[name].assign(values)
    return WeightReport(
        source,
        tuple(n for n in targets if n in fits),
        tuple(n for n in targets if n not in fits),
        tuple(unused),
    )
