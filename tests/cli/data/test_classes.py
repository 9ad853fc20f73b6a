"""``classes`` in the shell: listed, renamed, recoloured, ignored and taken up again."""

import json

import pytest

from segcore.cli import main


def test_classes_are_renamed_recoloured_ignored_and_scored_again(workspace, capsys) -> None:
    def shell(*words: object) -> dict:
        main(["classes", "tiny", *map(str, words), "--workspace", str(workspace.folder), "--json"])
        return json.loads(capsys.readouterr().out)

    before = shell()
    assert before["changed"] is False
    first, second, *_ = before["classes"]
    told = shell("--rename", f"{first['name']}=open land", "--color", f"{second['name']}=#123456")
    assert (
        told["changed"]
        and told["classes"][0]["name"] == "open land"
        and told["classes"][1]["color"] == "#123456"
    )
    scored = len(before["classes"])
    told = shell("--ignore", "open land", "--yes")
    assert len(told["classes"]) == scored - 1 and "open land" in [
        c["name"] for c in told["ignored"]
    ]
    assert workspace.datasets.open("tiny").label_set.num_classes == scored - 1
    told = shell("--score", first["id"], "--safe-colors", "--yes")
    assert len(told["classes"]) == scored and told["classes"][-1]["name"] == "open land"
    assert workspace.datasets.statistics("tiny").pixels.sum() > 0


@pytest.mark.parametrize(
    "words",
    [
        ["--rename", "nothing"],
        ["--rename", "no such=x"],
        ["--color", "0=blue"],
        ["--ignore", "no such"],
    ],
)
def test_a_wrong_wish_is_a_sentence_and_changes_nothing(workspace, capsys, words) -> None:
    before = workspace.datasets.open("tiny").label_set
    with pytest.raises(SystemExit):
        main(["classes", "tiny", *words, "--workspace", str(workspace.folder)])
    assert "Expected" in capsys.readouterr().err
    assert workspace.datasets.open("tiny").label_set == before
