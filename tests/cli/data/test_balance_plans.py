"""The shell's balance, export and grouped splits."""

import json
import re

import numpy as np
import pytest

from segcore.cli import main
from segcore.formatting import frequency
from segcore.workspace import Workspace


@pytest.fixture
def shell(workspace, capsys):
    """Run a command in the workspace: exit code, standard output and standard error."""

    def run(*words: object) -> tuple[int, str, str]:
        code = 0
        try:
            main([*map(str, words), "--workspace", str(workspace.folder)])
        except SystemExit as end:
            code = int(end.code or 0)
        return code, *capsys.readouterr()

    return run


def test_balance_tells_its_contract_and_saves_the_plan(shell, workspace) -> None:
    code, out, _ = shell(
        "balance",
        "tiny",
        "--split",
        "train",
        "--mode",
        "count",
        "--max-repeats",
        3,
        "--save",
        "even",
        "--json",
    )
    told = json.loads(out)
    assert code == 0
    assert set(told) >= {"before", "after", "floor", "copies", "effective_sample_size", "repeats"}
    repeats = np.array(list(told["repeats"].values()))
    assert told["copies"] == repeats.sum() - 6 and repeats.max() <= 3
    assert told["effective_sample_size"] == pytest.approx(repeats.sum() ** 2 / (repeats**2).sum())
    assert told["floor"] <= told["after"] <= told["before"]
    assert workspace.datasets.open("tiny").load_plan("even")["repeats"] == told["repeats"]


def test_balance_in_words(shell) -> None:
    code, out, _ = shell("balance", "tiny", "--budget", 0, "--save", "none")
    assert code == 0 and "6 images, 0 copies of 0 of them" in out and "--balance-plan none" in out


def cells(text: str, header: str) -> list[list[str]]:
    """The cells of the table whose first column is called ``header``."""
    rows = text[text.index(f"\n{header} ") :].strip().split("\n\n")[0].splitlines()
    return [re.split(r" {2,}", row.strip()) for row in rows if not row.startswith("--")]


def test_balance_shows_each_class_before_and_after(shell) -> None:
    told = json.loads(shell("balance", "tiny", "--mode", "count", "--json")[1])
    text = shell("balance", "tiny", "--mode", "count")[1]
    header, *rows = cells(text, "class")
    assert header == ["class", "share before", "share after"]
    wanted = zip(told["classes"], told["shares_before"], told["shares_after"], strict=True)
    assert rows == [[name, frequency(before), frequency(after)] for name, before, after in wanted]
    assert "by image: 6 images" in text and "floor: no plan" in text


def test_by_image_is_by_count(shell) -> None:
    assert shell("balance", "tiny", "--mode", "image") == shell(
        "balance", "tiny", "--mode", "count"
    )
    assert shell("balance", "tiny", "--mode", "image") != shell("balance", "tiny")


def test_stats_says_what_its_figures_are(shell) -> None:
    _, out, _ = shell("stats", "tiny")
    assert [row[0] for row in cells(out, "imbalance")][:3] == ["imbalance", "by pixel", "by image"]
    assert all(word in out for word in ("Distance (earth-mover): ", "Mean IR: ", "SCUMBLE: "))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--mode", "pixels"], "did you mean 'pixel'"),
        (["--max-repeats", 0], "between 1 and"),
        (["--budget", -1], "0 copies or more"),
        (["--target", "unifrom"], "did you mean 'uniform'"),
        (["--save", "a/b"], "plan name"),
        (["--split", "tran"], "did you mean 'train'"),
    ],
)
def test_a_mistake_is_one_sentence_and_saves_nothing(shell, workspace, words, sentence) -> None:
    code, out, err = shell("balance", "tiny", *words)
    assert code == 2 and not out and sentence in err and err.count("\n") == 1
    assert workspace.datasets.open("tiny").plans() == {}


def test_export_and_grouped_splits(shell, workspace, tmp_path) -> None:
    assert shell("export", "tiny", tmp_path / "voc", "--form", "pascal_voc")[0] == 0
    assert len(list((tmp_path / "voc" / "SegmentationClass").glob("*.png"))) == 12
    assert "exists" in shell("export", "tiny", tmp_path / "voc")[2]
    code, _, _ = shell(
        "split",
        "tiny",
        "--method",
        "grouped",
        "--group-by",
        "folder",
        "--validation",
        0.25,
        "--test",
        0.25,
    )
    assert code == 0
    by_folder = {(s.id.split("/")[0], s.split) for s in workspace.datasets.open("tiny").samples}
    assert len(by_folder) == 3


@pytest.mark.slow
@pytest.mark.shared
def test_camvid_train_by_pixel_and_by_count(camvid_folder, tmp_path, capsys) -> None:
    """The floor by pixel lies where the greedy plan ends; weighing each image's pixel shares alike would give .4479."""
    Workspace(tmp_path).datasets.import_(camvid_folder, "camvid", copy=False)
    for mode, before, after, floor, copies in (
        ("pixel", 0.4847, 0.4483, 0.4483, 312),
        ("count", 0.0778, 0.0364, 0.0364, 376),
    ):
        arguments = [
            "balance",
            "camvid",
            "--split",
            "train",
            "--mode",
            mode,
            "--max-repeats",
            "5",
            "--json",
            "--workspace",
            str(tmp_path),
        ]
        main(arguments)
        told = json.loads(capsys.readouterr().out)
        assert [told[k] for k in ("before", "after", "floor")] == pytest.approx(
            [before, after, floor], abs=6e-5
        )
        assert told["copies"] == copies and ("cannot" in told["verdict"]) == (mode == "pixel")


def test_folds_are_made_and_splits_taken_back(shell, workspace) -> None:
    code, out, _ = shell("split", "tiny", "--folds", 3, "--keep-test", "--json")
    told = json.loads(out)
    assert code == 0 and [f["name"] for f in told["folds"]] == [f"tiny-fold-{i}" for i in (1, 2, 3)]
    assert all(f["splits"] == {"train": 6, "validation": 3, "test": 3} for f in told["folds"])
    assert shell("split", "tiny", "--folds", 3)[0] == 2 and workspace.datasets.names()[0] == "tiny"
    before = workspace.datasets.open("tiny").fingerprint
    shell("split", "tiny", "--method", "random", "--seed", 5)
    assert workspace.datasets.open("tiny").fingerprint != before
    code, out, _ = shell("split", "tiny", "--undo")
    assert code == 0 and "undone" in out and workspace.datasets.open("tiny").fingerprint == before


def test_a_target_of_ones_own_and_ordered_classes(shell, workspace) -> None:
    asked = ("balance", "tiny", "--target", "4,3,2,1", "--ground", "ordered", "--json")
    told = json.loads(shell(*asked)[1])
    assert told["target"] == [0.4, 0.3, 0.2, 0.1] and told["ground"] == "ordered"
    gaps = np.cumsum(np.array(told["shares_before"]) - told["target"])[:-1]
    assert told["before"] == pytest.approx(abs(gaps).sum() / 3)
    code, _, error = shell("balance", "tiny", "--target", "4,x,2,1")
    assert code == 2 and "3,2,2,1" in error
