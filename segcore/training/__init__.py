"""Training and prediction; needs TensorFlow, runs in workers and notebooks."""
