"""Two runs, a run and its CRF, recipes of an ablation: differences with intervals."""
