"""The fully connected CRF over a whole image: probabilities in, sharper probabilities out.

Energy of a labelling x (Kraehenbuehl, Koltun: Efficient inference in fully connected CRFs with
Gaussian edge potentials, NIPS 2011):

    E(x) = sum_i -log p_i(x_i) / T + sum_{i<j} [x_i != x_j] k(f_i, f_j)
    k(f_i, f_j) = w1 exp(-|s_i - s_j|^2 / (2 theta_alpha^2) - |I_i - I_j|^2 / (2 theta_beta^2))
                + w2 exp(-|s_i - s_j|^2 / (2 theta_gamma^2))

with s the position in pixels and I the colour (0..255). Inference is mean field; every step filters
the class maps by both kernels on a permutohedral lattice, so its cost is linear in pixels, classes
and iterations. pydensecrf does the filtering, with each kernel normalised symmetrically (divided by
the square roots of both ends' sums), a departure from the formula above that makes the weights
independent of the image's size. It holds the interpreter's lock: call it in a worker process only.
"""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError
from segcore.installing import extra_command
from segcore.postprocess.ensemble import resize_planes
from segcore.postprocess.parameters import CRFParameters

try:
    from pydensecrf import densecrf
except ImportError:  # no wheels exist; the rest of Segscope works without it
    densecrf = None

FloatArray = npt.NDArray[np.float32]

MIN_PROBABILITY = 1e-5
"""Floor of probabilities before the logarithm. A class at 0 would cost infinite energy, and a
saturated softmax could then never be overruled by its neighbours; 1e-5 bounds the cost at 11.5
nats, about what both default kernels together (weights 3 + 10) can outvote.
"""


def is_available() -> bool:
    """Return whether pydensecrf is installed, so that :meth:`DenseCRF.refine` can run."""
    return densecrf is not None


def require_available() -> None:
    """Do nothing where pydensecrf is installed.

    Raises:
        SegcoreError: It is missing; the sentence says how to install it.
    """
    if densecrf is None:
        raise SegcoreError(
            "Expected the package pydensecrf for the dense CRF, received none: install a "
            "C++ compiler and the Python headers "
            "(Debian: apt-get install g++ python3-dev), then "
            f"{extra_command('crf')} (Python 3.11 or 3.12), or continue without CRF."
        )


def kept_classes(highest: FloatArray, drop_below: float) -> npt.NDArray[np.int64]:
    """Return the classes that reach ``drop_below`` somewhere, and the most probable one.

    Args:
        highest: (C,) each class's largest probability in the image, 0..1.
        drop_below: Least probability that a class must reach at one pixel, 0..1.

    Returns:
        (K,) int64, ascending, 1 <= K <= C.
    """
    return np.flatnonzero((highest >= drop_below) | (np.arange(highest.size) == highest.argmax()))


class DenseCRF:
    """Mean-field inference in the fully connected CRF of this module's docstring.

    Attributes:
        parameters: What was asked for.
    """

    def __init__(self, parameters: CRFParameters | None = None) -> None:
        """Keep the parameters; None takes the defaults."""
        self.parameters = parameters or CRFParameters()

    def refine(self, probabilities: FloatArray, image: npt.NDArray[np.uint8]) -> FloatArray:
        """Return the mean-field marginals.

        Args:
            probabilities: (H, W, C) float32, 0..1, each pixel's row sums to 1.
            image: (H, W, 3) uint8, the raw picture at the probabilities' size.

        Returns:
            (H, W, C) float32, 0..1, each pixel's row sums to 1.

        Raises:
            SegcoreError: pydensecrf is missing, or the arrays do not fit each other.
        """
        require_available()
        _check(probabilities, image)
        return _rows(
            _refine(_planes(probabilities), image, self.parameters.for_size(*image.shape[:2]))
        )

    def preview(self, probabilities: FloatArray, image: npt.NDArray[np.uint8]) -> FloatArray:
        """Return an approximation of :meth:`refine` in a quarter of its time, for previews.

        Image and probabilities are averaged to half the size, refined there with half the widths,
        and the marginals are enlarged bilinearly.

        Args:
            probabilities: (H, W, C) float32, 0..1, each pixel's row sums to 1.
            image: (H, W, 3) uint8.

        Returns:
            (H, W, C) float32, 0..1, each pixel's row sums to 1.

        Raises:
            SegcoreError: As :meth:`refine`.
        """
        require_available()
        _check(probabilities, image)
        height, width = image.shape[:2]
        half = (max(1, (height + 1) // 2), max(1, (width + 1) // 2))
        smaller = np.asarray(cv2.resize(image, half[::-1], interpolation=cv2.INTER_AREA), np.uint8)
        refined = _refine(
            resize_planes(_planes(probabilities), half),
            smaller,
            self.parameters.for_size(height, width).scaled(0.5),
        )
        return _rows(resize_planes(refined, (height, width)))


def _planes(probabilities: FloatArray) -> FloatArray:
    return np.ascontiguousarray(probabilities.transpose(2, 0, 1), np.float32)


def _rows(planes: FloatArray) -> FloatArray:
    """(C, H, W) to (H, W, C), each pixel's row summing to 1."""
    planes /= planes.sum(axis=0)
    return np.ascontiguousarray(planes.transpose(1, 2, 0))


def _check(probabilities: npt.NDArray[Any], image: npt.NDArray[Any]) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise SegcoreError(
            "Expected an image (height, width, 3) of uint8 for the CRF, received "
            f"{image.shape} {image.dtype}: pass the raw RGB picture."
        )
    if probabilities.ndim != 3 or probabilities.shape[:2] != image.shape[:2]:
        raise SegcoreError(
            f"Expected probabilities of the image's size {image.shape[:2]}, received "
            f"{probabilities.shape}: resize them to the image first."
        )
    low, high = float(probabilities.min()), float(probabilities.max())
    if not (low >= 0 and high <= 1.001):  # also false for NaN
        raise SegcoreError(
            f"Expected probabilities in 0..1, received values from {low:g} to {high:g}: "
            "take the softmax of the logits."
        )


def _refine(
    planes: FloatArray, image: npt.NDArray[np.uint8], parameters: CRFParameters
) -> FloatArray:
    """Marginals of the kept classes and zeros for the others; (C, H, W) in and out."""
    kept = kept_classes(planes.max(axis=(1, 2)), parameters.drop_below)
    if len(kept) == len(planes):
        return _infer(planes, image, parameters)
    refined = np.zeros(planes.shape, np.float32)
    refined[kept] = _infer(planes[kept], image, parameters)
    return refined


def _infer(
    planes: FloatArray, image: npt.NDArray[np.uint8], parameters: CRFParameters
) -> FloatArray:
    num_classes, height, width = planes.shape
    if num_classes == 1:
        return np.ones(planes.shape, np.float32)
    # pydensecrf reads raw memory: class-major, C-contiguous and writable, also where the caller's
    # arrays are not
    unary = np.maximum(planes, np.float32(MIN_PROBABILITY))
    np.log(unary, out=unary)
    unary *= np.float32(-1.0 / parameters.temperature)
    crf = densecrf.DenseCRF2D(width, height, num_classes)
    crf.setUnaryEnergy(unary.reshape(num_classes, -1))
    if parameters.spatial_weight > 0:
        crf.addPairwiseGaussian(sxy=parameters.spatial_width, compat=parameters.spatial_weight)
    if parameters.bilateral_weight > 0:
        crf.addPairwiseBilateral(
            sxy=parameters.bilateral_width,
            srgb=parameters.color_width,
            rgbim=np.array(image, np.uint8, order="C"),
            compat=parameters.bilateral_weight,
        )
    return np.array(crf.inference(int(parameters.iterations)), np.float32).reshape(planes.shape)
