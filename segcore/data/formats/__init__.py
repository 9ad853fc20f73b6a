"""Formats of other tools: importers, exporters, folders of masks, predictions made elsewhere."""
