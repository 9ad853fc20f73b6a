"""What is done to probabilities after the network: ensembles, the dense CRF, component filters."""
