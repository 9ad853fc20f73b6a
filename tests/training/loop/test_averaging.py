"""An average of weights: of equal members the member, never worse on validation, its means its own."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from segcore.config import AveragingConfig
from segcore.errors import SegcoreError
from segcore.models.build import build_model, load_network
from segcore.models.weights.weights import variables_of
from segcore.runs.folder.run_folder import RunFolder
from segcore.training.inference.predict import predict
from segcore.training.inference.speed import note_speed
from segcore.training.loop.averaging import Averaging, average, mean_of
from segcore.training.loop.train import train

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="session")
def members(new_run, dataset):
    """Three runs from one seed that differ in their learning rate."""
    runs = []
    for rate in (0.01, 0.005, 0.002):
        run = new_run(f"rate-{rate}", epochs=2, learning_rate=rate)
        train(run, dataset)
        runs.append(run)
    return runs


@pytest.fixture(scope="module")
def averaged(dataset):
    """Average some runs in a run of its own; return it."""
    made = []

    def make(name, members):
        root = members[0].folder.parent
        config = replace(members[0].config, averaging=AveragingConfig(tuple(m.id for m in members)))
        made.append(RunFolder.create(root, name, config))
        average(made[-1], dataset)
        return made[-1]

    yield make
    for run in made:
        shutil.rmtree(run.folder)


@pytest.fixture(scope="module")
def greedy(members, averaged):
    """The average of the members that the greedy choice takes."""
    return averaged("average-greedy", members)


def weights(run):
    return {k: np.asarray(v) for k, v in variables_of(load_network(run.model_path)).items()}


def test_the_mean_of_arrays_is_exact_and_keeps_their_type():
    rng = np.random.default_rng(0)
    sets = {str(i): {"a": rng.normal(size=(3, 2)).astype(np.float32)} for i in range(3)}
    got = mean_of(sets)["a"]
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, sum(s["a"].astype(float) for s in sets.values()) / 3, rtol=1e-7)
    same = mean_of({str(i): sets["0"] for i in range(3)})["a"]
    np.testing.assert_array_equal(same, sets["0"]["a"])


def test_the_average_of_equal_members_is_the_member(members, averaged, new_run):
    twin = RunFolder(members[0].folder.with_name("twin"))
    shutil.copytree(members[0].folder, twin.folder, dirs_exist_ok=True)
    twins = [members[0], twin]
    run = averaged("average-of-twins", twins)
    mine, theirs = weights(run), weights(members[0])
    for name, array in theirs.items():
        np.testing.assert_array_equal(mine[name], array)
    assert run.read_json("averaging")["kept"] == [m.id for m in twins]
    assert run.status().mean_iou == pytest.approx(members[0].status().mean_iou, rel=1e-6)


def test_the_greedy_average_is_never_worse_on_validation(members, greedy):
    run, document = greedy, greedy.read_json("averaging")
    alone = {m["run"]: m["mean_iou"] for m in document["members"]}
    for member in members:
        assert alone[member.id] == pytest.approx(member.status().mean_iou, rel=1e-6)
    best = max(alone, key=alone.get)
    assert document["kept"][0] == best and run.status().mean_iou >= alone[best]
    kept_scores = [m["with_it"] for m in document["members"] if m["run"] in document["kept"]]
    assert max(kept_scores) == pytest.approx(run.status().mean_iou)
    left_out = [m for m in document["members"] if m["run"] not in document["kept"]]
    assert all(m["with_it"] < run.status().mean_iou for m in left_out)


def test_means_of_an_average_are_recomputed(members, averaged, monkeypatch):
    """With every member taken, weights are the mean of theirs and the moments are not."""
    scores = iter(np.linspace(0.1, 0.9, 9))
    score = Averaging._score

    def rising(self, arrays, progress, anew=False):
        score(self, arrays, progress, anew)
        return float(next(scores))

    monkeypatch.setattr(Averaging, "_score", rising)
    run = averaged("average-of-all", members)
    assert len(run.read_json("averaging")["kept"]) == 3
    mine, expected = weights(run), mean_of({m.id: weights(m) for m in members})
    moments = [name for name in mine if "moving_" in name]
    assert moments
    for name, array in expected.items():
        if name in moments:
            assert np.abs(mine[name] - array).max() > 1e-4
        else:
            np.testing.assert_allclose(mine[name], array, atol=1e-7)


def test_an_average_predicts_as_any_run(greedy, dataset, new_prediction):
    prediction = new_prediction(greedy, "test")
    try:
        predict(prediction, greedy, dataset)
        assert 0 < prediction.status().mean_iou <= 1
    finally:
        shutil.rmtree(prediction.folder)


def test_speed_is_that_of_each_network(members, greedy):
    note_speed(greedy, members[:1], "cpu")
    document = greedy.read_json("speed")
    assert set(document["milliseconds"]) == {greedy.id, members[0].id}
    assert all(0 < ms < 60_000 for ms in document["milliseconds"].values())
    assert document["batch_size"] == 1 and "CPU" in document["device"]


def test_members_of_another_architecture_are_refused(members, averaged, new_run):
    model = replace(members[0].config.model, architecture="linknet")
    other = new_run("other-net", {"model": model})
    build_model(model, 3, (32, 64)).save(other.model_path)
    with pytest.raises(SegcoreError, match="Expected members of one architecture and size"):
        averaged("average-unlike", [members[0], other])
