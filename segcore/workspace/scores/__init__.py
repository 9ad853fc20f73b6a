"""Scores of runs: reports, rankings, pixel metrics, robustness, scenes."""
