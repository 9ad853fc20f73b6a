"""The training loop: optimizer, schedule, metrics, checkpoints, progress."""
