"""What goes in: datasets, their statistics, balance and augmentation. No TensorFlow."""
