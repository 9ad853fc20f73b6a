"""The networks: encoders, decoders, layers and their weights. Needs TensorFlow."""
