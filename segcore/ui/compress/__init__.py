"""Parts of the Compress page."""
