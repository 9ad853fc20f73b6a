"""Bands of a workspace's datasets: figures, and the choice of what is shown."""

import numpy as np
import pytest

from segcore.cli import main
from segcore.errors import SegcoreError
from segcore.workspace import Workspace
from tests.data.bands.band_rasters import make_dataset


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("workspace")
    make_dataset(folder, (12, 16), indices="ndvi")
    return Workspace(folder)


def test_what_is_shown_is_chosen_and_changes_nothing_else(workspace):
    dataset = workspace.datasets.open("fields")
    sample, before = dataset.samples[0], dataset.fingerprint
    values, picture = dataset.read_values(sample), dataset.read_image(sample)
    display = workspace.bands.show("fields", ["NIR", "red", "green"])
    assert display.shown == (3, 0, 1) and workspace.bands.display("fields") == display
    seen = dataset.read_image(sample)
    np.testing.assert_array_equal(seen[..., 1], picture[..., 0])
    assert not np.array_equal(seen[..., 0], picture[..., 0])
    np.testing.assert_array_equal(dataset.read_values(sample), values)
    assert workspace.datasets.open("fields").fingerprint == before
    workspace.bands.show("fields", ["ndvi"])
    grey = dataset.read_image(sample)
    assert (grey == grey[..., :1]).all() and grey.max() == 255 and grey.min() == 0


def test_channels_that_are_not_there_are_refused(workspace):
    with pytest.raises(SegcoreError, match=r"Unknown channel 'nri': did you mean 'nir'"):
        workspace.bands.show("fields", ["nri"])
    with pytest.raises(SegcoreError, match="one or three of 6 channels"):
        workspace.bands.show("fields", ["nir", "red"])


def test_the_shell_shows_figures_and_chooses(workspace, capsys):
    place = ["--workspace", str(workspace.folder)]
    main(["bands", "fields", "--split", "train", "--show", "nir,red,green", *place])
    told = capsys.readouterr().out
    assert "Shown: nir, red, green" in told and "ndvi" in told and "98 %" in told
    main(["stats", "fields", "--split", "train", *place])
    assert "deviation" in capsys.readouterr().out


def test_robustness_offers_what_means_something(workspace):
    dataset = workspace.datasets.open("fields")
    copies = workspace.datasets.copies  # the preview of an augmented copy is a picture
    plan = workspace.datasets.plan_balance("fields", "train", max_repeats=2)
    sample = next(s.id for s in dataset.samples if s.split == "train")
    seen = copies("fields", plan, sample, "strong")
    assert seen and all(c.image.dtype == np.uint8 and c.image.shape[2] == 3 for c in seen)
