"""Metrics beyond the confusion matrix, and the report that gathers them."""
