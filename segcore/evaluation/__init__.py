"""How good a prediction is, how sure that is, and what merging labels would change: from counts."""
