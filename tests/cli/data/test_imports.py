"""The import command's own rules for names and bands."""

import json

import numpy as np
import pytest

from segcore.cli import main
from segcore.data.files.images import encode_png
from segcore.data.formats.importers.class_tables import TRUTHS
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


def write_scene(folder) -> None:
    mask = np.array([[0, 1, 1, 0]] * 3, np.uint8)
    write_bytes(folder / "images/train/s.png", encode_png(np.zeros((3, 4, 3), np.uint8)))
    write_bytes(folder / "masks/train/s.png", encode_png(mask))


def test_an_import_says_which_class_table_it_read(tmp_path, capsys):
    write_scene(tmp_path / "in")
    (tmp_path / "in/classes.csv").write_text("id,name\n0,sky\n1,road\n")
    where = ["--workspace", str(tmp_path / "ws")]
    (tmp_path / "in/classes.json").write_text('["sky", "road"]')
    main(["import", str(tmp_path / "in"), "--name", "same", *where])
    said = capsys.readouterr().out
    assert "2 classes, from classes.csv: " in said and "declares others" not in said
    (tmp_path / "in/classes.json").write_text('["air", "ground"]')
    main(["import", str(tmp_path / "in"), "--name", "other", *where])
    said = capsys.readouterr().out
    assert "the classes are read from classes.csv; classes.json declares others: remove" in said


def test_classes_that_nothing_declares_come_from_nowhere(source, tmp_path, capsys):
    words = ["--name", "set", "--mask-suffix=-truth", "--workspace", str(tmp_path / "ws")]
    main(["import", str(source), *words, "--json"])
    assert json.loads(capsys.readouterr().out)["classes_from"] == ""


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ("classes.csv", "id,name,ignore\n0,sky,ye\n1,road,no\n"),
        ("classes.json", '[{"name": "sky", "ignore": "ye"}, {"name": "road"}]'),
    ],
)
def test_a_wrong_word_for_ignore_is_answered_by_all_that_fit(tmp_path, capsys, table, text):
    write_scene(tmp_path / "in")
    (tmp_path / "in" / table).write_text(text)
    with pytest.raises(SystemExit):
        main(["import", str(tmp_path / "in"), "--workspace", str(tmp_path / "ws")])
    said = capsys.readouterr().err
    assert "'ye'" in said and all(word in said for word in TRUTHS)


def test_colours_without_a_name_are_named_before_splits_are_made(tmp_path, capsys):
    mask = np.zeros((3, 4, 3), np.uint8)
    mask[:, 2:] = (132, 41, 246)
    write_bytes(tmp_path / "in/images/s.png", encode_png(np.zeros((3, 4, 3), np.uint8)))
    write_bytes(tmp_path / "in/masks/s.png", encode_png(mask))
    main(["import", str(tmp_path / "in"), "--name", "set", "--workspace", str(tmp_path / "ws")])
    first, then = capsys.readouterr().out.strip().splitlines()[-2:]
    assert first.startswith("Next, name the classes: segscope classes set --rename '#")
    assert "#8429f6" in first and then.startswith("Then make splits: segscope split set (")


def test_a_refused_import_lists_its_problems_and_ends_in_the_error(tmp_path, capsys) -> None:
    for number in range(53):
        write_bytes(tmp_path / f"in/images/s{number:02}.png", encode_png(np.zeros((4, 6, 3), "u1")))
        write_bytes(tmp_path / f"in/masks/s{number:02}.png", encode_png(np.eye(2, dtype="u1")))
    with pytest.raises(SystemExit):
        main(["import", str(tmp_path / "in"), "--name", "set", "--workspace", str(tmp_path / "ws")])
    out, err = capsys.readouterr()
    first, *listed, error = err.splitlines()
    assert (out, first) == ("", "53 problems:")
    assert "  s00: Expected a mask of 4 x 6 pixels" in listed[0] and "  s49: " in listed[49]
    assert listed[50:] == ["  ... and 3 more"]
    assert error.startswith("segscope: Expected at least one sound ") and "is s00: " in error
