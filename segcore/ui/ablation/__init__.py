"""Parts of the Ablation page."""
