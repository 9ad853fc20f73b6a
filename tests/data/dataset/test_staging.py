"""An import that is killed is gone on with or cleared, and one name has one maker."""

import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from segcore.data.dataset import staging
from segcore.data.dataset.dataset import Dataset, Sample
from segcore.data.dataset.journal import Journal, kept
from segcore.data.dataset.staging import (
    JOURNAL,
    KEPT_DAYS,
    Staging,
    broken_off,
    reserve,
    sweep,
    throw_away,
)
from segcore.data.files.images import encode_png
from segcore.data.formats.importers import import_dataset
from segcore.errors import SegcoreError
from segcore.whole_files import write_bytes

IMPORT_AND_HANG = """
import sys, time
from pathlib import Path
from segcore.data.formats.importers import import_dataset
source, target = sys.argv[1:]
def progress(done, total, what):
    if what == "importing" and done * 2 >= total:
        print(done, flush=True)
        time.sleep(600)
import_dataset(Path(source), Path(target) / "set", "set", progress=progress)
"""
COUNT = 200


def pack(path, count):
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("classes.csv", "id,name\n0,sky\n1,road\n")
        for i in range(count):
            packed.writestr(
                f"images/{i}.png", encode_png(rng.integers(0, 256, (8, 6, 3), dtype=np.uint8))
            )
            packed.writestr(
                f"masks/{i}.png", encode_png(rng.integers(0, 2, (8, 6), dtype=np.uint8))
            )
    return path


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """A zip of two hundred small pairs."""
    return pack(tmp_path_factory.mktemp("in") / "set.zip", COUNT)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A zip of two."""
    return pack(tmp_path_factory.mktemp("in") / "small.zip", 2)


def test_a_killed_import_is_gone_on_with(tmp_path, archive, small, monkeypatch):
    monkeypatch.setattr(staging, "PATIENCE", 2)
    datasets = tmp_path / "datasets"
    argv = [sys.executable, "-c", IMPORT_AND_HANG, str(archive), str(datasets)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=Path.cwd()) as process:
        assert process.stdout is not None
        assert COUNT // 2 <= int(process.stdout.readline()) < COUNT
        written = [p for p in datasets.rglob("*.png") if p.is_file()]
        assert len(written) > 2 * COUNT and not (datasets / "set").exists()
        with pytest.raises(SegcoreError, match="Another import is writing 'set'"):
            import_dataset(archive, datasets / "set", "set")
        import_dataset(
            small, datasets / "beside", "beside"
        )  # another name is free, and the living one's files stay
        assert set(written) <= set(datasets.rglob("*.png"))
        process.send_signal(signal.SIGKILL)
    assert sorted(p.name for p in datasets.iterdir()) == [
        ".set.importing",
        ".set.partial",
        ".set.unpacked",
        "beside",
    ]
    import_dataset(small, datasets / "other", "other")
    assert sorted(p.name for p in datasets.iterdir()) == [
        ".set.importing",
        ".set.partial",
        "beside",
        "other",
    ]
    assert broken_off(datasets) == ["set"]
    partial = datasets / ".set.partial"
    kept_samples = kept(partial)
    assert COUNT // 2 <= kept_samples <= COUNT
    masks = {p.name: p.stat().st_mtime_ns for p in (partial / "masks").iterdir()}
    broken = partial / "masks" / "0.png"
    broken.write_bytes(b"half a file")
    assert import_dataset(archive, datasets / "set", "set").num_samples == COUNT
    assert sorted(p.name for p in datasets.iterdir()) == ["beside", "other", "set"]
    written_again = {
        p.name
        for p in (datasets / "set/masks").iterdir()
        if p.stat().st_mtime_ns != masks.get(p.name)
    }
    assert "0.png" in written_again and len(written_again) <= COUNT - kept_samples + 1
    import_dataset(archive, datasets / "fresh", "set")
    resumed, fresh = (Dataset.open(datasets / name) for name in ("set", "fresh"))
    assert resumed.samples == fresh.samples and resumed.fingerprint == fresh.fingerprint
    assert all((fresh.read(a)[0] == resumed.read(a)[0]).all() for a in fresh.samples)
    assert {p.name for p in (datasets / "set").iterdir()} == {
        p.name for p in (datasets / "fresh").iterdir()
    }


def interrupted(source, folder):
    """An import that a user stops when half of it is in."""

    def stop(done, total, what):
        if what == "importing":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_dataset(source, folder, folder.name, progress=stop)


def test_what_was_interrupted_is_not_gone_on_with_when_the_source_is_another(
    tmp_path, archive, small
):
    interrupted(archive, tmp_path / "set")
    assert [p.name for p in (tmp_path / ".set.partial/masks").iterdir()]
    assert import_dataset(small, tmp_path / "set", "set").num_samples == 2
    assert len(list((tmp_path / "set/masks").iterdir())) == 2 and [
        p.name for p in tmp_path.iterdir()
    ] == ["set"]


def test_what_was_interrupted_is_thrown_away_on_request_and_after_a_week(tmp_path, small):
    interrupted(small, tmp_path / "one")
    interrupted(small, tmp_path / "two")
    assert broken_off(tmp_path) == ["one", "two"]
    throw_away(tmp_path / "one")
    assert broken_off(tmp_path) == ["two"]
    old = time.time() - (KEPT_DAYS + 1) * 86400
    os.utime(Staging(tmp_path / "two").journal, (old, old))
    assert sweep(tmp_path) == ["two"] and not list(tmp_path.iterdir())


def test_an_import_that_fails_leaves_nothing(tmp_path, small):
    def fail(done, total, what):
        if what == "importing":
            raise OSError(28, "No space left on device")

    with pytest.raises(SegcoreError, match="broke off"):
        import_dataset(small, tmp_path / "set", "set", progress=fail)
    assert not list(tmp_path.iterdir())


def test_half_a_line_of_a_journal_is_not_believed(tmp_path):
    sample = Sample("a", "images/a.png", None, "", 2, 2)
    journal = Journal(tmp_path / "partial", "key")
    write_bytes(tmp_path / "partial/images/a.png", b"12345")
    journal.note(sample)
    journal.close()
    with open(tmp_path / "partial" / JOURNAL, "a") as file:
        file.write('{"sample": {"id": "b", ')
    again = Journal(tmp_path / "partial", "key")
    assert again.known("a") == sample and again.known("b") is None
    again.note(dataclasses.replace(sample, id="c"))
    again.close()
    assert Journal(tmp_path / "partial", "key").known("c") is not None
    assert (
        Journal(tmp_path / "partial", "other key").known("a") is None
        and not (tmp_path / "partial/images").exists()
    )


def test_of_two_at_once_one_wins(tmp_path, small, monkeypatch):
    monkeypatch.setattr(staging, "PATIENCE", 1)
    told = []
    started, go_on = threading.Event(), threading.Event()

    def wait(done, total, what):
        started.set()
        assert go_on.wait(300)

    first = threading.Thread(
        target=lambda: told.append(import_dataset(small, tmp_path / "set", "set", progress=wait))
    )
    first.start()
    assert started.wait(300)
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
