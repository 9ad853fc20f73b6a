"""Bands of rasters that keep their values at import."""
