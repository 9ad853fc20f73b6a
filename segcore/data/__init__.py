"""What goes in: data sets, their statistics, balance and augmentation. No TensorFlow."""
