"""Run folders: whole files, readable states for damaged ones, cheap lists."""

import json
import os
import threading
import time

import numpy as np
import pytest

from segcore.config import EvaluateConfig, TrainConfig
from segcore.errors import SegcoreError
from segcore.runs.folder.listing import list_runs
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.machine import disk
from segcore.whole_files import is_temporary


@pytest.fixture
def run(tmp_path):
    return RunFolder.create(tmp_path / "runs", "demo-unet-1", TrainConfig("demo", size=(96, 128)))


def test_a_new_run_is_queued_and_remembers_its_config(run):
    assert RunFolder.open(run.folder).config == TrainConfig("demo", size=(96, 128))
    status = run.status()
    assert (status.state, status.cause, status.pid, status.after) == ("queued", "", None, ())
    assert abs(status.created - time.time()) < 60
    assert sorted(p.name for p in run.folder.parent.iterdir()) == ["demo-unet-1"]


@pytest.mark.parametrize("id", ["", "../x", "a/b", ".hidden", "a b", "x" * 201, "-x"])
def test_an_unsafe_id_is_refused_and_leaves_nothing(tmp_path, id):
    with pytest.raises(SegcoreError, match="run id"):
        RunFolder.create(tmp_path / "runs", id, TrainConfig("demo"))
    assert not (tmp_path / "runs").exists()


def test_an_id_is_given_once(run):
    with pytest.raises(SegcoreError, match="exists"):
        RunFolder.create(run.folder.parent, run.id, TrainConfig("other"))
    assert run.config.dataset == "demo"


def test_status_keeps_what_is_not_changed(run):
    run.write_status(state="running", epoch=3, epochs=10, progress=0.3)
    after = run.beat(mean_iou=np.float32(0.5))
    assert (after.state, after.epoch, after.epochs, after.progress) == ("running", 3, 10, 0.3)
    assert run.status().mean_iou == 0.5 and run.status().heartbeat is not None


def test_a_stop_is_not_taken_back_by_a_late_running(run):
    run.write_status(state="stopping")
    assert run.write_status(state="running", message="loading").state == "stopping"
    assert run.write_status(state="interrupted").state == "interrupted"


def test_only_if_guards_a_change(run):
    run.write_status(state="finished")
    assert run.write_status(only_if=("running",), state="interrupted").state == "finished"


def test_unknown_fields_and_states_are_refused(run):
    with pytest.raises(SegcoreError, match="mean_iou"):
        run.write_status(mean_iuo=0.5)
    with pytest.raises(SegcoreError, match="running"):
        run.write_status(state="runing")


DAMAGED = [
    "",
    "{",
    "[1]",
    '{"format": 1, "state": "odd"}',
    '{"format": 1, "pid": "x"}',
    '{"format": 1, "progress": null}',
    "\x00",
]


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_status_is_a_failed_run_with_a_mend(run, text):
    (run.folder / "status.json").write_text(text)
    status = run.status()
    assert status.state == "failed" and "damaged" in status.cause and "resume" in status.cause
    assert list_runs(run.folder.parent)[0].status.state == "failed"
    assert run.write_status(state="queued", cause="").state == "queued"


def test_a_missing_status_says_so(run):
    (run.folder / "status.json").unlink()
    assert "missing" in run.status().cause


def test_a_newer_format_is_one_sentence(run):
    (run.folder / "config.json").write_text(json.dumps({"format": 2, "config": {}}))
    with pytest.raises(SegcoreError, match="update"):
        RunFolder.open(run.folder)
    (summary,) = list_runs(run.folder.parent)
    assert summary.status.state == "failed" and "update" in summary.status.cause
    (run.folder / "status.json").write_text(json.dumps({"format": 2, "state": "dreaming"}))
    assert "newer" in run.status().cause


def test_readers_never_meet_half_a_status(run):
    stop = threading.Event()
    seen = []

    def read():
        while not stop.is_set():
            seen.append(run.status())

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for epoch in range(300):
        run.write_status(state="running", epoch=epoch, message="x" * (epoch % 50 * 20))
    stop.set()
    for thread in threads:
        thread.join()
    assert len(seen) > 10 and all(status.cause == "" for status in seen)
    assert [s.epoch for s in seen[-1:]] and {s.state for s in seen} <= {"queued", "running"}


def test_two_writers_lose_no_field(run):
    def write(field):
        for value in range(100):
            run.write_status(**{field: value})

    threads = [
        threading.Thread(target=write, args=(field,)) for field in ("epoch", "epochs", "pid")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    status = run.status()
    assert (status.epoch, status.epochs, status.pid) == (99, 99, 99)


def test_metrics_survive_half_a_line(run):
    assert run.metrics() == []
    run.append_metrics({"epoch": 0, "loss": np.float32(0.5)})
    with open(run.folder / "metrics.jsonl", "ab") as file:
        file.write(b'{"epoch": 1, "lo')
    assert run.metrics() == [{"epoch": 0, "loss": 0.5}]
    run.append_metrics({"epoch": 1, "loss": float("nan")})
    assert run.metrics() == [{"epoch": 0, "loss": 0.5}, {"epoch": 1, "loss": None}]


def test_a_repeated_epoch_replaces_itself_and_what_followed(run):
    for epoch, loss in [(0, 5), (1, 4), (2, 3), (1, 7)]:
        run.append_metrics({"epoch": epoch, "loss": loss})
    run.append_metrics({"note": "no epoch"})
    assert run.metrics() == [{"epoch": 0, "loss": 5}, {"epoch": 1, "loss": 7}, {"note": "no epoch"}]


def test_log_tail(run):
    assert run.log_tail() == ""
    run.log_path.write_bytes(
        b"".join(b"line %d\n" % i for i in range(50_000)) + b"10%\r20%\r\xff30%\n"
    )
    assert run.log_tail(2) == "line 49999\n�30%"


def test_probabilities_masks_counts_round_trip(run):
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(4), (6, 8)).astype(np.float32)
    run.write_probabilities("test", "Tile 1/part_001", probabilities, size=(12, 16))
    again, size = run.read_probabilities("test", "Tile 1/part_001")
    assert size == (12, 16) and np.abs(again - probabilities).max() < 2 / 4095
    assert run.has_probabilities("test", "Tile 1/part_001") and not run.has_probabilities(
        "test", "Tile 1"
    )
    for dtype in (np.uint8, np.uint16):
        mask = rng.integers(0, np.iinfo(dtype).max, (7, 5)).astype(dtype)
        run.write_mask("test", "crf", "Tile 1/part_001", mask)
        back = run.read_mask("test", "crf", "Tile 1/part_001")
        assert back.dtype == dtype and (back == mask).all() and back.flags.writeable
    counts = rng.integers(0, 2**40, (2, 3, 3))
    run.write_counts("test", "crf", ["a", "Ä/b"], counts)
    ids, back = run.read_counts("test", "crf")
    assert ids == ["a", "Ä/b"] and np.array_equal(back, counts)
    assert np.asarray(back).dtype == np.int64
    assert run.stages("test") == ["crf"] and run.stages("train") == []


def test_counts_are_no_pickle_and_damage_is_a_sentence(run):
    run.write_counts("test", "crf", ["a"], np.ones((1, 2, 2), np.int64))
    path = run.folder / "counts/test/crf.npz"
    whole = path.read_bytes()
    with np.load(path, allow_pickle=False) as arrays:
        assert set(arrays.files) == {"ids", "classes", "cells", "places", "ends"}
    for cut in (0, 1, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(SegcoreError, match="damaged"):
            run.read_counts("test", "crf")
    with pytest.raises(SegcoreError, match="C, C"):
        run.write_counts("test", "crf", ["a"], np.ones((1, 2, 3), np.int64))


@pytest.mark.parametrize("sample", ["", "../x", "a/../../x", "/etc/passwd", "a\\b", "a\0b"])
def test_sample_ids_stay_inside(run, sample):
    with pytest.raises(SegcoreError, match="sample id"):
        run.read_probabilities("test", sample)


@pytest.mark.parametrize("split", ["", "..", "a/b", ".x"])
def test_splits_are_one_name(run, split):
    with pytest.raises(SegcoreError, match="split"):
        run.write_counts(split, "crf", [], np.zeros((0, 2, 2), np.int64))


def test_an_absent_result_says_what_to_do(run):
    with pytest.raises(SegcoreError, match="run that step first"):
        run.read_mask("test", "crf", "a")


def test_documents(run):
    run.write_json("report", {"mean_iou": np.float64(0.5), "per_class": np.array([1.0, np.nan])})
    assert run.read_json("report") == {"mean_iou": 0.5, "per_class": [1.0, None]}
    with pytest.raises(SegcoreError, match="keeps for itself"):
        run.write_json("status", {})


def test_a_full_disk_is_one_sentence_and_loses_nothing(run, monkeypatch):
    run.write_status(state="running", epoch=4)

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(disk.Path, "write_bytes", full)
        with pytest.raises(SegcoreError, match="disk is full"):
            run.write_status(epoch=5)
    assert run.status().epoch == 4 and not [p for p in run.folder.iterdir() if is_temporary(p.name)]


def test_a_deleted_run_is_one_sentence(tmp_path):
    with pytest.raises(SegcoreError, match="deleted"):
        RunFolder(tmp_path / "runs" / "gone").write_status(state="queued")
    with pytest.raises(SegcoreError, match="found none"):
        RunFolder.open(tmp_path / "runs" / "gone")


def test_replacing_keeps_the_suffix_and_cleans_up(run):
    with disk.replacing(run.model_path) as temporary:
        assert temporary.suffix == ".keras" and is_temporary(temporary.name)
        temporary.write_bytes(b"one")
    with pytest.raises(ValueError), disk.replacing(run.model_path) as temporary:
        temporary.write_bytes(b"half")
        raise ValueError
    assert run.model_path.read_bytes() == b"one"
    left = run.folder / ".model.1-2-3.tmp.keras"
    left.write_bytes(b"half")
    run.clear_temporary()
    assert not left.exists() and run.model_path.exists()


def test_list_reads_each_change_once(tmp_path, monkeypatch):
    root = tmp_path / "runs"
    assert list_runs(root) == []
    for i in range(5):
        RunFolder.create(root, f"run-{i}", EvaluateConfig("demo", (f"m{i}",)))
    (root / "not a run").mkdir()
    (root / "empty").mkdir()
    first = list_runs(root)
    assert (
        {r.id for r in first} == {f"run-{i}" for i in range(5)}
        and first[0].kind == "evaluate"
        and first[0].dataset == "demo"
    )
    reads = []
    read = disk.Path.read_bytes
    monkeypatch.setattr(
        disk.Path, "read_bytes", lambda path: reads.append(path.parent.name) or read(path)
    )
    assert list_runs(root) == first and reads == []
    RunFolder(root / "run-3").write_status(progress=0.5)
    reads.clear()
    assert {r.id: r.status.progress for r in list_runs(root)}["run-3"] == 0.5
    assert set(reads) == {"run-3"}


def test_stored_ids_are_those_whose_files_exist_and_follow_each_change(run):
    samples = ["one", "drive/two", "drive/deep/three", "odd.mask/four", "odd.mask"]
    mask = np.zeros((2, 3), np.uint8)
    assert run.ids_with_mask("test", "prediction") == frozenset()
    for number, sample in enumerate(samples[:4], start=1):
        run.write_mask("test", "prediction", sample, mask)
        assert run.ids_with_mask("test", "prediction") == set(samples[:number])
    for folder, _, _ in os.walk(run.folder / "masks"):
        os.utime(folder, (1.7e9, 1.7e9))
    listed = run.ids_with_mask("test", "prediction")
    assert run.ids_with_mask("test", "prediction") is listed  # it was not listed again
    assert all(run.has_mask("test", "prediction", s) == (s in listed) for s in samples)
    assert run.ids_with_mask("test", "crf") == run.ids_with_probabilities("test") == frozenset()
    run.write_probabilities("test", "drive/two", np.full((2, 3, 2), 0.5, np.float32), (2, 3))
    assert run.ids_with_probabilities("test") == {"drive/two"}
    run.drop_probabilities("test", "drive/two")
    assert run.ids_with_probabilities("test") == frozenset()


def test_a_half_written_mask_is_not_listed(run):
    run.write_mask("test", "prediction", "one", np.zeros((2, 3), np.uint8))
    folder = run.folder / "masks" / "test" / "prediction"
    with disk.replacing(folder / "two.mask") as temporary:
        temporary.write_bytes(b"half")
        assert run.ids_with_mask("test", "prediction") == {"one"}
    assert run.ids_with_mask("test", "prediction") == {"one", "two"}
