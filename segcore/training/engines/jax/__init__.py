"""JAX: compiled steps without side effects, whose old buffers are reused for the new values."""
