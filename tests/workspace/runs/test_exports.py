"""Runs for other trackers: the event file byte by byte, MLflow where it is installed, and a sentence where a package is missing."""

import struct
from types import SimpleNamespace

import pytest

from segcore.errors import SegcoreError
from segcore.workspace.runs import exports
from segcore.workspace.runs.event_file import crc32c, encode_events


def test_the_checksum_is_castagnolis() -> None:
    assert crc32c(b"123456789") == 0xE3069283  # the check value of its specification
    assert crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720, appendix B.4
    assert crc32c(b"\xff" * 32) == 0x62A8AB43


def records(data: bytes) -> list[bytes]:
    found = []
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        found.append(data[12 : 12 + length])
        data = data[16 + length :]
    return found


def test_an_event_by_hand() -> None:
    first, second = records(encode_events([(1.5, 300, "a", 0.25)], 1.0))
    assert first == b"\x09" + struct.pack("<d", 1.0) + b"\x10\x00" + b"\x1a\x0dbrain.Event:2"
    value = b"\x0a\x01a" + b"\x15" + struct.pack("<f", 0.25)
    assert (
        second == b"\x09" + struct.pack("<d", 1.5) + b"\x10\xac\x02" + b"\x2a\x0a\x0a\x08" + value
    )


def test_a_run_becomes_one_event_file_however_often(trained) -> None:
    workspace, run = trained.workspace, trained.members[0]
    for _ in range(2):
        told = workspace.exports.export(run, "tensorboard")
    (file,) = (workspace.folder / "tensorboard" / run).iterdir()
    assert str(file.parent) in told and "tensorboard --logdir" in told
    events = records(file.read_bytes())
    assert (
        len(events) == 1 + 2 * 7
        # two epochs of loss, val_loss, mean_iou, val_mean_iou, learning_rate, images_per_second,
        # seconds
    )
    assert sum(b"loss/validation" in event for event in events) == 2


def test_what_cannot_be_exported_is_a_sentence(trained, made_up, monkeypatch) -> None:
    all_exports = trained.workspace.exports
    with pytest.raises(SegcoreError, match="did you mean 'tensorboard'"):
        all_exports.export(trained.members[0], "tensorbord")
    with pytest.raises(SegcoreError, match="finished no epoch"):
        all_exports.export(f"{trained.members[0]}--test", "tensorboard")
    monkeypatch.setattr(exports.importlib.util, "find_spec", lambda name: None)
    assert all_exports.missing("tensorboard") == ""
    for tracker in ("mlflow", "wandb"):
        with pytest.raises(SegcoreError, match=rf"pip install .*\[{tracker}\]"):
            all_exports.export(trained.members[0], tracker)


def test_weights_and_biases_is_told_each_epoch(trained, monkeypatch) -> None:
    told: list = []

    def init(**settings):
        told.append(settings)
        return SimpleNamespace(
            log=lambda numbers, step: told.append((step, numbers)),
            finish=lambda: told.append("finished"),
        )

    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setattr(exports.importlib.util, "find_spec", lambda name: True)
    monkeypatch.setattr(exports.importlib, "import_module", lambda name: SimpleNamespace(init=init))
    sentence = trained.workspace.exports.export(trained.members[0], "wandb")
    assert (
        told[0]["mode"] == "offline"
        and told[0]["id"] == trained.members[0]
        and told[0]["config"]["dataset"] == "tiny"
    )
    assert (
        [line[0] for line in told[1:-1]] == [1, 2]
        and told[-1] == "finished"
        and "wandb sync" in sentence
    )
    assert told[1][1]["loss/train"] == 0.9

    def refuse(**settings):
        raise RuntimeError("no such project.\nmore")

    monkeypatch.setattr(
        exports.importlib, "import_module", lambda name: SimpleNamespace(init=refuse)
    )
    with pytest.raises(SegcoreError, match=r"refused the run .*: no such project\."):
        trained.workspace.exports.export(trained.members[0], "wandb")


def test_mlflow_has_curves_parameters_and_notes(trained, monkeypatch) -> None:
    mlflow = pytest.importorskip("mlflow", reason="MLFLOW ABSENT: pip install '.[mlflow]'")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    workspace, run = trained.workspace, trained.members[0]
    workspace.annotations.write(run, text="first try", tags=["a"])
    told = workspace.exports.export(run, "mlflow")
    client = mlflow.MlflowClient(tracking_uri=(workspace.folder / "mlruns").as_uri())
    (found,) = client.search_runs([client.get_experiment_by_name("tiny").experiment_id])
    assert found.info.run_name == run and found.info.run_id in told
    assert (
        found.data.params["model.encoder"] == "tiny"
        and found.data.tags["mlflow.note.content"] == "first try"
    )
    history = client.get_metric_history(found.info.run_id, "loss/validation")
    assert [(m.step, m.value) for m in history] == [(1, 1.0), (2, 0.6)]
