"""Ensembles of runs, and the CRF on them."""
