"""Where a network's first weights come from, and a report of what was filled."""

from collections.abc import Callable

import keras

from segcore.errors import SegcoreError


def fetch_imagenet(encoder: str, build: Callable[[], keras.Model]) -> keras.Model:
    """Build an encoder with the ImageNet weights that Keras downloads (and keeps in ``$KERAS_HOME/models``).

    Args:
        encoder: Its name, for the message.
        build: Builds it with ``weights="imagenet"``.

    Returns:
        The encoder.

    Raises:
        SegcoreError: The weights are not in the cache and cannot be downloaded.
    """
    try:
        return build()
    except Exception as error:  # Keras raises a bare Exception here
        if "URL fetch failure" not in str(error):
            raise
        raise SegcoreError(
            f"Expected to download the ImageNet weights of {encoder!r}, received no answer from the network: choose weights 'none', "
            "give the path of a weights file, or put Keras' own file into $KERAS_HOME/models (~/.keras/models) beforehand."
        ) from error
