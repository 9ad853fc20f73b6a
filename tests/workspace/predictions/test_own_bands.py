"""Own rasters and networks over bands: what is read, what is shown, who may answer together."""

import numpy as np
import pytest

from segcore.data.bands.learned import NAME, LearnedBands
from segcore.data.dataset.dataset import Dataset
from segcore.data.files.images import encode_png
from segcore.data.formats.importers import ImportRules, import_dataset, parse_bands
from segcore.errors import SegcoreError
from segcore.workspace.predictions.batches import Batches
from tests.data.bands.band_rasters import NAMES, make_dataset, planted, write_bands

SIZE = (12, 16)
KINDS = {"uint8": 255, "uint16": 60_000, "int16": 30_000, "float32": 1.0}


def learned_of(dataset):
    count = len(dataset.bands.channels)
    return LearnedBands(dataset.bands, (3000.0,) * count, (900.0,) * count)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [1, 3, 5])
def test_both_ways_in_give_the_same_values(kind, count, tmp_path):
    """Also of one or three bands of bytes, which are pictures to everybody else."""
    rng = np.random.default_rng(0)
    names = ",".join(f"{name}={n}" for n, name in enumerate(NAMES[:count], 1))
    for part, number in (("train", 0), ("train", 1), ("test", 2)):
        values = (rng.random((count, *SIZE)) * KINDS[kind]).astype(kind)
        values[:, 0, 0], values[0, 3, 3] = 7, 7
        write_bands(tmp_path / "in" / part / "images" / f"t{number}.tif", values, nodata=7)
        mask = tmp_path / "in" / part / "masks" / f"t{number}.png"
        mask.parent.mkdir(parents=True, exist_ok=True)
        mask.write_bytes(encode_png(planted(number, SIZE)[1]))
    import_dataset(
        tmp_path / "in", tmp_path / "set", "set", rules=ImportRules(bands=parse_bands(names))
    )
    dataset, batches = Dataset.open(tmp_path / "set"), Batches(tmp_path / "predictions")
    batch = batches.accept_folder(tmp_path / "in" / "test" / "images")
    sample = next(s for s in dataset.samples if s.split == "test")
    own = np.load(batches.values_path(batch, "t2", dataset.bands))
    np.testing.assert_array_equal(own, dataset.read_values(sample))
    assert np.isnan(own[0, 0]).all() and np.isnan(own[3, 3, 0])


def test_a_photograph_is_refused_by_a_network_over_bands(tmp_path):
    dataset = make_dataset(tmp_path, SIZE)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "photo.png").write_bytes(encode_png(np.zeros((4, 4, 3), np.uint8)))
    batches = Batches(tmp_path / "predictions")
    batch = batches.accept_folder(tmp_path / "own")
    with pytest.raises(SegcoreError, match=r"Expected a GeoTIFF of 5 channels.*photo.png"):
        batches.values_path(batch, "photo", dataset.bands)


def test_what_a_model_takes_and_shows(trained, tmp_path):
    workspace, predictions = trained.workspace, trained.workspace.predictions
    for member in trained.members:
        workspace.runs.open(member).model_path.write_bytes(b"")
    first, second = trained.members
    assert predictions.learned_bands(trained.ensemble) is None
    assert predictions.display(first) is None and workspace.monitor.bands(first) == ""
    dataset = make_dataset(tmp_path, SIZE)
    learned = learned_of(dataset)
    note = {**learned.to_json(), "stem": "It began at random."}
    workspace.runs.open(first).write_json(NAME, note)
    assert predictions.learned_bands(first) == learned
    assert workspace.monitor.bands(first).startswith("Trained on 5 channels (red, green, blue,")
    with pytest.raises(SegcoreError, match=r"members that take the same channels.*pictures"):
        predictions.learned_bands(trained.ensemble)
    with pytest.raises(SegcoreError, match="members that take the same channels"):
        workspace.runs.dataset_of(trained.members)
    workspace.runs.open(second).write_json(NAME, note)
    assert predictions.learned_bands(trained.ensemble) == learned
    batch = predictions.batches.accept_folder(tmp_path / "source" / "test" / "images")
    shown = predictions.shown_image(first, batch, "test0")  # its dataset is another: two deviations
    values = np.load(predictions.batches.values_path(batch, "test0", learned.bands))
    expected = np.clip((values[..., :3] - 1200) / 3600 * 255, 0, 255)
    np.testing.assert_allclose(shown, expected, atol=1)


def test_a_damaged_note_is_a_sentence(trained):
    run = trained.workspace.runs.open(trained.members[0])
    for text in ("", "[]", "{}", '{"bands": {}, "mean": [1], "std": [0]}'):
        (run.folder / f"{NAME}.json").write_text(text)
        with pytest.raises(SegcoreError):
            trained.workspace.monitor.bands(trained.members[0])
