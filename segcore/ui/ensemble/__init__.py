"""Parts of the Ensemble page."""
