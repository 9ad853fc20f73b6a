"""Scores of masks that were edited since: told on the pages, and counted anew by a click."""

import time

from segcore.runs.folder.environment import note_environment


def _score(workspace, run: str) -> float:
    return workspace.scores.report(run, "test").summary().mean_iou


def _offer(at) -> list:
    return [b for b in at.button if b.label == "Score with the new masks"]


def test_old_scores_are_told_and_counted_anew(trained, open_page, read):
    workspace, run = trained.workspace, trained.members[0]
    for name in workspace.runs.ids():
        note_environment(workspace.runs.open(name).folder)
    time.sleep(0.005)  # versions are dated to the millisecond
    at = open_page("evaluate", run=run, split="test")
    assert not _offer(at)
    opened = workspace.masks.open("tiny", "test/scene_1")
    mask = opened.mask.copy()
    mask[:10] = 2
    workspace.masks.save("tiny", "test/scene_1", mask, based_on=opened.digest)
    runs = open_page("runs", run=run)
    (table,) = [frame.value for frame in runs.dataframe if "data" in frame.value.columns]
    assert set(table["data"]) == {"changed since: 1 mask"}
    before = _score(workspace, run)
    at = open_page("evaluate", run=run, split="test")
    assert any("1 mask of **test** changed" in m.value for m in at.markdown)
    both = open_page("evaluate", run=run, split="test", tab="A/B test")  # of A and of B
    assert len(_offer(both)) == 2
    at = read.check(_offer(at)[0].click().run())
    assert _score(workspace, run) != before
    assert not _offer(at)
    shown = next(m.value for m in at.markdown if m.value.startswith("### Mean IoU"))
    assert f"{100 * _score(workspace, run):.1f}" in shown
