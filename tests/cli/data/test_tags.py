"""``tags`` in the shell: given by patterns and tables, counted, written."""

import json

import pytest

from segcore.cli import main


def test_tags_are_given_by_a_pattern_written_and_read_again(workspace, tmp_path, capsys) -> None:
    def shell(*words: object) -> dict:
        main(["tags", "tiny", *map(str, words), "--workspace", str(workspace.folder), "--json"])
        return json.loads(capsys.readouterr().out)

    told = shell("--images", "test/*", "--add", "night", "--add", "rain")
    assert told["changed"] == 3 and told["tags"] == {"night": 3, "rain": 3}
    told = shell(
        "--images",
        "test/scene_0",
        "--images",
        "*_0",
        "--remove",
        "rain",
        "--write",
        tmp_path / "tags.csv",
    )
    assert told["tags"] == {"night": 3, "rain": 2} and told["samples"]["test/scene_0"] == ["night"]
    (workspace.datasets.folder / "tiny" / "tags.json").unlink()
    assert shell("--read", tmp_path / "tags.csv")["samples"] == told["samples"]


def test_half_a_question_is_a_sentence(workspace, capsys) -> None:
    for words in (["--add", "night"], ["--images", "*"], ["--read", "nowhere.csv"]):
        with pytest.raises(SystemExit):
            main(["tags", "tiny", *words, "--workspace", str(workspace.folder)])
        assert "Expected" in capsys.readouterr().err
