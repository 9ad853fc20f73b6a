"""Reports as standalone HTML pages."""
