"""The input pipeline: from samples on disk to batches."""
