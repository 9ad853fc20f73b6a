"""What to label next: images without masks, ranked, sent to other tools and taken back."""
