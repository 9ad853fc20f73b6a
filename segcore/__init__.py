"""Segscope's package: from images and masks to trusted segmentation scores.

The package is laid out in floors; ``docs/architecture.md`` draws them. Nothing is
imported here, so that ``import segcore`` is free: take what you need from its module.
"""

__version__ = "0.1.0"
