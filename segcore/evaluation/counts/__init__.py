"""Confusion counts and what follows from them alone: scores, intervals, fixed and broken pixels."""
