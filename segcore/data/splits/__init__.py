"""Train, validation and test: making splits and folds, measuring the shift between them."""
