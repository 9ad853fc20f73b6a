"""Segscope's package: from images and masks to trusted segmentation scores.

The package is laid out in layers; ``docs/architecture.md`` draws them. Nothing of it is imported
here, so that ``import segcore`` is free: take what you need from its module.

Keras computes with TensorFlow unless ``KERAS_BACKEND`` names another engine. Where TensorFlow is
not installed, that is the engine that is.
"""

import os
from importlib.util import find_spec

__version__ = "0.1.0"

if "KERAS_BACKEND" not in os.environ and not find_spec("tensorflow"):
    for _engine in ("jax", "torch"):
        if find_spec(_engine):
            os.environ["KERAS_BACKEND"] = _engine
            break
