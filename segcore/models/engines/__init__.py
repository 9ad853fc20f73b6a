"""What each engine computes in its own way; everything else is written once, on ``keras.ops``."""
