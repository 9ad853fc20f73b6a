"""What an import reads: a path as it was typed, or an upload that is gone afterwards."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from segcore.ui.shared.sources import Source


def upload(name: str) -> SimpleNamespace:
    """An uploaded file of a few bytes."""
    return SimpleNamespace(name=name, getbuffer=lambda: memoryview(b"packed"))


def test_a_path_is_read_where_it_is(tmp_path) -> None:
    source = Source(None, f"  {tmp_path}/my-images.v2 ")
    assert source.given and source.suggested_name == "my-images"
    with source.files() as files:
        assert files == tmp_path / "my-images.v2"


def test_a_home_folder_may_be_written_short() -> None:
    with Source(None, "~/masks").files() as files:
        assert files == Path.home() / "masks"


@pytest.mark.parametrize("path", ["", "   "])
def test_without_a_path_or_an_upload_there_is_nothing_to_read(path) -> None:
    assert not Source(None, path).given


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("set.tar.gz", "upload-set.tar.gz"),
        ("../../etc/train 1.parquet", "upload-.._.._etc_train_1.parquet"),
    ],
)
def test_an_upload_lies_in_a_folder_of_its_own_until_it_is_read(name, stored) -> None:
    source = Source(upload(name), "")
    assert source.given
    with source.files() as files:
        assert (files.name, files.read_bytes()) == (stored, b"packed")
        assert files.parent.stat().st_mode & 0o077 == 0  # nobody else reads it
    assert not files.parent.exists()


def test_an_upload_is_removed_when_reading_it_fails() -> None:
    with pytest.raises(OSError, match="damaged"), Source(upload("set.zip"), "").files() as files:
        raise OSError("damaged")
    assert not files.parent.exists()
