"""What the codes in masks mean: declared or found classes, void, strays, palettes."""
