"""Predictions: of runs, of own images, imported from other tools."""
