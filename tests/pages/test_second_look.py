"""A rerun that changed nothing computes nothing: no counts are unpacked at the second look."""

import pytest

from segcore.evaluation.metrics import report
from segcore.runs.folder import run_folder
from segcore.workspace.scores import scores

LOOKS = ("evaluate", "compare", "compress", "ensemble")


@pytest.mark.parametrize("name", LOOKS)
def test_the_second_look_unpacks_and_scores_nothing(trained, open_page, monkeypatch, name) -> None:
    unpacked: list[int] = []
    scored: list[int] = []
    documents: list[int] = []
    decode, evaluate, to_json = run_folder.decode_counts, scores.evaluate, report.Report.to_json
    monkeypatch.setattr(
        run_folder, "decode_counts", lambda data: unpacked.append(len(data)) or decode(data)
    )
    monkeypatch.setattr(
        scores, "evaluate", lambda *given, **named: scored.append(1) or evaluate(*given, **named)
    )
    monkeypatch.setattr(report.Report, "to_json", lambda self: documents.append(1) or to_json(self))
    at = open_page(name, run=trained.ensemble, split="test")
    first = len(unpacked), len(scored), len(documents)
    at.run()
    assert not at.exception
    assert (len(unpacked), len(scored), len(documents)) == first


def test_changed_classes_end_in_a_sentence_on_every_page(trained, open_page) -> None:
    labels = trained.workspace.datasets.open("tiny").label_set
    after = type(labels)(labels.classes[:-1], (*labels.ignored, labels.classes[-1]))
    trained.workspace.datasets.relabel("tiny", after)
    for page in ("evaluate", "compare", "compress"):
        at = open_page(page, run=trained.members[0], split="test")
        assert any("changed after the run" in error.value for error in at.error), page
