"""Label maps: merges, tiers, retraining with merged labels, example images."""
