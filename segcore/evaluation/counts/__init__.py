"""Confusion counts and what is computed from them alone: scores, bootstrap, fixed and broken pixels."""
