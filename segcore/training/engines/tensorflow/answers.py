"""Frozen graphs, run by TensorFlow or by OpenVINO on a CPU.

Both start from one frozen graph: images (B, h, w, 3) uint8 to probabilities (B, h, w, C) float32,
weights as constants, so that batch normalisation folds into the convolutions. Where the processor
has bfloat16, OpenVINO computes all of it so, TensorFlow the coarse layers only (``bfloat16.py``).
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from segcore.errors import SegcoreError
from segcore.models.build import input_dtype
from segcore.runs.machine.processor import has_bfloat16
from segcore.training.engines.tensorflow.bfloat16 import (
    STRIDES,
    WORTH,
    operations,
    round_coarse,
)
from segcore.training.engines.tensorflow.devices import rewrite_graphs
from segcore.training.optional import is_installed, require

Images = npt.NDArray[np.uint8]
Probabilities = npt.NDArray[np.float32]
Answer = Callable[[Images], Probabilities]

ERRORS = (RuntimeError, tf.errors.OpError)
"""What a backend may raise that cannot take a network."""


def freeze(model: keras.Model, batch_size: int) -> Any:
    """Trace a network with its softmax once, for one batch size, with the weights as constants.

    Args:
        model: (B, h, w, 3) float32 0..255 to logits (B, h, w, C); h and w fixed.
        batch_size: B.

    Returns:
        A concrete function of (B, h, w, 3) uint8, or (B, h, w, N) float32 of bands.
    """
    rewrite_graphs(True)

    @partial(tf.function, autograph=False)
    def answer(images: Any) -> Any:
        logits = model(tf.cast(images, tf.float32), training=False)
        return tf.nn.softmax(tf.cast(logits, tf.float32))

    spec = tf.TensorSpec((batch_size, *model.input_shape[1:]), input_dtype(model))
    return convert_variables_to_constants_v2(answer.get_concrete_function(spec))


def plain(frozen: Any) -> Answer:
    """Return a frozen graph as a function of arrays, run by TensorFlow."""

    def answer(images: Images) -> Probabilities:
        probabilities: Probabilities = frozen(tf.constant(images))[0].numpy()
        return probabilities

    return answer


def openvino_answer(frozen: Any, precision: str = "float32") -> Answer:
    """Return a frozen graph as a function of arrays, run by OpenVINO on the CPU.

    Args:
        frozen: From :func:`freeze`.
        precision: "float32" or "bfloat16".

    Raises:
        SegcoreError: OpenVINO is not installed, or cannot take this network.
    """
    openvino = require("openvino")
    hint = {"float32": "f32", "bfloat16": "bf16"}[precision]
    try:
        converted = openvino.convert_model(_graph(frozen))
        compiled = openvino.Core().compile_model(
            converted, "CPU", {"INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "LATENCY"}
        )
    except Exception as error:  # its converter raises anything
        first = (str(error).strip() or type(error).__name__).splitlines()[0][:160]
        raise SegcoreError(
            f"OpenVINO cannot take this network ({first}): choose the backend tensorflow."
        ) from error

    def answer(images: Images) -> Probabilities:
        return np.array(compiled([images], share_inputs=True)[0], np.float32)

    return answer


def _graph(frozen: Any) -> Any:
    """The graph of a frozen function, its one output left as it is and no name of it lost."""
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(frozen.graph.as_graph_def(), name="")
    return graph


def candidates(frozen: Any, wanted: str) -> Iterator[tuple[str, str, Callable[[], Answer]]]:
    """Yield name, precision and builder of each backend worth trying, the fastest first."""
    half = has_bfloat16()
    if half and (wanted == "openvino" or is_installed("openvino")):
        yield "openvino", "bfloat16", partial(openvino_answer, frozen, "bfloat16")
    if wanted == "openvino":
        yield "openvino", "float32", partial(openvino_answer, frozen, "float32")
    elif half and operations(frozen) >= WORTH:
        for stride in STRIDES:
            rounded = round_coarse(frozen, stride)
            if rounded is not None:
                yield "tensorflow", f"bfloat16 from stride {stride} on", partial(plain, rounded)


def note() -> str:
    """Say which faster backend is not there; "" where none is missing."""
    return (
        "" if is_installed("openvino") else "OpenVINO, which is faster on a CPU, is not installed"
    )
