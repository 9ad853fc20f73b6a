"""Commands about a dataset: its import and balance, its classes, tags and edited masks."""
