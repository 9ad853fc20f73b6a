"""Datasets are listed and deleted in the shell; what advises to delete one names the command."""

from pathlib import Path

import pytest

from segcore.cli import main


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]):
    """Run a command in a workspace: exit code, output, error."""

    def run(workspace, *words: object) -> tuple[int, str, str]:
        code = 0
        try:
            main([*map(str, words), "--workspace", str(workspace.folder)])
        except SystemExit as end:
            code = int(end.code or 0)
        return code, *capsys.readouterr()

    return run


def test_a_dataset_is_deleted_and_others_stay(workspace, shell) -> None:
    workspace.splits.make_folds("tiny", 2, "random", 0)
    assert shell(workspace, "datasets", "delete", "tiny-fold-1", "tiny-fold-2") == (
        0,
        "Deleted tiny-fold-1, tiny-fold-2.\n",
        "",
    )
    assert workspace.datasets.names() == ["tiny"]
    assert workspace.history.actions(1)[0].what == "Deleted the dataset tiny-fold-2"


def test_a_damaged_dataset_is_deleted_too(workspace, shell) -> None:
    (workspace.datasets.folder / "tiny" / "dataset.json").write_text("{")
    assert shell(workspace, "datasets", "delete", "tiny")[0] == 0
    assert workspace.datasets.names() == []


def test_nothing_is_deleted_where_one_name_is_wrong_or_missing(workspace, shell) -> None:
    code, _, error = shell(workspace, "datasets", "delete", "tiny", "tinny")
    assert code == 2 and error.startswith("segscope: Unknown dataset 'tinny'")
    code, _, error = shell(workspace, "datasets", "delete")
    assert code == 2 and "segscope datasets delete DATASET" in error
    assert workspace.datasets.names() == ["tiny"]
    for words in (("list", "tiny"), ("tiny",)):
        code, _, error = shell(workspace, "datasets", *words)
        assert code == 2 and "segscope stats tiny" in error
    code, _, error = shell(workspace, "datasets", "restore", "tiny")
    assert (code, error) == (
        2,
        "segscope: Unknown action 'restore': expected one of delete, list.\n",
    )


def test_a_dataset_of_runs_is_deleted_only_when_asked_twice(trained, shell) -> None:
    workspace = trained.workspace
    code, _, error = shell(workspace, "datasets", "delete", "tiny")
    assert code == 2 and "add --yes" in error and error.count("\n") == 1
    assert workspace.datasets.names() == ["tiny"]
    assert shell(workspace, "datasets", "delete", "tiny", "--yes")[0] == 0
    assert workspace.datasets.names() == [] and workspace.runs.ids()


def test_splits_that_runs_were_trained_on_change_only_when_asked_twice(trained, shell) -> None:
    workspace = trained.workspace
    before = workspace.datasets.open("tiny").fingerprint
    random = ("split", "tiny", "--method", "random", "--seed", 5)
    code, _, error = shell(workspace, *random)
    assert code == 2 and error == (
        "segscope: Expected --yes to change the splits of 'tiny', received none: "
        f"{workspace.splits.trained_on('tiny')}\n"
    )
    assert "2 runs were trained on the current splits. Scores on other" in error
    assert workspace.datasets.open("tiny").fingerprint == before
    assert shell(workspace, "split", "tiny", "--folds", 2)[0] == 0
    assert shell(workspace, *random, "--yes")[0] == 0
    assert workspace.datasets.open("tiny").fingerprint != before
    assert shell(workspace, "split", "tiny", "--undo")[0] == 2
    assert shell(workspace, "split", "tiny", "--undo", "--yes")[0] == 0
    assert workspace.datasets.open("tiny").fingerprint == before


@pytest.mark.parametrize("words", [("import",), ("split", "tiny", "--folds", "2")])
def test_a_name_that_is_taken_says_how_to_delete_it(
    workspace, shell, tmp_path: Path, words
) -> None:
    workspace.splits.make_folds("tiny", 2, "random", 0)
    if words == ("import",):
        words = ("import", tmp_path, "--name", "tiny")
    code, _, error = shell(workspace, *words)
    command = error.partition("segscope datasets delete ")[2].partition(")")[0]
    assert code == 2 and command in ("tiny", "tiny-fold-1 tiny-fold-2")
    assert shell(workspace, "datasets", "delete", *command.split())[0] == 0
    if words[0] == "split":
        assert shell(workspace, *words)[0] == 0
