"""How fast networks answer one image, measured in turn on the device on which they run."""

import os
import time
from collections.abc import Sequence

import numpy as np

from segcore.models.engines.engine import ENGINE
from segcore.runs.folder.run_folder import RunFolder
from segcore.training.engines.engine import devices
from segcore.training.inference.predictor import Predictor
from segcore.training.loop.progress import Progress
from segcore.training.strategy import configure

WARM_UP, ROUNDS = 2, 9


def note_speed(run: RunFolder, others: Sequence[RunFolder], device: str) -> None:
    """Time a network beside others, one image at a time, and write it to ``speed.json``.

    Rounds go through all networks in turn, so that whatever else keeps the machine busy slows all
    alike; the median of the rounds is kept. The image is noise at each network's own size: an
    answer takes as long whatever it shows. Decoding and resizing are left out.

    Args:
        run: The run that is written to.
        others: Other training runs with a network.
        device: As in a training config.

    Raises:
        SegcoreError: A network cannot be read, or the folder cannot be written.
    """
    with Progress(run, message="Measuring speed") as progress:
        used = devices.describe(configure(device))
        networks = {one.id: Predictor(one.model_path, 1) for one in (run, *others)}
        rng = np.random.default_rng(0)
        images = {
            name: rng.integers(0, 256, (1, *network.size, network.channels)).astype(network.dtype)
            for name, network in networks.items()
        }
        seconds: dict[str, list[float]] = {name: [] for name in networks}
        for count in range(WARM_UP + ROUNDS):
            for name, network in networks.items():
                began = time.perf_counter()
                network(images[name])
                if count >= WARM_UP:
                    seconds[name].append(time.perf_counter() - began)
        milliseconds = {name: 1000 * float(np.median(kept)) for name, kept in seconds.items()}
        progress.log(
            "One image takes "
            + ", ".join(f"{name} {value:.1f} ms" for name, value in milliseconds.items())
        )
        run.write_json(
            "speed",
            {
                "format": 1,
                "milliseconds": milliseconds,
                "device": used,
                "engine": ENGINE,
                "cores": os.cpu_count() or 1,
                "batch_size": 1,
                "rounds": ROUNDS,
            },
        )
