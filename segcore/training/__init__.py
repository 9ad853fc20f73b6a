"""How networks learn and predict; needs TensorFlow, runs in workers and notebooks."""
