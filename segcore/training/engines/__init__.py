"""What each engine does in its own way in training and prediction, a folder an engine."""
