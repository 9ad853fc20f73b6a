"""Backends that compute a trained network's probabilities: TensorFlow, or OpenVINO on a CPU.

Both start from one frozen graph: images (B, h, w, 3) uint8 to probabilities (B, h, w, C) float32,
weights as constants, so that batch normalisation folds into the convolutions. Where the processor
has bfloat16, OpenVINO computes all of it so, TensorFlow the coarse layers only (``bfloat16.py``).
Either is faster and changes probabilities a little, so each is compared with TensorFlow's
float32 on the first images before it is used.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from segcore.catalog import BACKENDS
from segcore.errors import SegcoreError, unknown
from segcore.training.inference.bfloat16 import (
    STRIDES,
    WORTH,
    has_bfloat16,
    operations,
    round_coarse,
)
from segcore.training.optional import is_installed, require
from segcore.training.strategy import on_gpu, rewrite_graphs

Images = npt.NDArray[np.uint8]
Probabilities = npt.NDArray[np.float32]
Answer = Callable[[Images], Probabilities]

AGREEMENT = 0.999
"""Share of the pixels that must keep TensorFlow's class for another backend to be chosen."""


@dataclass(frozen=True)
class Backend:
    """A chosen backend.

    Attributes:
        name: "tensorflow" or "openvino".
        precision: "float32", "bfloat16", or "bfloat16 from stride 8 on"; what the network itself
            was saved with, where TensorFlow computes all of it.
        agreement: Share of the pixels of the first images with TensorFlow's class, 0..1; None where
            nothing was compared.
        note: Why another backend was not chosen, or "".
        answer: The function.
    """

    name: str
    precision: str
    agreement: float | None
    note: str
    answer: Answer

    @property
    def title(self) -> str:
        """Backend and precision: "OpenVINO in bfloat16"."""
        return f"{BACKENDS[self.name].title} in {self.precision}"

    def describe(self) -> str:
        """Return a sentence: "OpenVINO in bfloat16 (99.98 % of the first images' pixels ...)"."""
        text = self.title
        if self.agreement is not None:
            text += f" ({100 * self.agreement:.2f} % of the first images' pixels as in TensorFlow)"
        return f"{text}; {self.note}" if self.note else text

    def to_json(self) -> dict[str, Any]:
        """Return what a run records about it."""
        return {
            "name": self.name,
            "precision": self.precision,
            "agreement": self.agreement,
            "note": self.note,
        }


def freeze(model: keras.Model, batch_size: int) -> Any:
    """Trace a network with its softmax once, for one batch size, with the weights as constants.

    Args:
        model: (B, h, w, 3) float32 0..255 to logits (B, h, w, C); h and w fixed.
        batch_size: B.

    Returns:
        A concrete function of (B, h, w, 3) uint8.
    """
    rewrite_graphs(True)

    @partial(tf.function, autograph=False)
    def answer(images: Any) -> Any:
        logits = model(tf.cast(images, tf.float32), training=False)
        return tf.nn.softmax(tf.cast(logits, tf.float32))

    _, height, width, _ = model.input_shape
    return convert_variables_to_constants_v2(
        answer.get_concrete_function(tf.TensorSpec((batch_size, height, width, 3), tf.uint8))
    )


def tensorflow_answer(frozen: Any) -> Answer:
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
        raise SegcoreError(
            f"OpenVINO cannot take this network ({_first_line(error)}): choose the backend "
            "tensorflow."
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


def choose(
    frozen: Any, wanted: str, images: Images, count: int, precision: str = "float32"
) -> Backend:
    """Choose the backend.

    "auto" chooses, on a CPU that has bfloat16, the first of these that gives at least
    :data:`AGREEMENT` of the pixels of ``images`` TensorFlow's class: OpenVINO in bfloat16 where it
    is installed; TensorFlow with the layers from stride 4, 8, 16 on in bfloat16, where the network
    is large enough for that to pay; else TensorFlow, whose frozen graph was measured to be no
    slower than OpenVINO in float32. "openvino" falls back to OpenVINO in float32 instead.

    Args:
        frozen: From :func:`freeze`.
        wanted: A name in ``catalog.BACKENDS``.
        images: (B, h, w, 3) uint8, the first images to predict.
        count: How many of the B are real; the rest are blank.
        precision: What the network itself computes in; one that computes in half precision already
            is left as it is.

    Raises:
        SegcoreError: The name is unknown, or OpenVINO was asked for and is not installed or cannot
            take the network.
    """
    if wanted not in BACKENDS:
        raise unknown("backend", wanted, BACKENDS)
    plain = tensorflow_answer(frozen)
    if wanted == "tensorflow" or (wanted == "auto" and (on_gpu() or precision != "float32")):
        return Backend("tensorflow", precision, None, "", plain)
    notes = []
    expected = plain(images)[:count].argmax(-1)
    for name, kind, build in _candidates(frozen, wanted):
        try:
            answer = build()
            agreement = float(np.mean(answer(images)[:count].argmax(-1) == expected))
        except (SegcoreError, RuntimeError, tf.errors.OpError) as error:
            if kind == "float32":
                raise SegcoreError(_first_line(error)) from error
            notes.append(f"{BACKENDS[name].title} in {kind} failed ({_first_line(error)})")
            continue
        if agreement >= AGREEMENT or kind == "float32":
            return Backend(
                name, kind, agreement, "; ".join(notes) if kind != "float32" else "", answer
            )
        notes.append(
            f"{BACKENDS[name].title} in {kind} gave only {100 * agreement:.2f} % of the "
            "pixels TensorFlow's class"
        )
    if not is_installed("openvino"):
        notes.append("OpenVINO, which is faster on a CPU, is not installed")
    return Backend("tensorflow", precision, None, "; ".join(notes), plain)


def _candidates(frozen: Any, wanted: str) -> Iterator[tuple[str, str, Callable[[], Answer]]]:
    """Name, precision and builder of each way worth trying, the fastest first."""
    half = has_bfloat16()
    if half and (wanted == "openvino" or is_installed("openvino")):
        yield "openvino", "bfloat16", partial(openvino_answer, frozen, "bfloat16")
    if wanted == "openvino":
        yield "openvino", "float32", partial(openvino_answer, frozen, "float32")
    elif half and operations(frozen) >= WORTH:
        for stride in STRIDES:
            rounded = round_coarse(frozen, stride)
            if rounded is not None:
                yield (
                    "tensorflow",
                    f"bfloat16 from stride {stride} on",
                    partial(tensorflow_answer, rounded),
                )


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:160]
