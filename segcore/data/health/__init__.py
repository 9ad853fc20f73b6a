"""Dataset health: empty masks, leaks between splits, near-duplicates, video sequences."""
