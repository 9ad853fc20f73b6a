"""A few strokes become regions: what the strokes' colours and a network say, sharpened by the dense CRF.

Every label that has strokes competes for every pixel, and so does "rest", the pixels that are left as
they are. The evidence of a label at a pixel is a product of three likelihoods:

- colour: a mixture of at most five Gaussians in CIE Lab, fitted to the label's strokes after k-means
  (the colour models of Rother, Kolmogorov, Blake: GrabCut, SIGGRAPH 2004);
- place: exp(-d / s), d the distance to the label's nearest stroke and s a twelfth of the diagonal: far
  from all of its strokes a label needs better colours. The rest has no place of its own where it was
  not stroked: it takes the mean of d over the image;
- the network's probability of the label, where an image has one; of the rest the sum of all classes
  without strokes.

The product is normalised, mixed with a uniform floor so that no colour model is certain, and refined
by :class:`segcore.postprocess.dense_crf.DenseCRF`, in which pixels under strokes are certain; they keep
their label whatever comes out.
"""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError
from segcore.postprocess.components import remove_small_components
from segcore.postprocess.dense_crf import DenseCRF
from segcore.postprocess.ensemble import resize_planes
from segcore.postprocess.parameters import CRFParameters

FloatArray = npt.NDArray[np.float32]

NOT_STROKED = -1
MAX_GAUSSIANS = 5
MAX_FITTED = 4000
"""Pixels of one label that its colours are fitted to, evenly drawn."""

MAX_PIXELS = 480 * 360
"""Larger images are filled at this size and enlarged."""

FLOOR = 0.04
"""Share of the evidence that is spread evenly over the labels."""

SPREAD = 16.0
"""Least variance of a Gaussian along each axis of Lab: strokes on a flat area have hardly any."""

SPECK = 25
"""Regions of fewer pixels go to what surrounds them."""

CRF = CRFParameters(
    spatial_weight=6.0, bilateral_width=30.0, color_width=10.0, bilateral_weight=4.0
)
"""Narrower and weaker than after a network: strokes say where a class is, not only what it looks like."""


def fill_strokes(
    image: npt.NDArray[np.uint8],
    strokes: npt.NDArray[np.integer[Any]],
    rest: npt.NDArray[np.bool_],
    probabilities: FloatArray | None = None,
) -> npt.NDArray[np.int32]:
    """Spread strokes over the image.

    Args:
        image: (H, W, 3) uint8 RGB.
        strokes: (H, W) labels 0..K-1 under strokes, :data:`NOT_STROKED` elsewhere; every label has
            at least one pixel.
        rest: (H, W) bool, pixels that look like what is to be left as it is; none where every pixel
            belongs to one of the labels.
        probabilities: (H, W, K + 1) float32, 0..1, of a network: of the labels, last of the rest;
            None without a network.

    Returns:
        (H, W) int32: labels, or :data:`NOT_STROKED` where the image is left as it is.

    Raises:
        SegcoreError: pydensecrf is missing, there are no strokes, or the arrays do not fit.
    """
    labels = int(strokes.max(initial=NOT_STROKED)) + 1
    if labels < 1 or strokes.shape != image.shape[:2] or rest.shape != strokes.shape:
        raise SegcoreError(
            f"Expected strokes on an image of {image.shape[0]} x {image.shape[1]} pixels, received "
            f"{labels} labels on {strokes.shape}: draw a stroke first."
        )
    height, width = strokes.shape
    ratio = min(1.0, (MAX_PIXELS / (height * width)) ** 0.5)
    small = (max(1, round(height * ratio)), max(1, round(width * ratio)))
    planes = _evidence(
        _resized(image, small),
        _thin(strokes, small),
        _nearest(rest, small),
        None if probabilities is None else resize_planes(_planes(probabilities), small),
    )
    if ratio < 1:
        planes = resize_planes(planes, (height, width))
    winner = remove_small_components(planes.argmax(axis=0).astype(np.int32), SPECK)
    winner[winner == labels] = NOT_STROKED
    return np.where(strokes != NOT_STROKED, strokes, winner).astype(np.int32)


def _evidence(
    image: npt.NDArray[np.uint8],
    strokes: npt.NDArray[np.integer[Any]],
    rest: npt.NDArray[np.bool_],
    network: FloatArray | None,
) -> FloatArray:
    """Marginals after the CRF, (K + 1, h, w); the plane of the rest is 0 where there is none."""
    labels = int(strokes.max()) + 1
    rest = rest & (strokes == NOT_STROKED)
    shades, shade = _shades(image)
    areas = [*(strokes == label for label in range(labels)), rest]
    present = [k for k in range(labels + 1) if areas[k].any()]
    evidence = np.stack([_log_colour(shades, shade[areas[k]])[shade] for k in present])
    reach = np.hypot(*strokes.shape) / 12
    for n, k in enumerate(present):
        distance = cv2.distanceTransform((~areas[k]).astype(np.uint8), cv2.DIST_L2, 3) / reach
        evidence[n] -= distance.mean() if k == labels else distance
    if network is not None:
        evidence += np.log(np.maximum(network[present], np.float32(1e-3)))
    evidence -= evidence.max(axis=0)
    shares = np.exp(evidence)
    shares /= shares.sum(axis=0)
    shares = (1 - FLOOR) * shares + FLOOR / len(present)
    for n, k in enumerate(present):
        if k < labels:
            shares[:, areas[k]] = np.arange(len(present))[:, None] == n
    refined = DenseCRF(CRF).refine(np.ascontiguousarray(shares.transpose(1, 2, 0)), image)
    planes = np.zeros((labels + 1, *strokes.shape), np.float32)
    planes[present] = refined.transpose(2, 0, 1)
    return planes


def _shades(
    image: npt.NDArray[np.uint8],
) -> tuple[FloatArray, npt.NDArray[np.integer[Any]]]:
    """The image's colours in steps of 8, (N, 3) in Lab, and which of them each pixel has, (h, w)."""
    steps = (image >> 3).astype(np.int32)
    codes = steps[..., 0] << 10 | steps[..., 1] << 5 | steps[..., 2]
    used = np.flatnonzero(np.bincount(codes.ravel(), minlength=1 << 15))
    place = np.zeros(1 << 15, np.int32)
    place[used] = np.arange(len(used))
    rgb = np.stack([used >> 10, used >> 5 & 31, used & 31], axis=-1).astype(np.float32)
    lab = cv2.cvtColor(((8 * rgb + 4) / 255)[None], cv2.COLOR_RGB2LAB)[0]
    return lab, place[codes]


def _log_colour(shades: FloatArray, sample: npt.NDArray[np.integer[Any]]) -> FloatArray:
    """Log-density of every shade under the mixture fitted to a sample of them, (N,)."""
    sample = sample[:: max(1, len(sample) // MAX_FITTED)]
    colours = np.ascontiguousarray(shades[sample])
    groups = min(MAX_GAUSSIANS, 1 + len(colours) // 20)
    cv2.setRNGSeed(0)  # the same strokes give the same region
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, 10, 1.0)
    fresh: Any = None  # no labels to begin with; OpenCV's stubs want some
    _, member, _ = cv2.kmeans(colours, groups, fresh, stop, 1, cv2.KMEANS_PP_CENTERS)
    total = np.full(len(shades), -np.inf, np.float32)
    for group in range(groups):
        own = colours[member[:, 0] == group]
        if not len(own):
            continue
        covariance = np.cov(own, rowvar=False, bias=True) + SPREAD * np.eye(3)
        root = np.linalg.cholesky(np.linalg.inv(covariance)).astype(np.float32)
        scaled = (shades - own.mean(axis=0)) @ root
        constant = np.log(len(own) / len(colours)) + np.log(np.diag(root)).sum()
        density = constant - 0.5 * np.einsum("ij,ij->i", scaled, scaled)
        np.logaddexp(total, density.astype(np.float32), out=total)
    return total


def _planes(probabilities: FloatArray) -> FloatArray:
    return np.ascontiguousarray(probabilities.transpose(2, 0, 1), np.float32)


def _resized(image: npt.NDArray[np.uint8], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    if image.shape[:2] == size:
        return image
    return np.asarray(cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)


def _nearest(plane: npt.NDArray[np.bool_], size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    if plane.shape == size:
        return plane
    small = cv2.resize(plane.astype(np.uint8), size[::-1], interpolation=cv2.INTER_NEAREST)
    return np.asarray(small, bool)


def _thin(
    strokes: npt.NDArray[np.integer[Any]], size: tuple[int, int]
) -> npt.NDArray[np.integer[Any]]:
    """Strokes at a smaller size; a thin one does not vanish: it takes each pixel that it touches."""
    if strokes.shape == size:
        return strokes
    out = np.full(size, NOT_STROKED, np.int32)
    rows, columns = np.nonzero(strokes != NOT_STROKED)
    at = rows * size[0] // strokes.shape[0], columns * size[1] // strokes.shape[1]
    out[at] = strokes[rows, columns]
    return out
