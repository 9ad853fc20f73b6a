"""PyTorch: eager steps on one device."""
