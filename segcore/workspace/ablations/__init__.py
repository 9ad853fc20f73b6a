"""Ablations: recipes that differ from a base in one thing, their runs and results."""
