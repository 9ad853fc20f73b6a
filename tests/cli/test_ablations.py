"""The ablation command: what it starts, the table in its forms, and what it refuses."""

import json
from functools import partial

import pytest

from segcore.cli.ablations import parse_rows, parse_seeds
from segcore.cli.command import parse_pairs
from segcore.errors import SegcoreError
from tests.shells import run_shell

ABLATION = {
    "name": "small",
    "base": {
        "model": {"encoder": "tiny", "weights": "none"},
        "recipe": {"epochs": 2, "batch_size": 2},
        "size": [32, 64],
    },
    "seeds": [0],
    "rows": [
        {
            "name": "cross-entropy",
            "heading": "Loss",
            "changes": {"recipe.loss": "cross_entropy"},
            "claim": "hurts",
        },
        {"name": "own file", "changes": {"model.weights": "{own}"}},
    ],
}


@pytest.fixture
def shell(trained, capsys, tmp_path, started):
    """Run a command in the workspace of ``trained``, beside an ablation file ``small.json``: exit code, standard output and error."""
    (tmp_path / "small.json").write_text(json.dumps(ABLATION))

    return partial(run_shell, capsys, trained.workspace.folder)


def test_an_ablation_takes_over_what_is_there_and_writes_its_table(trained, shell, tmp_path):
    code, out, _ = shell(
        "study",
        tmp_path / "small.json",
        "--dataset",
        "tiny",
        "--json",
        "--csv",
        tmp_path / "t.csv",
        "--out",
        tmp_path / "t.md",
    )
    found = json.loads(out)
    assert code == 0 and len(found["queued"]) == 2 == len(
        found["pending"]
    )  # the base is one of ``trained``
    base, row, other = found["rows"]
    assert (
        base["score"]
        == trained.workspace.scores.report(trained.members[0], "test").to_json()["mean_iou"]
    )
    assert (base["state"], row["state"], other["state"]) == ("finished", "waiting", "needs a file")
    assert (
        (tmp_path / "t.csv")
        .read_text()
        .splitlines()[0]
        .startswith("row;heading;differs;against;state")
    )
    assert "| **Loss** |" in (tmp_path / "t.md").read_text()
    code, out, _ = shell("study", "small", "--show")  # by its name, from the workspace
    assert (
        code == 0 and "needs a file" in out and "--weights own=PATH" in out and "Queued" not in out
    )


def test_a_base_with_another_value_is_an_ablation_of_its_own(shell, tmp_path):
    words = ("--dataset", "tiny", "--base", "epochs=3", "--base", "size=32x32", "--show", "--json")
    code, out, _ = shell("study", tmp_path / "small.json", *words)
    found = json.loads(out)
    assert (
        code == 0
        and found["study"]["name"] == "small-epochs-3-size-32x32"
        and found["rows"][0]["state"] == "not run"
    )


def test_what_a_person_can_mend_is_one_sentence(shell, tmp_path):
    for words, sentence in (
        (("small.json", "--dataset", "tiny"), "one of deck, deck-cpu, pretrained"),
        ((tmp_path / "small.json",), "--dataset NAME"),
        (
            (tmp_path / "small.json", "--dataset", "tiny", "--weights", "own=gone.npz"),
            "correct the path",
        ),
        ((tmp_path / "small.json", "--dataset", "tiny", "--rows", "dice"), "Unknown row"),
        (
            (tmp_path / "small.json", "--dataset", "tiny", "--base", "epochs=two"),
            "Expected a whole number for epochs",
        ),
        (
            (tmp_path / "small.json", "--dataset", "tiny", "--base", "epochs=2,3"),
            "one value of epochs",
        ),
    ):
        code, out, told = shell("study", *words)
        assert (code, out) == (2, "") and sentence in told and told.count("\n") == 1


def test_words_of_the_command_line():
    assert parse_pairs(["a=b=c.npz"], "", "") == {"a": "b=c.npz"} and parse_seeds("2, 0,2") == (
        2,
        0,
    )
    with pytest.raises(SegcoreError, match="NAME=PATH"):
        parse_pairs(["a.npz"], "a file as NAME=PATH", "a=a.npz")
    with pytest.raises(SegcoreError, match="whole numbers"):
        parse_seeds("0,-1")
    rows = parse_rows(
        "CRF as a layer, Jaccard distance, classic,Dice",
        {"Jaccard distance, classic", "Jaccard distance"},
    )
    assert rows == ["CRF as a layer", "Jaccard distance, classic", "Dice"]
