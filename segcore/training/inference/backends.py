"""Backends that compute a trained network's probabilities: the engine, or OpenVINO on a CPU.

A network is frozen by its engine: images (B, h, w, 3) uint8, or (B, h, w, N) float32 bands, to probabilities (B, h, w, C) float32.
A faster backend may change probabilities a little, so each is compared with the engine's own answer
on the first images before it is used.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.catalog import BACKENDS
from segcore.errors import SegcoreError, unknown
from segcore.models.engines.engine import ENGINE
from segcore.training.engines.engine import answers, devices

Images = npt.NDArray[Any]
Probabilities = npt.NDArray[np.float32]
Answer = Callable[[Images], Probabilities]

AGREEMENT = 0.999
"""Share of the pixels that must keep the engine's class for another backend to be chosen."""


@dataclass(frozen=True)
class Backend:
    """A chosen backend.

    Attributes:
        name: The engine or "openvino".
        precision: "float32", "bfloat16", or "bfloat16 from stride 8 on"; what the network itself
            was saved with, where the engine computes all of it.
        agreement: Share of the pixels of the first images with the engine's class, 0..1; None where
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
            text += (
                f" ({100 * self.agreement:.2f} % of the first images' pixels as in {devices.TITLE})"
            )
        return f"{text}; {self.note}" if self.note else text

    def to_json(self) -> dict[str, Any]:
        """Return what a run records about it."""
        return {
            "name": self.name,
            "precision": self.precision,
            "agreement": self.agreement,
            "note": self.note,
        }


def choose(
    frozen: Any, wanted: str, images: Images, count: int, precision: str = "float32"
) -> Backend:
    """Choose the backend.

    "auto" chooses, on a CPU that has bfloat16, the first of these that gives at least
    :data:`AGREEMENT` of the pixels of ``images`` TensorFlow's class: OpenVINO in bfloat16 where it
    is installed; TensorFlow with the layers from stride 4, 8, 16 on in bfloat16, where the network
    is large enough for that to pay; else TensorFlow, whose frozen graph was measured to be no
    slower than OpenVINO in float32. "openvino" falls back to OpenVINO in float32 instead. Where
    another engine computes, it computes all of it.

    Args:
        frozen: From the engine's ``freeze``.
        wanted: A name in ``catalog.BACKENDS``.
        images: (B, h, w, 3) uint8, the first images to predict.
        count: How many of the B are real; the rest are blank.
        precision: What the network itself computes in; one that computes in half precision already
            is left as it is.

    Raises:
        SegcoreError: The name is unknown, another engine was asked for than the one that computes
            here, or OpenVINO was asked for and is not installed or cannot take the network.
    """
    check_backend(wanted)
    plain = answers.plain(frozen)
    if wanted == ENGINE or (wanted == "auto" and (devices.on_gpu() or precision != "float32")):
        return Backend(ENGINE, precision, None, "", plain)
    notes = []
    expected: Any = None
    for name, kind, build in answers.candidates(frozen, wanted):
        if expected is None:
            expected = plain(images)[:count].argmax(-1)
        try:
            answer = build()
            agreement = float(np.mean(answer(images)[:count].argmax(-1) == expected))
        except (SegcoreError, *answers.ERRORS) as error:
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
            f"pixels {devices.TITLE}'s class"
        )
    notes.append(answers.note())
    return Backend(ENGINE, precision, None, "; ".join(filter(None, notes)), plain)


def check_backend(wanted: str) -> None:
    """Refuse a backend that this process cannot give.

    Raises:
        SegcoreError: The name is unknown, or it needs another engine than the one that computes
            here.
    """
    if wanted not in BACKENDS:
        raise unknown("backend", wanted, BACKENDS)
    needed = "tensorflow" if wanted == "openvino" else wanted
    if wanted != "auto" and needed != ENGINE:
        title = BACKENDS[wanted].title
        needs = f"{title}, which starts from TensorFlow's graph," if needed != wanted else title
        raise SegcoreError(
            f"Expected a backend that {devices.TITLE} can give, received {needs}: choose auto or "
            f"{ENGINE}, or set KERAS_BACKEND={needed} before Keras is imported."
        )


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:160]
