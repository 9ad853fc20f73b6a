"""Networks over other channels than red, green and blue: their scaling, and pretrained stems.

Pretrained weights are of three channels. For N channels each kernel that reads the image is inflated:

    W'[n] = (3 / N) mean_c W[c],   and (3 / N) W[c] for a band named red, green or blue

where all three are among the bands. The mean over the input channels, repeated, is Wang et al.:
Temporal Segment Networks, ECCV 2016, section 3.2 (cross-modality initialisation); the factor 3 / N
keeps the size of the response, as in Wightman's timm (``adapt_input_conv``). So N equal channels
give what three equal channels gave.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from segcore.data.bands.learned import LearnedBands
from segcore.models.encoders.recipe import Scaling
from segcore.models.weights.weights import WeightReport, variables_of

FloatArray = npt.NDArray[np.floating[Any]]
Places = tuple[int, int, int]
"""Positions of red, green and blue among the channels."""


def widen(scaling: Scaling, channels: int) -> Scaling:
    """Return a scaling for so many channels: the mean over the three of means and of divisors."""
    mean, std, _ = scaling
    return (
        (float(np.mean(mean)),) * channels,
        (float(np.mean(std)),) * channels,
        False,
    )


def inflate(kernel: FloatArray, channels: int, rgb: Places | None, bgr: bool) -> FloatArray:
    """Return a kernel for so many channels, by the formula above.

    Args:
        kernel: (h, w, 3, filters).
        channels: N.
        rgb: Where red, green and blue are among the N; None for the mean everywhere.
        bgr: Whether the kernel's channels are blue, green, red.

    Returns:
        (h, w, N, filters) of the same dtype.
    """
    wide = np.repeat(kernel.mean(axis=2, keepdims=True), channels, axis=2)
    if rgb is not None:
        wide[:, :, list(rgb)] = kernel[:, :, ::-1] if bgr else kernel
    return (wide * (3 / channels)).astype(kernel.dtype)


def transfer(
    source: keras.Model,
    target: keras.Model,
    filled: Sequence[str],
    rgb: Places | None,
    bgr: bool,
) -> tuple[list[str], list[str]]:
    """Give a network over N channels the weights of the same network over three.

    Args:
        source: The network over three channels.
        target: The same architecture over N.
        filled: Names of the source's variables that are worth transferring.
        rgb: As in :func:`inflate`.
        bgr: Whether the encoder reads blue, green, red; decoders read red first.

    Returns:
        Names of the target's variables that have their values now, and of those among them that
        were inflated; a decoder's kernel that joins the image with other maps stays at random.
    """
    wanted, done, inflated = set(filled), [], []
    spread = _spread_of(source)
    pairs = zip(variables_of(source).items(), variables_of(target).items(), strict=True)
    for (old, given), (new, variable) in pairs:
        if old not in wanted:
            continue
        values, shape = np.asarray(keras.ops.convert_to_numpy(given)), tuple(variable.shape)
        if values.shape == shape:
            variable.assign(values)
        elif values.shape == (3,) and len(shape) == 1:
            variable.assign(np.full(shape, values.mean(), values.dtype))
        elif values.ndim == 4 and values.shape[2] == 3:
            decoder = new.startswith(("decoder", "logits"))
            scaled = values if decoder else values * spread[:, None]
            variable.assign(inflate(scaled, shape[2], rgb, bgr and not decoder))
            inflated.append(new)
        else:
            continue
        done.append(new)
    for layer in target._flatten_layers(include_self=False):
        if isinstance(layer, keras.layers.Normalization) and layer.input_mean is None:
            layer.finalize_state()  # it computes with a copy of its mean and variance
    return done, inflated


def stem_sentence(report: WeightReport, bands: LearnedBands) -> str:
    """Say how the kernels that read the image began, for a run's log."""
    channels = len(bands.mean)
    if not report.inflated:
        return (
            "The kernels that read them start at random."
            if report.source == "none"
            else f"The weights from {report.source} are of {channels} channels."
        )
    own = ", those of red, green and blue stay" if bands.bands.rgb is not None else ""
    return (
        f"The kernels that read them were inflated from three channels to {channels}: their mean "
        f"in each{own}, times 3 / {channels}."
    )


def _spread_of(source: keras.Model) -> FloatArray:
    """Return what an encoder multiplies each channel with by itself, (3,); ones for nothing."""
    spread = np.ones(3)
    for layer in source._flatten_layers(include_self=False):
        if isinstance(layer, keras.layers.Rescaling) and np.shape(layer.scale) == (3,):
            spread = spread * np.asarray(layer.scale)
    return spread
