"""What a dataset holds: pixels per class, imbalance, instances, brightness."""
