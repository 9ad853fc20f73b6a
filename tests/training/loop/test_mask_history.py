"""The mask history repeats the network; devices are recorded; TensorFlow reads our event files."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from segcore.errors import SegcoreError
from segcore.runs.folder.mask_history import mask_history_stage, read_mask_history
from segcore.runs.folder.usage import read_usage
from segcore.training.input.reader import SampleReader
from segcore.training.loop.mask_history import SAMPLES, MaskHistory, spread
from segcore.workspace.runs.event_file import encode_events

pytestmark = pytest.mark.tensorflow


def test_samples_are_spread_over_the_split() -> None:
    assert spread(list(range(3))) == [0, 1, 2]
    assert spread(list(range(101))) == [0, 33, 67, 100]
    assert len(spread(list(range(5)))) == SAMPLES


def test_the_masks_of_the_best_epoch_are_those_of_the_kept_network(whole, dataset) -> None:
    split, samples, epochs = read_mask_history(whole.folder)
    assert (split, len(samples), epochs) == ("validation", 4, [1, 2, 3])
    best = max(whole.metrics(), key=lambda record: record["val_mean_iou"])["epoch"]
    model = keras.models.load_model(whole.model_path)
    reader = SampleReader(dataset, whole.config.size)
    for name in samples:
        image = reader.read(dataset.sample(name))[0]
        said = np.asarray(model(image[None].astype(np.float32), training=False))[0].argmax(-1)
        np.testing.assert_array_equal(whole.read_mask(split, mask_history_stage(best), name), said)


@pytest.mark.parametrize(("at_once", "calls"), [(4, [4]), (3, [2, 2]), (1, [1, 1, 1, 1])])
def test_samples_are_shown_in_equal_calls(at_once, calls, new_run, dataset) -> None:
    """Each mask is its own sample's, however many images a call may hold."""
    run, seen = new_run(f"calls-{at_once}"), []
    reader = SampleReader(dataset, run.config.size)

    def darkest(images):
        seen.append(len(images))
        return 255.0 - images

    samples = dataset.select("validation")
    MaskHistory(run, reader, "validation", samples, at_once).keep(darkest, 1)
    assert seen == calls
    for sample in spread(samples):
        expected = reader.read(sample)[0].argmin(-1)
        mask = run.read_mask("validation", mask_history_stage(1), sample.id)
        np.testing.assert_array_equal(mask, expected)


def test_a_run_notes_how_busy_it_keeps_its_devices(whole) -> None:
    records = read_usage(whole.folder)
    assert records and all(record.process_memory > 100 << 20 for record in records)


def test_no_training_ends_over_masks_that_cannot_be_written(new_run, dataset, monkeypatch) -> None:
    run, calls = new_run("unwritable"), []

    def refuse(*_: object) -> None:
        calls.append(1)
        raise SegcoreError("The disk is full.")

    monkeypatch.setattr(type(run), "write_mask", refuse)
    history = MaskHistory(
        run, SampleReader(dataset, run.config.size), "validation", dataset.select("validation")
    )
    for epoch in (1, 2, 3):
        history.keep(lambda images: np.zeros((*images.shape[:3], 3), np.float32), epoch)
    assert len(calls) == 1


def test_tensorflow_reads_the_event_file(tmp_path) -> None:
    points = [
        (1e9 + step, step, tag, step / 3)
        for step in (1, 200, 70_000)
        for tag in ("loss/train", "class_iou/Straße")
    ]
    (tmp_path / "events.out.tfevents.1.x").write_bytes(encode_events(points, 1e9))
    events = list(tf.compat.v1.train.summary_iterator(str(tmp_path / "events.out.tfevents.1.x")))
    assert events[0].file_version == "brain.Event:2"
    read = [
        (e.wall_time, e.step, e.summary.value[0].tag, e.summary.value[0].simple_value)
        for e in events[1:]
    ]
    assert read == [
        (wall, step, tag, pytest.approx(value, rel=1e-6)) for wall, step, tag, value in points
    ]
