"""Orders of images are those of the scores they name, and the exchange adds up to the counts."""

import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.evaluation.counts import scores


def test_each_order_puts_first_what_is_to_be_looked_at_first(trained) -> None:
    rankings, run = trained.workspace.rankings, trained.ensemble
    ids, counts = trained.workspace.scores.counts(run, "test")
    wanted = {
        "mean_iou": scores.mean_iou(counts),
        "class_iou": scores.iou(counts)[:, 2],
        "error": scores.pixel_accuracy(counts),
    }
    for by, values in wanted.items():
        images, numbers = rankings.order(run, "test", by, label=2)
        assert images == [ids[i] for i in np.argsort(values, kind="stable")], by
        assert numbers == pytest.approx(np.sort(values) if by != "error" else 1 - np.sort(values))
    assert rankings.order(run, "test", "order")[0] == trained.samples["test"]


def test_gain_and_difference_are_of_two_scores_of_one_image(trained) -> None:
    rankings, run, other = trained.workspace.rankings, trained.ensemble, trained.members[0]
    scored = {}
    for name, stage in ((run, ""), (run, "crf"), (other, "")):
        ids, counts = trained.workspace.scores.counts(name, "test", stage)
        scored[name, stage] = dict(zip(ids, scores.mean_iou(counts), strict=True))
    for by, plus, minus in (
        ("crf_gain", (run, "crf"), (run, "")),
        ("difference", (run, ""), (other, "")),
    ):
        images, numbers = rankings.order(run, "test", by, other=other)
        assert numbers == sorted(numbers)
        assert numbers == pytest.approx([scored[plus][i] - scored[minus][i] for i in images])


def test_unsureness_is_the_mean_of_the_maps_and_kept_with_the_run(trained) -> None:
    workspace, run = trained.workspace, trained.ensemble
    found = workspace.rankings.unsureness(run, "test")
    sample = trained.samples["test"][1]
    assert found["disagreement"][sample] == pytest.approx(
        float(workspace.scenes.disagreement(run, "test", sample).mean()), abs=1e-6
    )
    seen = []
    again = workspace.rankings.unsureness(run, "test", lambda *news: seen.append(news))
    assert again == found
    assert not seen  # read from the run's folder, not made anew
    images, numbers = workspace.rankings.order(run, "test", "entropy")
    assert numbers == sorted(found["entropy"].values(), reverse=True)
    assert 0 < min(numbers) <= max(numbers) < 1
    assert set(images) == set(trained.samples["test"])


def test_twins_never_disagree(trained, made_up) -> None:
    made_up.train("twin")
    made_up.predict("twin", "test", 0)  # the seed of the first member: the same probabilities
    run = made_up.evaluate((trained.members[0], "twin"), "test", None)
    apart = trained.workspace.scenes.disagreement(run.id, "test", trained.samples["test"][0])
    assert np.abs(apart).max() < 1e-5
    assert (
        trained.workspace.scenes.disagreement(
            trained.members[0], "test", trained.samples["test"][0]
        )
        is None
    )


def test_the_exchange_is_the_difference_of_the_confusions(trained) -> None:
    workspace, (a, b) = trained.workspace, (trained.members[0], trained.ensemble)
    for stage in ("ensemble", "crf"):
        found = workspace.rankings.fixed_broken(a, b, "test", other_stage=stage)
        right = [
            workspace.scores.counts(r, "test", s)[1].right.sum() for r, s in ((a, ""), (b, stage))
        ]
        assert found.net.sum() == right[1] - right[0]
        assert found.scored == workspace.scores.counts(a, "test")[1].sum()
        assert (found.fixed.sum(0) <= workspace.scores.counts(a, "test")[1].sum(0)).all()


def test_an_exchange_is_counted_once_until_a_run_is_made_anew(trained, monkeypatch) -> None:
    rankings, (a, b) = trained.workspace.rankings, trained.members
    found = rankings.fixed_broken(a, b, "test")
    counted = []
    monkeypatch.setattr(
        rankings,
        "mask",
        lambda *where: counted.append(where) or trained.workspace.scenes.prediction(*where[:3]),
    )
    again = rankings.fixed_broken(a, b, "test")
    assert not counted and again.sample_ids == found.sample_ids and again.scored == found.scored
    np.testing.assert_array_equal(np.asarray(again.fixed), np.asarray(found.fixed))
    np.testing.assert_array_equal(np.asarray(again.broken), np.asarray(found.broken))
    trained.workspace.runs.open(f"{b}--test").write_status(finished=2e9)
    np.testing.assert_array_equal(rankings.fixed_broken(a, b, "test").net, found.net)
    assert counted


def test_what_is_not_there_is_not_offered_and_refused(trained) -> None:
    rankings = trained.workspace.rankings
    assert "difference" not in rankings.offered(trained.members[0], "test")
    assert {"disagreement", "crf_gain"}.isdisjoint(
        rankings.offered(trained.members[0], "test", trained.ensemble)
    )
    with pytest.raises(SegcoreError, match="second run"):
        rankings.order(trained.members[0], "test", "difference")
    with pytest.raises(SegcoreError, match="did you mean 'entropy'"):
        rankings.order(trained.members[0], "test", "entropie")
