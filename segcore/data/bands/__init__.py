"""Bands that a dataset keeps with their values: which, how read, derived, normalised and shown."""
