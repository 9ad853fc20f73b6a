"""A folder one level too high is refused where the class table of one part does not fit the other's masks."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from segcore.data.formats.importers import import_dataset, preview
from segcore.errors import SegcoreError

COLORS = np.array([(0x84, 0x29, 0xF6), (0x3C, 0x10, 0x98), (0x03, 0x03, 0x03)], np.uint8)
BLOCKS = np.repeat(np.arange(3), 4)[:, None].repeat(14, 1)
TABLE = "id,name,color\n0,sky,#8080ff\n1,road,#804080\n2,tree,#808000\n"


def write(folder: Path, mask: np.ndarray, table: str = "", first: int = 0) -> Path:
    for number in range(first, first + 4):
        for kind, pixels in (("images", np.full((12, 14, 3), number, np.uint8)), ("masks", mask)):
            file = folder / kind / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(file), pixels)
    if table:
        (folder / "classes.csv").write_text(table)
    return folder


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    folder = tmp_path / "all my data"
    write(folder / "aerial", COLORS[BLOCKS])
    write(folder / "camvid", BLOCKS.astype(np.uint8), TABLE, first=10)
    return folder


def test_both_folders_are_named_and_each_comes_in_by_itself(parent: Path, tmp_path: Path) -> None:
    with pytest.raises(SegcoreError) as told:
        import_dataset(parent, tmp_path / "out", "out")
    assert str(told.value) == (
        f"Expected one dataset in {parent}, received two: the classes of camvid/classes.csv are not "
        "those of the masks in aerial; import each by itself: "
        f"segscope import '{parent / 'aerial'}', segscope import '{parent / 'camvid'}'."
    )
    assert not (tmp_path / "out").exists()
    with pytest.raises(SegcoreError, match="received two"):
        preview(parent)
    for name, classes in (("aerial", 3), ("camvid", 3)):
        report = import_dataset(parent / name, tmp_path / name, name)
        assert report.label_set.num_classes == classes


def test_the_table_may_belong_to_the_colours(tmp_path: Path) -> None:
    colors = "name,color\na,#8429f6\nb,#3c1098\nc,#030303\n"
    bgr = COLORS[:, ::-1]
    write(tmp_path / "all/aerial", bgr[BLOCKS], colors)
    write(tmp_path / "all/grey", BLOCKS.astype(np.uint8), first=10)  # ids that the rows would have
    with pytest.raises(
        SegcoreError, match=r"aerial/classes\.csv are not those of the masks in grey"
    ):
        import_dataset(tmp_path / "all", tmp_path / "out", "out")


def test_an_archive_is_to_be_unpacked(parent: Path, tmp_path: Path) -> None:
    archive = shutil.make_archive(str(tmp_path / "all"), "zip", parent)
    with pytest.raises(SegcoreError, match=r"one dataset in all\.zip.*unpack it and import each"):
        import_dataset(Path(archive), tmp_path / "out", "out")


def test_parts_that_a_table_fits_are_one_dataset(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    write(whole / "Tile 1", BLOCKS.astype(np.uint8), TABLE)
    write(whole / "Tile 2", BLOCKS.astype(np.uint8), first=10)
    few = np.where(BLOCKS == 2, 7, BLOCKS).astype(np.uint8)  # a third of it undeclared: a mistake
    write(whole / "Tile 3", few, first=20)
    report = import_dataset(whole, tmp_path / "out", "out")
    assert report.num_samples == 8
    assert sum("undeclared" in p.what or "declare" in p.what for p in report.problems)


def test_a_table_next_to_masks_is_not_a_dataset_of_its_own(tmp_path: Path) -> None:
    write(tmp_path / "set", BLOCKS.astype(np.uint8))
    (tmp_path / "set/masks/classes.csv").write_text(TABLE)
    assert import_dataset(tmp_path / "set", tmp_path / "out", "out").num_samples == 4
