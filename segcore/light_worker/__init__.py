"""The background process that needs no network.

``python -m segcore.light_worker RUN_FOLDER`` carries out an evaluate run; ``python -m
segcore.light_worker --serve`` answers the app's small questions (one CRF for one slider move). It
never imports TensorFlow.
"""
