"""How good a prediction is, how sure we are, and what merging labels would change: counts first, all else derived."""
