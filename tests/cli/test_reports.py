"""The report command: one file that opens offline, the same numbers as JSON, a table with ``;``; steps ticked by the shell."""

import json
from functools import partial

import pytest

from tests.shells import run_shell


@pytest.fixture
def shell(trained, capsys):
    """Run a command in the workspace of ``trained``: its exit code, standard output and error."""
    return partial(run_shell, capsys, trained.workspace.folder)


def test_one_page_one_table_one_document(trained, shell, tmp_path) -> None:
    first, second = trained.members
    page, table = tmp_path / "new folder" / "report.html", tmp_path / "scores.csv"
    code, out, _ = shell("report", first, second, "--out", page, "--csv", table, "--json")
    assert code == 0
    made = json.loads(out)
    assert made["files"] == [str(page), str(table)]
    assert made["reports"][first] == trained.workspace.scores.report(first, "test").to_json()
    assert page.read_text().startswith("<!doctype html>") and second in page.read_text()
    lines = table.read_text().splitlines()
    assert lines[0].startswith("id;name;support;iou;") and len(lines) == 5
    assert [p.name for p in page.parent.iterdir()] == ["report.html"]


def test_a_person_reads_scores_and_where_the_page_lies(trained, shell, tmp_path) -> None:
    code, out, _ = shell(
        "report", trained.ensemble, "--out", tmp_path / "report.html", "--split", "test"
    )
    assert code == 0
    assert f"{trained.ensemble} (crf)" in out and f"Wrote {tmp_path / 'report.html'}" in out


def test_what_the_shell_did_is_ticked_on_the_start_page(trained, shell, tmp_path) -> None:
    member = trained.members[0]
    for words in (
        ("health", "tiny"),
        ("balance", "tiny"),
        ("evaluate", trained.ensemble),
        ("compress", member, "--split", "test"),
        ("report", trained.ensemble, "--out", tmp_path / "report.html"),
    ):
        assert shell(*words)[0] == 0
    done = trained.workspace.checklist.done()
    assert all(done[step] for step in ("health", "balance", "judge", "merge", "report"))


def test_a_mistake_is_one_sentence(shell, tmp_path) -> None:
    code, out, err = shell("report", "nothing-1", "--out", tmp_path / "report.html")
    assert (code, out) == (2, "") and "nothing-1" in err and len(err.splitlines()) == 1
    assert not (tmp_path / "report.html").exists()


def test_a_folder_that_cannot_be_written_is_told(trained, shell, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    code, _, err = shell("report", trained.members[0], "--out", tmp_path / "file" / "report.html")
    assert code == 2 and "Could not write" in err
