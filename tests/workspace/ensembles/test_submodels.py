"""Submodels launched, and combined by the run that scores them, by the viewer and by hand: one answer."""

import numpy as np
import pytest

from segcore.config import ModelConfig, TrainConfig
from segcore.errors import SegcoreError
from segcore.evaluation.counts.confusion import count_confusion
from segcore.labels import LabelMap
from segcore.light_worker.evaluation import evaluate_run
from segcore.postprocess.ensemble import resize_probabilities
from segcore.runs.queue import jobs

SIZES = LabelMap(((0, 1), (2, 3)), "sizes")
MODEL = ModelConfig("unet", "tiny", "none")


@pytest.mark.parametrize("rule", ["one_vs_rest", "routed"])
def test_submodels_are_launched_and_combined(workspace, started, rule) -> None:
    dataset = workspace.datasets.open("tiny")
    dataset.save_label_map(SIZES)
    runs = workspace.runs.train(
        TrainConfig("tiny", MODEL, size=(32, 64), label_map="sizes", submodels=rule)
    )
    configs = [workspace.runs.open(run).config for run in runs]
    assert [c.label_map for c in configs] == [
        "sizes.1",
        "sizes.2",
        *(["sizes"] if rule == "routed" else []),
    ]
    assert len({c.group for c in configs}) == 1 and [c.seed for c in configs] == list(
        range(len(runs))
    )

    truth = {
        s.id: np.random.default_rng(i).dirichlet(np.ones(4) * 0.3, (16, 24))
        for i, s in enumerate(dataset.select("test"))
    }
    for run, config in zip(
        runs, configs, strict=True
    ):  # what perfect submodels of one distribution would say
        own, folder = dataset.load_label_map(config.label_map), workspace.runs.open(run)
        folder.write_json(
            "labels",
            {
                "label_set": own.merge_label_set(dataset.label_set).to_json(),
                "label_map": own.to_json(),
            },
        )
        folder.model_path.write_bytes(b"")
        folder.write_status(state="finished", finished=1.0)
        predictions = workspace.runs.open(workspace.runs.predict(run, "test"))
        for sample in dataset.select("test"):
            said = np.stack(
                [truth[sample.id][..., list(g)].sum(-1) for g in own.groups], -1
            ).astype(np.float32)
            predictions.write_probabilities("test", sample.id, said, (sample.height, sample.width))
        predictions.write_status(state="finished", started=2.0, finished=3.0)

    scored = workspace.runs.ensemble(runs, "test")
    evaluate_run(workspace.runs.open(scored))
    ids, counts = workspace.runs.open(scored).read_counts("test", "ensemble")
    for name, matrix in zip(ids, counts, strict=True):
        sample = dataset.sample(name)
        whole = resize_probabilities(truth[name].astype(np.float32), (sample.height, sample.width))
        seen = workspace.scenes.probabilities(scored, "test", name)
        np.testing.assert_allclose(seen, whole, atol=5e-3)  # stored with 12 bits each
        expected = count_confusion(
            dataset.read_mask(sample), seen.argmax(-1).astype(np.uint8), 4, 255
        )
        np.testing.assert_array_equal(matrix, expected)
        assert workspace.scenes.disagreement(scored, "test", name) is None
    assert workspace.scenes.label_map_of(scored) is None
    assert jobs.waiting(workspace.folder)


def test_parts_of_unlike_things_are_not_combined(workspace, started) -> None:
    with pytest.raises(SegcoreError, match="group of two classes or more"):
        workspace.runs.train(TrainConfig("tiny", MODEL, size=(32, 64), submodels="routed"))
    runs = workspace.runs.train(TrainConfig("tiny", MODEL, size=(32, 64), submodels="one_vs_rest"))
    assert [workspace.runs.open(run).config.label_map for run in runs] == [
        "class.1",
        "class.2",
        "class.3",
        "class.4",
    ]
    other = workspace.runs.train(TrainConfig("tiny", MODEL, size=(32, 64)))
    for run in (*runs, *other):
        workspace.runs.open(run).model_path.write_bytes(b"")
    with pytest.raises(SegcoreError, match="one label map"):
        workspace.runs.ensemble([*runs, *other], "test")
