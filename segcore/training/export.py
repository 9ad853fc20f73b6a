"""A trained network exported for another program, checked by reading it back.

Every form takes images (B, h, w, 3) float32 RGB, 0..255, or (B, h, w, N) float32 bands in their own
units, which it normalises itself, at the size the network was trained at,
and answers with logits (B, h, w, C); the reader takes the softmax. The file is kept only if it
gives the network's own answers when read back.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from segcore.catalog import EXPORT_FORMATS, FROM_TENSORFLOW
from segcore.errors import SegcoreError, unknown
from segcore.models.build import half_precision, in_float32, load_network, normalising_of
from segcore.models.engines.engine import ENGINE
from segcore.training.optional import install_hint, require

Images = npt.NDArray[np.float32]
Logits = npt.NDArray[np.float32]

TOLERANCE = 1e-3
"""Largest difference of a probability that counts as rounding."""

CHECKED_IMAGES = 2


@dataclass(frozen=True)
class Exported:
    """A network written in another form.

    Attributes:
        path: The file or folder.
        form: A name in ``catalog.EXPORT_FORMATS``.
        difference: Largest difference of a probability from the network's own, on random images.
        reader: What read it back.
        size: (height, width) of its input.
        bytes: Size on disk.
        trained_in: "bfloat16" or "float16" where the network computes in it and the written form
            does not; "" else.
    """

    path: Path
    form: str
    difference: float
    reader: str
    size: tuple[int, int]
    bytes: int
    trained_in: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it for the shell and the pages, with a sentence for people."""
        title, (height, width) = EXPORT_FORMATS[self.form].title, self.size
        half = (
            f" Trained in {self.trained_in}, it computes in float32 there."
            if self.trained_in
            else ""
        )
        return {
            "path": str(self.path),
            "form": self.form,
            "difference": self.difference,
            "bytes": self.bytes,
            "size": [height, width],
            "sentence": f"{title} for images of {height} x {width} in {self.path}: read back by "
            f"{self.reader}, its probabilities differ from the network's by at most "
            f"{self.difference:.1e} on {CHECKED_IMAGES} random images.{half}",
        }


@dataclass(frozen=True)
class Form:
    """How one form is written and read.

    Attributes:
        suffix: Ending of the file, "" for a folder.
        write: Writes a network to a path.
        read: Reads a path and answers images.
        reader: Name of what reads.
        also: Endings of further files that are written with it.
        takes_half: Whether it holds networks that compute in half precision; others are written as
            they compute in float32.
    """

    suffix: str
    write: Callable[[keras.Model, Path], None]
    read: Callable[[Path, Images], Logits]
    reader: str
    also: tuple[str, ...] = ()
    takes_half: bool = False


def _write_keras(model: keras.Model, path: Path) -> None:
    model.save(path)


def _read_keras(path: Path, images: Images) -> Logits:
    return np.asarray(load_network(path)(images, training=False))


def _write_saved_model(model: keras.Model, path: Path) -> None:
    model.export(path, format="tf_saved_model", verbose=False)


def _read_saved_model(path: Path, images: Images) -> Logits:
    loaded = require("tensorflow").saved_model.load(path)  # the name keeps its variables alive
    return np.asarray(loaded.serve(images))


def _write_onnx(model: keras.Model, path: Path) -> None:
    require("tf2onnx")
    require("onnx")
    model.export(str(path), format="onnx", verbose=False)


def _read_onnx(path: Path, images: Images) -> Logits:
    session = require("onnxruntime").InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {session.get_inputs()[0].name: images})[0])


def _write_openvino(model: keras.Model, path: Path) -> None:
    require("openvino")
    model.export(str(path), format="openvino", verbose=False)


def _read_openvino(path: Path, images: Images) -> Logits:
    openvino = require("openvino")
    compiled = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.array(compiled([images])[0])


def _write_litert(model: keras.Model, path: Path) -> None:
    model.export(str(path), format="litert", verbose=False)


def _read_litert(path: Path, images: Images) -> Logits:
    interpreter = require("tensorflow").lite.Interpreter(str(path))
    index = interpreter.get_input_details()[0]["index"]
    answers = []
    for image in images:
        interpreter.resize_tensor_input(index, (1, *image.shape))
        interpreter.allocate_tensors()
        interpreter.set_tensor(index, image[None])
        interpreter.invoke()
        answers.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0])
    return np.stack(answers)


FORMS: dict[str, Form] = {
    "keras": Form(".keras", _write_keras, _read_keras, "Keras", takes_half=True),
    "saved_model": Form("", _write_saved_model, _read_saved_model, "TensorFlow"),
    "onnx": Form(".onnx", _write_onnx, _read_onnx, "ONNX Runtime"),
    "openvino": Form(".xml", _write_openvino, _read_openvino, "OpenVINO", (".bin",)),
    "litert": Form(".tflite", _write_litert, _read_litert, "the LiteRT interpreter"),
}
"""Every name in ``catalog.EXPORT_FORMATS``."""


def export(model_path: Path, to: str, out: Path) -> Exported:
    """Write a trained network in another form and check it against the original.

    Args:
        model_path: The saved network, ``model.keras``.
        to: A name in ``catalog.EXPORT_FORMATS``.
        out: A new file or folder; the form's ending is added if missing.

    Raises:
        SegcoreError: The form is unknown, the path exists, a package is missing, the form cannot
            hold this network, or its answers differ when read back. Nothing is left behind.
    """
    if to not in FORMS:
        raise unknown("export format", to, EXPORT_FORMATS)
    form = FORMS[to]
    if to in FROM_TENSORFLOW and ENGINE != "tensorflow":
        raise SegcoreError(
            f"Expected TensorFlow, from whose graph the form {to} is written, received "
            f"{ENGINE}: install it ({install_hint('tensorflow')}), or choose the form keras."
        )
    if form.suffix and out.suffix != form.suffix:
        out = out.with_name(out.name + form.suffix)
    if out.exists():
        raise SegcoreError(
            f"Expected a new path for the network, received {out}, which exists: choose another."
        )
    loaded = load_network(model_path)
    model = loaded if form.takes_half else in_float32(loaded)
    partial = out.with_name(f".{out.name}.partial{form.suffix}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        difference = _write_and_compare(model, to, partial)
        for suffix in form.also:
            partial.with_suffix(suffix).replace(out.with_suffix(suffix))
        partial.replace(out)
    except OSError as error:
        raise SegcoreError(
            f"The network cannot be written to {out} ({error.strerror}): choose another path."
        ) from error
    finally:
        for path in (partial, *(partial.with_suffix(suffix) for suffix in form.also)):
            _remove(path)
    return Exported(
        path=out,
        form=to,
        difference=difference,
        reader=form.reader,
        size=model.input_shape[1:3],
        bytes=_size_on_disk([out, *(out.with_suffix(suffix) for suffix in form.also)]),
        trained_in="" if model is loaded else half_precision(loaded),
    )


def _write_and_compare(model: keras.Model, to: str, path: Path) -> float:
    """Write a network in another form and read it back; return the largest difference.

    Raises:
        SegcoreError: The form cannot hold this network, or its answers differ when read back.
    """
    form = FORMS[to]
    shape = (CHECKED_IMAGES, *model.input_shape[1:])
    images = np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)
    bands = normalising_of(model)
    if bands is not None:  # as far from their means as those are from theirs
        images = (images - bands.MEAN) / bands.DEVIATION * np.asarray(bands.std) + bands.mean
        images = images.astype(np.float32)
    expected = _softmax(np.asarray(model(images, training=False)))
    try:
        form.write(model, path)
        difference = float(np.abs(_softmax(form.read(path, images)) - expected).max())
    except (SegcoreError, OSError):
        raise
    except Exception as error:  # converters raise anything
        first = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise SegcoreError(
            f"The form {to} cannot hold this network ({first}): choose another form."
        ) from error
    if not difference <= TOLERANCE:
        raise SegcoreError(
            f"Expected the network's own answers from the form {to}, received others "
            f"({difference:.1e} away): choose another form."
        )
    return difference


def _size_on_disk(paths: Sequence[Path]) -> int:
    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*"))]
    return sum(file.stat().st_size for file in files if file.is_file())


def _softmax(logits: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
