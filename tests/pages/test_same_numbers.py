"""Every score that has an interval is one number: on the page, in the shell, in the API, in the report."""

import json
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from segcore.api.learning import TrainedModel
from segcore.cli import main
from tests.pages import interval_walks as walks
from tests.pages import interval_walks_of_labs as labs

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def all_surfaces(trained, made_up, open_page, read, capsys, tmp_path, started):
    """Page, shell, API and report over ``trained``."""
    run, other = trained.members
    workspace = trained.workspace

    def shell(*words: Any) -> Any:
        capsys.readouterr()
        main([*map(str, words), "--workspace", str(workspace.folder), "--json"])
        return json.loads(capsys.readouterr().out)

    def finish(name: str, work: Callable[..., None]) -> None:
        folder, now = workspace.runs.open(name), time.time()
        work(folder)
        folder.write_status(state="finished", started=now, finished=now + 1, progress=1.0)

    def page(name: str, **query: Any) -> SimpleNamespace:
        at = open_page(name, **query)
        return SimpleNamespace(
            at=at,
            text=" ".join(e.value for kind in (at.markdown, at.caption) for e in kind),
            metrics=read.metrics(at),
            help={m.label: m.help for m in at.metric},
            delta={m.label: m.delta for m in at.metric},
            figure=lambda key: read.figure(at, key),
            table=lambda column: next(d.value for d in at.dataframe if column in d.value),
            click=lambda key: read.check(at.button(key=key).click().run()),
        )

    params = {
        "dataset": "tiny",
        "workspace": str(workspace.folder),
        "label_scores": str(tmp_path / "scores.csv"),
        "encoder": "tiny",
        "weights": "none",
    }
    return SimpleNamespace(
        workspace=workspace,
        made_up=made_up,
        run=run,
        other=other,
        members=trained.members,
        ensemble=trained.ensemble,
        shell=shell,
        page=page,
        finish=finish,
        out=tmp_path / "report.html",
        model=TrainedModel((run,), workspace),
        params=params,
    )


WALKS = (
    walks.headline_and_classes,
    walks.differences,
    walks.planned_and_covered,
    walks.pixels,
    labs.of_ensembles,
    labs.of_the_crf,
    labs.of_merges,
    labs.of_backing_off,
    walks.of_slices_and_corruptions,
    labs.of_one_network,
    walks.of_ablations,
    walks.of_learning_curves,
    walks.of_retraining,
)


def test_a_score_is_the_same_number_wherever_it_is_shown(all_surfaces) -> None:
    seen, wrong, bounded = [], [], set()
    for walk in WALKS:
        for name, wanted, found in walk(all_surfaces):
            assert found, name
            bounded |= {name} if not np.isnan(wanted).any() else set()
            for where, shown in found:
                seen.append((name, where))
                if isinstance(shown[0], str):
                    text, words = shown
                    same = all(word in text for word in words)
                else:
                    same = shown == pytest.approx(wanted, abs=1e-6, nan_ok=True)
                if not same:
                    wrong.append((name, where, wanted, shown))
    assert not wrong
    assert len(bounded) > 60  # most scores of three images have an interval here
    assert len({where for _, where in seen}) >= 5 and len(seen) > 150
