"""The dataset on disk: reading, writing, tags, relabelling, the history of splits."""
