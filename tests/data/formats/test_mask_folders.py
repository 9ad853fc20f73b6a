"""Masks of two folders are matched by name and read by id or colour."""

from pathlib import Path

import numpy as np
import pytest

from segcore.data.files.images import encode_png
from segcore.data.formats.mask_folders import pair_mask_folders
from segcore.errors import SegcoreError
from segcore.whole_files import write_bytes

TABLE = "id,name,color,ignore\n3,grass,#00ff00,false\n7,road,#808080,false\n9,void,#000000,true\n"


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    (tmp_path / "classes.csv").write_text(TABLE)
    ids = np.array([[3, 7], [9, 3]], np.uint8)
    colors = np.array(
        [[[0, 255, 0], [128, 128, 128]], [[128, 128, 128], [128, 128, 128]]], np.uint8
    )
    write_bytes(tmp_path / "truth" / "a" / "one.png", encode_png(ids))
    write_bytes(tmp_path / "prediction" / "a" / "one.png", encode_png(colors))
    return tmp_path


def pairs_of(folder: Path):
    return pair_mask_folders(folder / "truth", folder / "prediction", folder / "classes.csv")


def test_ids_and_colours_become_the_same_indices(folders: Path) -> None:
    pairs = pairs_of(folders)
    true, predicted = pairs.read("a/one")
    assert pairs.names == ["a/one"]
    assert true.tolist() == [[0, 1], [255, 0]]
    assert predicted.tolist() == [[0, 1], [1, 1]]


def test_a_missing_prediction_is_named(folders: Path) -> None:
    write_bytes(folders / "truth" / "two.png", encode_png(np.full((2, 2), 3, np.uint8)))
    with pytest.raises(SegcoreError, match=r"1 are missing .* 'two'"):
        pairs_of(folders)


def test_an_undeclared_id_is_named(folders: Path) -> None:
    write_bytes(folders / "truth" / "a" / "one.png", encode_png(np.full((2, 2), 5, np.uint8)))
    with pytest.raises(
        SegcoreError, match=r"only ids of the declared classes in one\.png, received 5 in 4 pixels"
    ):
        pairs_of(folders).read("a/one")


def test_sizes_must_agree(folders: Path) -> None:
    write_bytes(folders / "prediction" / "a" / "one.png", encode_png(np.full((3, 2), 3, np.uint8)))
    with pytest.raises(SegcoreError, match=r"2 x 2 pixels .* received 3 x 2"):
        pairs_of(folders).read("a/one")


def test_an_absent_folder_is_a_sentence(folders: Path) -> None:
    with pytest.raises(SegcoreError, match="found none at"):
        pair_mask_folders(folders / "nowhere", folders / "prediction", folders / "classes.csv")
