"""Parts of the Balance page."""
