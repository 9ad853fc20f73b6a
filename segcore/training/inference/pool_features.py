"""Features of whole images: the encoder's deepest maps, averaged over the image."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from segcore.data.dataset.dataset import POOL, Sample
from segcore.errors import SegcoreError
from segcore.models.build import load_network
from segcore.models.split import pooled_encoder
from segcore.runs.folder.run_folder import FEATURES, RunFolder
from segcore.runs.queue.stopping import Stopped
from segcore.training.input.reader import SampleReader, resize_image
from segcore.training.loop.progress import Progress

BATCH = 8


def write_features(
    run: RunFolder, network: Path, reader: SampleReader, samples: Sequence[Sample], tell: Progress
) -> None:
    """Store a row of features for each image that has none yet, with the unlabelled images.

    Images are resized to the network's size, also where they were predicted in tiles. A network
    without an encoder has no features, which is logged.

    Args:
        run: A prediction of unlabelled images.
        network: The saved network.
        reader: Reads the images.
        samples: The unlabelled images, and the labelled ones to compare them with.
        tell: Is told how far it is.

    Raises:
        SegcoreError: An image cannot be read.
        Stopped: The run was asked to stop.
    """
    kept = run.read_arrays(POOL, FEATURES)
    rows = {} if kept is None else dict(zip(kept["ids"].tolist(), kept["rows"], strict=True))
    missing = [sample for sample in samples if sample.id not in rows]
    if not missing:
        return
    model = load_network(network)
    try:
        encoder = pooled_encoder(model)
    except SegcoreError as error:
        tell.log(str(error))
        return
    _, height, width, _ = model.input_shape
    for start in range(0, len(missing), BATCH):
        if tell.stop_asked:
            raise Stopped
        part = missing[start : start + BATCH]
        images = np.stack([resize_image(reader.read_image(s), (height, width)) for s in part])
        filled = np.resize(images, (BATCH, *images.shape[1:])).astype(np.float32)
        answer: npt.NDArray[np.float32] = np.asarray(encoder.predict_on_batch(filled), np.float32)
        rows.update(zip([sample.id for sample in part], answer, strict=False))
        tell.say(f"Features of image {start + len(part)} of {len(missing)}")
    run.write_arrays(
        POOL,
        FEATURES,
        {"ids": np.array(list(rows), np.str_), "rows": np.stack(list(rows.values()))},
    )
