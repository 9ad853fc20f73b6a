"""What a run has done so far, kept for the next attempt: arrays with the text that says what they were made of."""

import zipfile
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from segcore.runs.folder.run_folder import RunFolder, replacing

Arrays = dict[str, npt.NDArray[np.int64]]


def save_partial(run: RunFolder, key: str, arrays: Mapping[str, npt.NDArray[np.int64]]) -> None:
    """Write arrays into the run's folder of checkpoints; ``key`` says what they were made of.

    Raises:
        SegcoreError: The folder cannot be written.
    """
    with replacing(run.checkpoints / "partial.npz") as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, key=np.array(key), **arrays)


def load_partial(run: RunFolder, key: str) -> Arrays:
    """Return what :func:`save_partial` wrote under the same key; nothing where it is absent, damaged, or made of something else."""
    try:
        with np.load(run.checkpoints / "partial.npz", allow_pickle=False) as stored:
            if str(stored["key"]) != key:
                return {}
            return {name: stored[name] for name in stored.files if name != "key"}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return {}


def clear_partial(run: RunFolder) -> None:
    """Forget what was kept."""
    (run.checkpoints / "partial.npz").unlink(missing_ok=True)
