"""Readers of annotation tools whose shapes are drawn: one file each."""
