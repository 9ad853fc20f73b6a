"""``masks`` in the shell: versions listed, an earlier one put back, a mask taken from a file."""

import json

import numpy as np
import pytest
from PIL import Image

from segcore.cli import main


@pytest.fixture
def shell(workspace, capsys):
    def run(*words: object, as_json: bool = True):
        end = ["--json"] if as_json else []
        main(["masks", "tiny", *map(str, words), "--workspace", str(workspace.folder), *end])
        said = capsys.readouterr().out
        return json.loads(said) if as_json else said

    return run


def test_a_file_becomes_the_mask_and_the_first_version_comes_back(workspace, shell, tmp_path):
    original = workspace.masks.open("tiny", "test/scene_0").mask
    edited = original.copy()
    edited[:4] = 2
    Image.fromarray(edited).save(tmp_path / "mask.png")
    assert shell()["edited"] == []
    told = shell("test/scene_0", "--save", tmp_path / "mask.png", "--by", "ada")
    assert told["in_use"] == 2 and told["versions"][1]["origin"] == "file mask.png"
    assert np.array_equal(workspace.masks.open("tiny", "test/scene_0").mask, edited)
    told = shell("test/scene_0", "--restore", 1)
    assert told["in_use"] == 3 and told["versions"][2]["author"]
    assert np.array_equal(workspace.masks.open("tiny", "test/scene_0").mask, original)
    assert shell()["edited"] == [{"image": "test/scene_0", "versions": 3}]
    text = shell("test/scene_0", as_json=False)
    assert "3 *" in text and "version 1" in text and "ada" in text


def test_what_fits_no_mask_is_a_sentence(workspace, tmp_path, capsys) -> None:
    Image.fromarray(np.zeros((5, 5), np.uint8)).save(tmp_path / "small.png")
    for words, told in (
        (["test/scene_0", "--save", tmp_path / "small.png"], "32 x 48"),
        (["test/scene_0", "--save", tmp_path / "none.png"], "none.png"),
        (["test/scene_0", "--restore", 7], "from 1 to 1"),
        (["nowhere"], "Unknown sample"),
        (["--restore", 1], "id of an image"),
        (["test/scene_0", "--restore", 1, "--save", "x.png"], "received both"),
    ):
        with pytest.raises(SystemExit):
            main(["masks", "tiny", *map(str, words), "--workspace", str(workspace.folder)])
        assert told in capsys.readouterr().err
    assert workspace.masks.edited("tiny") == []
