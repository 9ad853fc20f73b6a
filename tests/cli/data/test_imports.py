"""The import command's own rules for names and bands."""

import json

import numpy as np
import pytest

from segcore.cli import main
from segcore.data.files.images import encode_png
from segcore.whole_files import write_bytes


@pytest.fixture
def source(tmp_path):
    for number in range(2):
        write_bytes(tmp_path / f"in/s{number}.png", encode_png(np.zeros((3, 4, 3), np.uint8)))
        write_bytes(
            tmp_path / f"in/s{number}-truth.png", encode_png(np.array([[0, 1, 1, 0]] * 3, np.uint8))
        )
    return tmp_path / "in"


def test_masks_are_named_by_a_suffix(source, tmp_path, capsys):
    argv = ["import", str(source), "--name", "set", "--workspace", str(tmp_path / "ws"), "--json"]
    main([*argv, "--mask-suffix=-truth"])
    assert json.loads(capsys.readouterr().out)["num_samples"] == 2


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("--match=((a+)+)", "a repeat within a repeat"),
        ("--bands=1,x,2", "one or three bands"),
        ("--mask-suffix=a/b", "give no folders"),
    ],
)
def test_a_bad_rule_is_a_sentence_and_exit_code_2(source, tmp_path, capsys, option, sentence):
    with pytest.raises(SystemExit) as end:
        main(["import", str(source), "--name", "set", "--workspace", str(tmp_path / "ws"), option])
    assert end.value.code == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "ws/datasets/set").exists()


@pytest.mark.parametrize("flat", [True, False])
def test_an_import_says_that_splits_are_missing_and_how_to_make_them(tmp_path, capsys, flat):
    for part in ("",) if flat else ("train", "val"):
        write_bytes(
            tmp_path / "in/images" / part / "s.png", encode_png(np.zeros((3, 4, 3), np.uint8))
        )
        write_bytes(
            tmp_path / "in/masks" / part / "s.png",
            encode_png(np.array([[0, 1, 1, 0]] * 3, np.uint8)),
        )
    main(["import", str(tmp_path / "in"), "--name", "set", "--workspace", str(tmp_path / "ws")])
    assert ("segscope split set" in capsys.readouterr().out) == flat
