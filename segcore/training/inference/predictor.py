"""A trained network as a function from images to probabilities."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError
from segcore.models.build import half_precision, in_float32, input_dtype, load_network
from segcore.models.engines.engine import ENGINE
from segcore.training.engines.engine import answers, devices
from segcore.training.inference.backends import Backend, check_backend, choose
from segcore.training.inference.memory import find_batch_size, give_back

Images = npt.NDArray[Any]
"""(n, h, w, 3) uint8 RGB, or (n, h, w, N) float32 of bands, as the network was trained on."""

Probabilities = npt.NDArray[np.float32]


class Predictor:
    """Loads ``model.keras`` and answers batches of one size, so that its graph is built once.

    Args:
        path: The saved network.
        batch_size: Images a call, smaller calls are filled up with blank images; 0 finds it from
            the memory.
        backend: A name in ``catalog.BACKENDS``; which one it came to is decided by the first call
            and is in ``chosen``.
        most: Upper bound of the batch size.

    Attributes:
        size: (height, width) that images must have.
        channels: How many channels they must have: 3 of pictures, or N bands.
        dtype: What they must be: "uint8", or "float32" of bands.
        num_classes: C.
        batch_size: B; halved where memory does not suffice after all.
        chosen: The backend, after the first call.

    Raises:
        SegcoreError: There is no network, or it cannot be read.
    """

    def __init__(
        self, path: Path, batch_size: int = 0, backend: str = ENGINE, most: int = 4096
    ) -> None:
        check_backend(backend)
        loaded = load_network(path)
        self.model = (
            in_float32(loaded) if backend == "openvino" else loaded
        )  # OpenVINO accepts float32 only and rounds itself
        self._note = (
            ""
            if self.model is loaded
            else f"trained in {half_precision(loaded)}, given to OpenVINO in float32"
        )
        self.backend = backend
        self.batch_size = min(batch_size or find_batch_size(self.model), most)
        _, height, width, self.channels = self.model.input_shape
        self.size: tuple[int, int] = (height, width)
        self.dtype = input_dtype(self.model)
        self.num_classes = int(self.model.output_shape[-1])
        self.chosen: Backend | None = None
        self._frozen: Any = answers.freeze(self.model, self.batch_size)
        give_back()

    def __call__(self, images: Images) -> Probabilities:
        """Return probabilities (n, h, w, C) float32 of images, any n.

        Raises:
            SegcoreError: The images have other channels than the network takes, or the backend that
                was asked for is not installed, or cannot take the network.
        """
        if images.shape[-1] != self.channels or images.dtype != self.dtype:
            raise SegcoreError(
                f"Expected images of {self.channels} channels of {self.dtype}, as the network was "
                f"trained on, received {images.shape[-1]} of {images.dtype}: give images of the "
                "same bands."
            )
        done: list[Probabilities] = []
        first = 0
        while first < len(images):
            part = images[first : first + self.batch_size]
            try:
                done.append(self._answer(part))
            except Exception as error:
                if self.batch_size == 1 or not devices.is_out_of_memory(error):
                    raise
                self.batch_size //= 2
                self.chosen = self._frozen = None
                continue
            first += len(part)
        return np.concatenate(done) if len(done) != 1 else done[0]

    def _answer(self, images: Images) -> Probabilities:
        count = len(images)
        if count < self.batch_size:
            images = np.concatenate(
                [images, np.zeros((self.batch_size - count, *images.shape[1:]), images.dtype)]
            )
        if self.chosen is None:
            frozen, self._frozen = self._frozen or answers.freeze(self.model, self.batch_size), None
            chosen = choose(
                frozen, self.backend, images, count, half_precision(self.model) or "float32"
            )
            self.chosen = replace(chosen, note="; ".join(filter(None, (chosen.note, self._note))))
            del frozen  # the chosen backend keeps the graph that it needs
            probabilities = self.chosen.answer(images)
            # rejected backends and the first call leave a gigabyte or two for
            # a large network
            give_back()
            return probabilities[:count]
        return self.chosen.answer(images)[:count]

    def stream(self, images: Iterable[Images]) -> Iterator[Probabilities]:
        """Yield the probabilities (h, w, C) of each of some images (h, w, 3), a batch at a time."""
        rest = iter(images)
        while batch := list(islice(rest, self.batch_size)):
            yield from self(np.stack(batch))
