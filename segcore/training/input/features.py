"""A frozen encoder's features, computed once and kept on disk: decoders are trained on them.

They are those of images that are not augmented: every epoch, member and ablation row with the same
images, size and encoder weights reads the same files. They are kept in half precision.
"""

import hashlib
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from segcore.data.augmentation.transforms import Augmentation
from segcore.data.dataset.dataset import Sample
from segcore.data.files.masks import resize_mask
from segcore.errors import SegcoreError
from segcore.formatting import gib, plural
from segcore.models.split import SplitNetwork
from segcore.runs.folder.run_folder import replacing
from segcore.runs.machine.disk import write_json
from segcore.training.input.reader import SampleReader

FOLDER, ABOUT = "features", "about.json"
SHARE = 0.5
"""Of the free disk space that new features may take."""
UNUSED_DAYS = 14
"""Features that no run has used for so long are deleted when the next ones are made."""

Row = npt.NDArray[np.float16]


@dataclass(frozen=True)
class FeatureFolder:
    """Features of one encoder for the images of one dataset at one size, a file an image.

    Attributes:
        folder: Where they lie.
        values: Numbers of an image.
    """

    folder: Path
    values: int

    def path(self, sample: Sample) -> Path:
        """Return the file of a sample."""
        name = hashlib.blake2b(sample.id.encode(), digest_size=12).hexdigest()
        return self.folder / f"{name}.npy"

    def read(self, sample: Sample) -> Row:
        """Return a sample's features, (values,) float16.

        Raises:
            SegcoreError: They are not there, or damaged.
        """
        try:
            row = np.load(self.path(sample), allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise SegcoreError(
                f"Expected the features of {sample.id!r} in {self.folder}, which cannot be read "
                f"({error}): delete that folder and resume the run."
            ) from error
        if row.shape != (self.values,) or row.dtype != np.float16:
            raise SegcoreError(
                f"Expected {self.values} numbers of {sample.id!r} in {self.folder}, found "
                f"{row.shape}: delete that folder and resume the run."
            )
        return row


class FeatureReader(SampleReader):
    """Samples as rows of features, with their masks; nothing is augmented.

    Args:
        reader: Reads the images and masks.
        features: The features on disk.
    """

    def __init__(self, reader: SampleReader, features: FeatureFolder) -> None:
        super().__init__(
            reader.dataset,
            reader.size,
            reader.label_map,
            0,
            preprocessing=reader.preprocessing,
            bands=reader.bands,
        )
        self._features = features
        self._masks: dict[str, npt.NDArray[Any]] = {}

    def read(self, sample: Sample) -> tuple[Any, npt.NDArray[Any]]:
        """Return (features (L,) float16, mask (h, w)); do not write to them.

        Raises:
            SegcoreError: A file is gone or damaged.
        """
        mask = self._masks.get(sample.id)
        if mask is None:
            mask = resize_mask(self.read_mask(sample), self.size)
            self._masks[sample.id] = mask
        return self._features.read(sample), mask

    def training_pair(
        self, sample: Sample, draw: Augmentation | None = None
    ) -> tuple[Any, npt.NDArray[Any]]:
        """Return what :meth:`read` does: a config with cached features has no augmentation."""
        return self.read(sample)

    def blank(self) -> tuple[Any, npt.NDArray[Any]]:
        """Return features of nothing, and a mask of ignored pixels."""
        return np.zeros(self._features.values, np.float16), super().blank()[1]


def cache_features(
    workspace: Path,
    network: SplitNetwork,
    reader: SampleReader,
    samples: Sequence[Sample],
    batch_size: int,
    tell: Callable[[str], None],
    log: Callable[[str], None],
) -> FeatureFolder:
    """Compute the features of the samples that have none yet, and return where all are.

    Args:
        workspace: The workspace's folder.
        network: Encoder and decoder.
        reader: Reads the images.
        samples: Training and validation samples; a repeated one is computed once.
        batch_size: Images that are computed together.
        tell: Is told how far it is, often; raises to stop, which leaves whole files only.
        log: Is told once what will be computed and what it takes.

    Raises:
        SegcoreError: They would take more than half of the free disk, a file is damaged, or a
            feature is too large for half precision.
    """
    folder = workspace / FOLDER / _key(network, reader)
    features = FeatureFolder(folder, network.values)
    unique = list({sample.id: sample for sample in samples}.values())
    missing = [sample for sample in unique if not features.path(sample).is_file()]
    _drop_unused(workspace / FOLDER)
    folder.mkdir(parents=True, exist_ok=True)
    _check_room(folder, len(missing), network.values)
    write_json(
        folder / ABOUT,
        {"dataset": reader.dataset.name, "size": list(reader.size), "used": time.time()},
    )
    size = gib(2 * network.values * len(unique), 2)
    log(f"Features of {plural(len(unique), 'image')}: {size} on disk, {len(missing)} to compute")
    for start in range(0, len(missing), batch_size):
        batch = missing[start : start + batch_size]
        images = np.stack([reader.read(sample)[0] for sample in batch])
        for sample, row in zip(batch, _rows(network, images, batch_size), strict=True):
            with replacing(features.path(sample)) as path, open(path, "wb") as file:
                np.save(file, row)
        tell(f"Features of image {start + len(batch)} of {len(missing)}")
    return features


def _rows(network: SplitNetwork, images: npt.NDArray[Any], batch_size: int) -> list[Row]:
    """Return a row a image; a short batch is filled, so that the encoder is built once."""
    filled = np.resize(images, (batch_size, *images.shape[1:])).astype(np.float32)
    maps = keras.tree.flatten(network.encoder.predict_on_batch(filled))
    rows = []
    for number in range(len(images)):
        with np.errstate(over="ignore"):
            parts = [np.asarray(one[number], np.float32).astype(np.float16).ravel() for one in maps]
        row = np.concatenate(parts)
        if not np.isfinite(row).all():
            raise SegcoreError(
                "Expected features below 65,504, the largest number of half precision, received "
                "larger ones: train this encoder without cached features."
            )
        rows.append(row)
    return rows


def _key(network: SplitNetwork, reader: SampleReader) -> str:
    """Name what the features depend on: images, size, preprocessing, the encoder and its weights."""
    digest = hashlib.sha256()
    policy = keras.config.dtype_policy().name
    parts = (reader.dataset.name, reader.dataset.fingerprint, reader.size, reader.preprocessing)
    learned = () if reader.bands is None else (reader.bands,)
    digest.update(repr((*parts, policy, network.values, *learned)).encode())
    for variable in network.encoder.variables:
        values = np.ascontiguousarray(variable.numpy())
        digest.update(f"{variable.path.rpartition('/')[2]} {values.shape}".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()[:24]


def _check_room(folder: Path, missing: int, values: int) -> None:
    needed, free = 2 * values * missing, shutil.disk_usage(folder).free
    if needed > SHARE * free:
        raise SegcoreError(
            f"Expected features that take at most half of the free disk ({gib(free)}), need "
            f"{gib(needed)} for {plural(missing, 'image')}: choose a smaller size or an encoder "
            "with fewer maps, free some space, or train without cached features."
        )


def _drop_unused(folder: Path) -> None:
    """Delete the features that no run has used for two weeks; each use writes the note again."""
    for note in folder.glob(f"*/{ABOUT}"):
        with suppress(OSError):
            if time.time() - note.stat().st_mtime > UNUSED_DAYS * 86_400:
                shutil.rmtree(note.parent, ignore_errors=True)
