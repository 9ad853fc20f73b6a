"""Scenes: what the viewer is given."""

import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.evaluation.counts.confusion import count_confusion
from segcore.labels import LabelMap
from segcore.postprocess.dense_crf import is_available
from segcore.postprocess.ensemble import resize_probabilities
from segcore.postprocess.parameters import CRFParameters
from segcore.runs.dispatch.warm_process import WarmProcess


def test_image_and_truth_are_those_of_the_data_set(trained) -> None:
    scenes, dataset = trained.workspace.scenes, trained.workspace.datasets.open("tiny")
    sample = dataset.sample("test/scene_0")
    np.testing.assert_array_equal(scenes.image("tiny", sample.id), dataset.read_image(sample))
    np.testing.assert_array_equal(scenes.truth("tiny", sample.id), dataset.read_mask(sample))
    merged = scenes.truth("tiny", sample.id, LabelMap(((0, 3), (1, 2))))
    mask = dataset.read_mask(sample)
    np.testing.assert_array_equal(merged == 0, (mask == 0) | (mask == 3))
    np.testing.assert_array_equal(merged == 255, mask == 255)


def test_an_ensembles_probabilities_are_the_mean_of_its_members(trained) -> None:
    scenes = trained.workspace.scenes
    for sample in trained.samples["test"]:
        each = [scenes.probabilities(member, "test", sample) for member in trained.members]
        mean = scenes.probabilities(trained.ensemble, "test", sample)
        assert mean.shape == (32, 48, 4) and mean.dtype == np.float32
        # enlarging is linear, so the mean of enlarged members is the enlarged mean, but for
        # float32's rounding
        np.testing.assert_allclose(mean, np.mean(each, axis=0), atol=2e-6)
        np.testing.assert_allclose(mean.sum(-1), 1, atol=1e-6)


def test_an_ensemble_is_looked_at_on_any_split_its_members_predicted(trained) -> None:
    scenes = trained.workspace.scenes
    each = [
        scenes.probabilities(member, "validation", "validation/scene_0")
        for member in trained.members
    ]
    np.testing.assert_allclose(
        scenes.probabilities(trained.ensemble, "validation", "validation/scene_0"),
        np.mean(each, axis=0),
        atol=2e-6,
    )


def test_a_members_probabilities_are_the_stored_ones_enlarged(trained) -> None:
    run = trained.workspace.runs.open(f"{trained.members[0]}--test")
    stored, size = run.read_probabilities("test", "test/scene_1")
    assert (stored.shape, size) == ((16, 24, 4), (32, 48))
    for id in (trained.members[0], run.id):
        shown = trained.workspace.scenes.probabilities(id, "test", "test/scene_1")
        np.testing.assert_array_equal(shown, resize_probabilities(stored, size))


def test_what_is_seen_is_what_was_counted(trained) -> None:
    """The argmax that a page shows gives the very counts that a report is made of."""
    scenes, scores = trained.workspace.scenes, trained.workspace.scores
    for run in (*trained.members, trained.ensemble):
        ids, counts = scores.counts(run, "test")
        for sample, matrix in zip(ids, counts, strict=True):
            prediction = scenes.probabilities(run, "test", sample).argmax(-1)
            np.testing.assert_array_equal(
                count_confusion(scenes.truth("tiny", sample), prediction, 4, 255), matrix
            )


def test_only_samples_that_every_member_predicted_can_be_looked_at(trained) -> None:
    scenes = trained.workspace.scenes
    for run in (*trained.members, f"{trained.members[0]}--test", trained.ensemble):
        assert [s.id for s in scenes.predicted_samples(run, "test")] == trained.samples["test"]
    assert scenes.predicted_samples(trained.members[0], "train") == []
    gone = (
        trained.workspace.runs.folder
        / f"{trained.members[1]}--test"
        / "probabilities"
        / "test"
        / "test"
        / "scene_1.prob"
    )
    gone.unlink()
    left = ["test/scene_0", "test/scene_2"]
    assert [s.id for s in scenes.predicted_samples(trained.ensemble, "test")] == left
    assert [s.id for s in scenes.predicted_samples(trained.members[1], "test")] == left
    assert [s.id for s in scenes.predicted_samples(trained.members[0], "test")] == trained.samples[
        "test"
    ]
    with pytest.raises(SegcoreError, match="run that step first"):
        scenes.probabilities(trained.ensemble, "test", "test/scene_1")
    with pytest.raises(SegcoreError, match="did you mean 'test'"):
        scenes.predicted_samples(trained.ensemble, "tset")


def test_a_crf_mask_that_is_on_disk_is_read_and_nobody_is_asked(trained, monkeypatch) -> None:
    monkeypatch.setattr(
        WarmProcess, "ask", lambda *_, **__: pytest.fail("the mask on disk was not taken")
    )
    scenes, run = trained.workspace.scenes, trained.workspace.runs.open(trained.ensemble)
    for sample in trained.samples["test"]:
        np.testing.assert_array_equal(
            scenes.crf_mask(trained.ensemble, "test", sample), run.read_mask("test", "crf", sample)
        )


@pytest.mark.skipif(not is_available(), reason="CRF NOT TESTED: pydensecrf is not installed")
def test_other_parameters_are_asked_of_the_warm_worker(trained) -> None:
    scenes, sample = trained.workspace.scenes, "test/scene_0"
    prediction = scenes.probabilities(trained.ensemble, "test", sample).argmax(-1)
    nothing = CRFParameters(spatial_weight=0.0, bilateral_weight=0.0)
    np.testing.assert_array_equal(
        scenes.crf_mask(trained.ensemble, "test", sample, nothing), prediction
    )
    smooth = CRFParameters(spatial_weight=40.0, bilateral_weight=0.0, iterations=20)
    refined = scenes.crf_mask(trained.members[0], "test", sample, smooth)
    assert refined.shape == (32, 48)

    def seams(mask):
        return int((mask[1:] != mask[:-1]).sum() + (mask[:, 1:] != mask[:, :-1]).sum())

    assert seams(refined) < seams(
        scenes.probabilities(trained.members[0], "test", sample).argmax(-1)
    )


def test_runs_know_their_data_set_and_label_map(trained, made_up) -> None:
    scenes, dataset = trained.workspace.scenes, trained.workspace.datasets.open("tiny")
    label_map = LabelMap(((0,), (1, 2), (3,)), "merged")
    dataset.save_label_map(label_map)
    made_up.train("merged-1", label_map="merged")
    assert scenes.dataset_of(trained.ensemble).name == "tiny"
    for run in (*trained.members, trained.ensemble, f"{trained.members[0]}--test"):
        assert scenes.label_map_of(run) is None
    assert scenes.label_map_of("merged-1") == label_map
