"""The background process of a search: ``python -m segcore.tuning RUN_FOLDER``.

It trains nothing. It asks Optuna for settings, hands each to the queue as a training run of its
own, reads their epochs, ends the poor ones, and writes what it knows to ``study.json``, which is
all that pages read. So it needs no device and no TensorFlow, every trial is an ordinary run with
its curves and weights, and the app never waits for a database.
"""
