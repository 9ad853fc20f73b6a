"""An import that is killed leaves nothing that the next one does not clear, and one name has one maker."""

import signal
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest

from segcore.data import staging
from segcore.data.dataset import Dataset
from segcore.data.image_files import encode_png, write_bytes
from segcore.data.importers import import_dataset
from segcore.data.staging import Staging, reserve, sweep
from segcore.errors import SegcoreError

IMPORT_AND_HANG = """
import sys, time
from pathlib import Path
from segcore.data.importers import import_dataset
source, shelf = sys.argv[1:]
def progress(done, total, what):
    if what == "importing" and done * 2 >= total:
        print(done, flush=True)
        time.sleep(600)
import_dataset(Path(source), Path(shelf) / "set", "set", progress=progress)
"""
COUNT = 200


def pack(path, count):
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("classes.csv", "id,name\n0,sky\n1,road\n")
        for i in range(count):
            packed.writestr(f"images/{i}.png", encode_png(rng.integers(0, 256, (8, 6, 3), dtype=np.uint8)))
            packed.writestr(f"masks/{i}.png", encode_png(rng.integers(0, 2, (8, 6), dtype=np.uint8)))
    return path


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """A zip of two hundred small pairs."""
    return pack(tmp_path_factory.mktemp("in") / "set.zip", COUNT)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A zip of two."""
    return pack(tmp_path_factory.mktemp("in") / "small.zip", 2)


def test_a_killed_import_leaves_nothing(tmp_path, archive, small, monkeypatch):
    monkeypatch.setattr(staging, "PATIENCE", 2)
    shelf = tmp_path / "shelf"
    argv = [sys.executable, "-c", IMPORT_AND_HANG, str(archive), str(shelf)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=Path.cwd()) as process:
        assert process.stdout is not None
        assert COUNT // 2 <= int(process.stdout.readline()) < COUNT
        written = [p for p in shelf.rglob("*.png") if p.is_file()]
        assert len(written) > 2 * COUNT and not (shelf / "set").exists()
        with pytest.raises(SegcoreError, match="Another import is writing 'set'"):
            import_dataset(archive, shelf / "set", "set")
        import_dataset(small, shelf / "beside", "beside")  # another name is free, and the living one's files stay
        assert set(written) <= set(shelf.rglob("*.png"))
        process.send_signal(signal.SIGKILL)
    assert sorted(p.name for p in shelf.iterdir()) == [".set.importing", ".set.partial", ".set.unpacked", "beside"]
    import_dataset(small, shelf / "other", "other")
    assert sorted(p.name for p in shelf.iterdir()) == ["beside", "other"]
    assert import_dataset(archive, shelf / "set", "set").num_samples == COUNT
    assert sorted(p.name for p in shelf.iterdir()) == ["beside", "other", "set"]


def test_of_two_at_once_one_wins(tmp_path, small, monkeypatch):
    monkeypatch.setattr(staging, "PATIENCE", 1)
    told = []
    started, go_on = threading.Event(), threading.Event()

    def wait(done, total, what):
        started.set()
        assert go_on.wait(30)

    first = threading.Thread(target=lambda: told.append(import_dataset(small, tmp_path / "set", "set", progress=wait)))
    first.start()
    assert started.wait(30)
    with pytest.raises(SegcoreError, match="wait for it, or choose another name"):
        import_dataset(small, tmp_path / "set", "set")
    go_on.set()
    first.join()
    assert told[0].num_samples == len(Dataset.open(tmp_path / "set").samples) == 2
    with pytest.raises(SegcoreError, match="which exists"):
        import_dataset(small, tmp_path / "set", "set")
    assert [p.name for p in tmp_path.iterdir()] == ["set"]


def test_a_sweep_takes_the_dead_and_spares_the_living_and_strangers(tmp_path):
    dead = Staging(tmp_path / "dead")
    for place in (dead.partial / "a", dead.unpacked / "b", dead.lock, tmp_path / ".mine.partial/c"):
        write_bytes(place, b"x")
    with reserve(tmp_path / "living") as held:
        write_bytes(held.partial / "a", b"x")
        assert not dead.partial.exists()
        write_bytes(dead.lock, b"")
        assert sweep(tmp_path) == ["dead"]
        assert (held.partial / "a").exists()
    assert [p.name for p in tmp_path.iterdir()] == [".mine.partial"]


def test_a_place_that_cannot_be_written_to_is_a_sentence(tmp_path):
    write_bytes(tmp_path / "file", b"x")
    with pytest.raises(SegcoreError, match="choose another"), reserve(tmp_path / "file" / "set"):
        pass
