"""Probabilities on disk: estimated before, dropped afterwards; who needs them says how to get them."""

import numpy as np
import pytest

from segcore.cli import main
from segcore.config import PredictConfig, PredictOptions
from segcore.errors import SegcoreError
from segcore.runs.folder.run_folder import RunFolder

SPLIT = "test"


def test_dropping_keeps_scores_masks_and_what_the_viewer_shows(trained, capsys) -> None:
    workspace, (run, _), samples = trained.workspace, trained.members, trained.samples[SPLIT]
    scenes, name = workspace.scenes, f"{run}--{SPLIT}"
    before = {s: scenes.prediction(run, SPLIT, s) for s in samples}
    counts = workspace.runs.open(name).read_counts(SPLIT, "prediction")
    size = sum(f.stat().st_size for f in workspace.runs.open(name).folder.rglob("*.prob"))
    dropped = workspace.probability_storage.drop(name)
    assert dropped.runs == (name,) and dropped.images == len(samples) and dropped.bytes == size
    assert not list(workspace.runs.open(name).folder.rglob("*.prob"))
    for sample, mask in before.items():
        np.testing.assert_array_equal(scenes.prediction(run, SPLIT, sample), mask)
        assert not scenes.has_probabilities(run, SPLIT, sample)
        assert np.isnan(scenes.unsureness(run, SPLIT, sample)).all()
    assert [s.id for s in scenes.predicted_samples(run, SPLIT)] == samples
    after = workspace.runs.open(name).read_counts(SPLIT, "prediction")
    assert after[0] == counts[0]
    np.testing.assert_array_equal(after[1], counts[1])
    assert "entropy" not in workspace.rankings.offered(run, SPLIT)
    with pytest.raises(SegcoreError, match=r"masks and counts only.*--probabilities whole"):
        scenes.probabilities(run, SPLIT, samples[0])
    assert workspace.probability_storage.drop(name).images == 0
    main(["drop-probabilities", run, "--workspace", str(workspace.folder)])
    assert "Removed the probabilities" in capsys.readouterr().out
    assert workspace.runs.open(f"{run}--validation").probabilities_kept("validation", "x") == "none"


def test_only_finished_predictions_are_dropped(trained) -> None:
    storage, (run, _) = trained.workspace.probability_storage, trained.members
    with pytest.raises(SegcoreError, match="Expected a run with predictions"):
        storage.drop(trained.ensemble)
    trained.workspace.runs.open(f"{run}--{SPLIT}").write_status(state="interrupted")
    with pytest.raises(SegcoreError, match="Expected a finished prediction"):
        storage.drop(run)
    assert list(trained.workspace.runs.open(f"{run}--{SPLIT}").folder.rglob("*.prob"))


def keep_top(workspace, run, samples) -> dict[str, np.ndarray]:
    """Replace a prediction by one that kept the top classes; return the whole probabilities."""
    folder, whole = workspace.runs.open(f"{run}--{SPLIT}"), {}
    for sample in samples:
        probabilities, size = folder.read_probabilities(SPLIT, sample)
        whole[sample] = workspace.scenes.probabilities(run, SPLIT, sample)
        folder.write_mask(SPLIT, "prediction", sample, whole[sample].argmax(-1).astype(np.uint8))
        path = next(folder.folder.rglob(f"{sample.split('/')[-1]}.prob"))
        path.unlink()
        more = np.concatenate([probabilities, np.zeros((*probabilities.shape[:2], 3))], -1)
        folder.write_probabilities(SPLIT, sample, more.astype(np.float32), size, top=True)
    return whole


def test_top_classes_are_shown_and_refused_where_all_are_needed(trained) -> None:
    workspace, (run, other), samples = trained.workspace, trained.members, trained.samples[SPLIT]
    whole = keep_top(workspace, run, samples)
    scenes, sample = workspace.scenes, samples[0]
    assert not scenes.has_probabilities(run, SPLIT, sample)
    assert scenes.has_probabilities(run, SPLIT, sample, approximate=True)
    shown = scenes.probabilities(run, SPLIT, sample, approximate=True)
    np.testing.assert_allclose(shown[..., :4], whole[sample], atol=1e-3)
    np.testing.assert_array_equal(scenes.prediction(run, SPLIT, sample), whole[sample].argmax(-1))
    for needed in (
        lambda: scenes.probabilities(run, SPLIT, sample),
        lambda: scenes.probabilities(trained.ensemble, SPLIT, sample),
        lambda: workspace.crf.member_probabilities([run, other], SPLIT, sample),
        lambda: workspace.pixel_metrics.suspects(run, SPLIT),
    ):
        with pytest.raises(SegcoreError, match="--probabilities whole"):
            needed()


def test_an_ensemble_asks_for_whole_probabilities(trained, started) -> None:
    workspace, (run, _) = trained.workspace, trained.members
    folder = RunFolder(workspace.runs.folder / f"{run}--validation")
    config = PredictConfig("tiny", run, "validation", probabilities="none")
    (folder.folder / "config.json").unlink()
    trained.workspace.runs.open(run)
    made = RunFolder.create(workspace.runs.folder, "spare", config)
    (made.folder / "config.json").replace(folder.folder / "config.json")
    with pytest.raises(SegcoreError, match=f"segscope predict {run} --split validation"):
        workspace.runs.predict_whole(run, "validation")


def test_less_is_not_asked_for_again_and_more_is(trained, started) -> None:
    runs, (run, _) = trained.workspace.runs, trained.members
    name = f"{run}--{SPLIT}"
    assert runs.predict(run, SPLIT, probabilities="none") == name
    assert runs.open(name).status().state == "finished"  # whole probabilities hold masks and counts
    config = PredictConfig("tiny", run, SPLIT, probabilities="top")
    made = RunFolder.create(runs.folder, "spare", config)
    (made.folder / "config.json").replace(runs.open(name).folder / "config.json")
    runs.predict(run, SPLIT)
    assert runs.open(name).config.probabilities == "top"
    runs.predict(run, SPLIT, probabilities="whole")
    assert runs.open(name).config.probabilities == "whole"
    assert runs.open(name).status().state == "queued"


def test_the_estimate_counts_images_pixels_and_classes(trained, monkeypatch) -> None:
    storage, (run, _) = trained.workspace.probability_storage, trained.members
    images, (height, width) = (
        len(trained.samples[SPLIT]),
        trained.workspace.runs.open(run).config.size,
    )
    assert storage.estimate(run, SPLIT) == pytest.approx(images * height * width * 4 * 0.77, abs=1)
    assert storage.estimate(run, SPLIT, "none") == 0
    tiled = storage.estimate(run, SPLIT, options=PredictOptions(tile=True))
    assert tiled == pytest.approx(images * 32 * 48 * 4 * 0.77, abs=images)
    monkeypatch.setattr(
        "segcore.workspace.runs.storage.shutil.disk_usage",
        lambda path: type("Usage", (), {"free": 10})(),
    )
    assert storage.check_room(run, SPLIT) == storage.estimate(run, SPLIT)  # predicted already
    trained.workspace.runs.open(f"{run}--{SPLIT}").write_status(state="interrupted")
    with pytest.raises(SegcoreError, match="--probabilities top or none"):
        storage.check_room(run, SPLIT)
    assert storage.check_room(run, SPLIT, "none") == 0
