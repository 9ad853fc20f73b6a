"""Which mask belongs to which image: by names, folders, and what the user says."""
