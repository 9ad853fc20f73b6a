"""Spare Streamlit's garbage collection, which follows every run of a script, what was imported.

Streamlit calls ``gc.collect`` after each run. It then looks through two hundred thousand objects of
imported modules, which stay to the end: .11 s of every press on a two-core machine. Frozen, they
cost nothing.
"""

import gc
import sys

NEW_MODULES = 20
"""So many modules must be new before it is worth freezing again: a page imports its own when first opened."""

_frozen = 0


def spare_imports() -> None:
    """Freeze what lives, once after each page's first run. Garbage is collected before, so it is not kept."""
    global _frozen
    if len(sys.modules) < _frozen + NEW_MODULES:
        return
    _frozen = len(sys.modules)
    gc.collect()
    gc.freeze()
