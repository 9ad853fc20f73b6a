"""Perceptual hashes of images: near-duplicates differ in few bits."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import scipy
from scipy.sparse import coo_matrix

from segcore.data.dataset.dataset import Dataset, Sample
from segcore.data.files.images import open_image, upright
from segcore.data.files.scanning import Progress, scan
from segcore.errors import SegcoreError
from segcore.whole_files import write_bytes

BITS = 64
BLOCK = 1024
Hashes = npt.NDArray[np.uint64]


def hash_image(path: Path) -> int:
    """Return the difference hash: is each cell of an 8 x 9 thumbnail darker than the next?

    After Krawetz, "Kind of like that", 2013 (dHash). The thumbnail is the mean of each cell's
    pixels; a JPEG is decoded at an eighth of its size.

    Args:
        path: The image file.

    Returns:
        64 bits.

    Raises:
        SegcoreError: The image cannot be read.
    """
    with open_image(path) as image:
        image.draft("L", (72, 64))
        turned = upright(image)
        grey = np.asarray(
            turned.convert("L") if not turned.mode.startswith("I") else turned, np.float32
        )
    return _hash(grey)


def hash_sample(dataset: Dataset, sample: Sample) -> int:
    """Return the difference hash of a sample: of its file, or of the window that it is of one.

    Of bands that keep their values what is shown is hashed.

    Raises:
        SegcoreError: The image cannot be read.
    """
    if sample.window is None and dataset.bands is None:
        return hash_image(dataset.image_path(sample))
    return _hash(cv2.cvtColor(dataset.read_image(sample), cv2.COLOR_RGB2GRAY).astype(np.float32))


def _hash(grey: npt.NDArray[np.float32]) -> int:
    cells = cv2.resize(grey, (9, 8), interpolation=cv2.INTER_AREA)
    bits = cells[:, :-1] < cells[:, 1:]
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def _hash_or_none(dataset: Dataset, sample: Sample) -> int | None:
    try:
        return hash_sample(dataset, sample)
    except SegcoreError:
        return None


def hash_images(
    dataset: Dataset, executor: Executor | None = None, progress: Progress | None = None
) -> tuple[Hashes, npt.NDArray[np.bool_]]:
    """Hash every image once; kept in ``hashes.npz``, keyed by the names of the files.

    Args:
        dataset: The dataset.
        executor: As :func:`segcore.data.files.scanning.scan`.
        progress: As :func:`segcore.data.files.scanning.scan`.

    Returns:
        (N,) uint64 in the dataset's order, and (N,) bool: whether the image could be read.
    """
    return _hash_all(dataset, dataset.samples, "hashes.npz", executor, progress)


def hash_pool(
    dataset: Dataset, executor: Executor | None = None, progress: Progress | None = None
) -> tuple[Hashes, npt.NDArray[np.bool_]]:
    """As :func:`hash_images`, for the unlabelled images; kept in ``pool-hashes.npz``."""
    return _hash_all(dataset, dataset.pool, "pool-hashes.npz", executor, progress)


def _hash_all(
    dataset: Dataset,
    samples: Sequence[Sample],
    name: str,
    executor: Executor | None,
    progress: Progress | None,
) -> tuple[Hashes, npt.NDArray[np.bool_]]:
    file = dataset.folder / name
    names = (f"{s.image} {s.window}" if s.window else s.image for s in samples)
    key = hashlib.sha256("\n".join(names).encode()).hexdigest()
    if file.is_file():
        try:
            with np.load(file, allow_pickle=False) as kept:
                if str(kept["key"]) == key:
                    return kept["hashes"], kept["readable"]
        except (OSError, ValueError, KeyError, EOFError):
            file.unlink(missing_ok=True)
    found = list(
        scan(
            partial(_hash_or_none, replace(dataset, samples=(), pool=())),
            samples,
            executor,
            progress,
            "hashing images",
        )
    )
    hashes = np.array([0 if h is None else h for h in found], np.uint64)
    readable = np.array([h is not None for h in found])
    buffer = BytesIO()
    np.savez_compressed(buffer, key=np.array(key), hashes=hashes, readable=readable)
    with suppress(
        OSError
        # kept for speed only: a folder that may be read but not written can be looked at all the
        # same
    ):
        write_bytes(file, buffer.getvalue())
    return hashes, readable


def distances(one: Hashes, other: Hashes) -> npt.NDArray[np.uint8]:
    """Count differing bits: (A,) and (B,) uint64 give (A, B) uint8, 0..64."""
    return np.bitwise_count(one[:, None] ^ other[None, :])


def near_groups(hashes: Hashes, bits: int) -> npt.NDArray[np.int64]:
    """Group images that are linked by chains of hashes a few bits apart.

    The 64 bits are cut into ``bits + 1`` bands: two hashes that differ in at most ``bits`` bits
    agree in one band at least (pigeonhole principle), so only hashes of one bucket are compared
    (Norouzi et al., Multi-Index Hashing, CVPR 2012).

    Args:
        hashes: (N,) uint64.
        bits: Largest distance of a link, 0 to 63.

    Returns:
        (N,) int64: number of each image's group, from 0.
    """
    unique, inverse = np.unique(hashes, return_inverse=True)
    edges = np.linspace(0, 64, bits + 2).astype(int)
    links = [np.empty((2, 0), np.intp)]
    for low, high in pairwise(edges.tolist()):
        keys = (unique >> np.uint64(low)) & np.uint64((1 << (high - low)) - 1)
        order = np.argsort(keys, kind="stable")
        starts = np.flatnonzero(np.diff(keys[order], prepend=keys[order[:1]] ^ np.uint64(1)))
        for start, end in pairwise([*starts.tolist(), len(order)]):
            if end - start > 1:
                links.append(_links(unique, order[start:end], bits))
    rows, columns = np.concatenate(links, axis=1)
    graph = coo_matrix((np.ones(len(rows), np.int8), (rows, columns)), (len(unique), len(unique)))
    labels = scipy.sparse.csgraph.connected_components(graph, directed=False)[1]
    return labels[inverse].astype(np.int64)


def _links(unique: Hashes, bucket: npt.NDArray[np.intp], bits: int) -> npt.NDArray[np.intp]:
    """Links (2, L) that join hashes of a bucket within ``bits`` bits: a spanning forest a block."""
    pairs = []
    for start in range(0, len(bucket), BLOCK):
        rest = bucket[start:]
        i, j = np.nonzero(distances(unique[rest[:BLOCK]], unique[rest]) <= bits)
        graph = coo_matrix((np.ones(len(i), np.int8), (i, j)), shape=(len(rest), len(rest)))
        labels = scipy.sparse.csgraph.connected_components(graph, directed=False)[1]
        first = np.unique(labels, return_index=True)[1][labels]
        joined = np.flatnonzero(first != np.arange(len(rest)))
        pairs.append(np.stack([rest[first[joined]], rest[joined]]))
    return np.concatenate(pairs, axis=1)
