"""Datasets of a workspace and their tags."""
