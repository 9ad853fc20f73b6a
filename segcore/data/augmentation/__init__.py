"""Transforms of one image and its mask: crops, geometry, photometry, corruptions."""
