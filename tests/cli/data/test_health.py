"""``health`` in the shell: the findings of the Health tab, with their fixes."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from segcore.cli import main


def test_health_names_each_finding_its_images_and_its_fix(workspace, capsys) -> None:
    where = ["health", "tiny", "--workspace", str(workspace.folder)]
    dataset = workspace.datasets.open("tiny")
    twin = dataset.samples
    shutil.copyfile(dataset.folder / twin[0].image, dataset.folder / twin[1].image)
    main([*where, "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["findings"] == [f.to_json() for f in workspace.datasets.health("tiny")]
    (found,) = [f for f in told["findings"] if f["check"] == "duplicates"]
    assert {twin[0].id, twin[1].id} <= set(found["samples"])
    main(where)
    text = capsys.readouterr().out
    for finding in told["findings"]:
        assert f"{finding['level']}: {finding['what']}\n  fix: {finding['fix']}" in text


def test_health_of_an_unknown_dataset_is_a_sentence(workspace, capsys) -> None:
    with pytest.raises(SystemExit) as end:
        main(["health", "nowhere", "--workspace", str(workspace.folder)])
    assert end.value.code == 2 and "Unknown dataset 'nowhere'" in capsys.readouterr().err


def write_masks(folder, masks) -> None:
    for number, mask in enumerate(masks):
        for kind, array in (
            ("images", np.full((*mask.shape[:2], 3), 30 * number)),
            ("masks", mask),
        ):
            (folder / kind / "train").mkdir(parents=True, exist_ok=True)
            Image.fromarray(array.astype(np.uint8)).save(folder / kind / "train" / f"{number}.png")


def left_out(workspace, capsys) -> list[str]:
    capsys.readouterr()
    main(["health", "naive", "--workspace", str(workspace.folder), "--json"])
    findings = json.loads(capsys.readouterr().out)["findings"]
    return [f["what"] for f in findings if f["check"] == "left_out"]


def change(workspace, *words: str) -> None:
    main(["classes", "naive", *words, "--workspace", str(workspace.folder)])


@pytest.fixture
def naive(workspace, tmp_path):
    """Import masks as the dataset "naive"."""

    def importing(masks, table: str = "") -> None:
        write_masks(tmp_path / "naive", masks)
        if table:
            (tmp_path / "naive" / "classes.csv").write_text(table)
        main(["import", str(tmp_path / "naive"), "--workspace", str(workspace.folder)])

    return importing


def test_colours_that_were_named_or_ignored_are_no_finding_any_more(
    workspace, naive, capsys
) -> None:
    colors = np.array([[255, 0, 0], [0, 0, 255], [0, 0, 0]], np.uint8)
    masks = [colors[np.arange(64).reshape(8, 8) // 8 % (2 + n % 2)] for n in range(4)]
    naive(masks, "name,color\nUnlabeled,#ff0000\n")
    first = left_out(workspace, capsys)
    assert [what for what in first if "'Unlabeled' is scored" in what]
    assert [what for what in first if "does not declare" in what]
    change(workspace, "--rename", "#0000ff=Sea")
    half = left_out(workspace, capsys)
    assert half == first  # black has no name yet
    change(workspace, "--ignore", "#000000")
    assert [what for what in left_out(workspace, capsys) if "does not declare" in what] == []
    change(workspace, "--ignore", "Unlabeled")
    assert left_out(workspace, capsys) == []


def test_ids_without_names_are_a_finding_until_each_has_one(workspace, naive, capsys) -> None:
    naive([np.arange(64).reshape(8, 8) // 8 % 3 for _ in range(4)])
    assert any("declares no classes" in what for what in left_out(workspace, capsys))
    change(workspace, "--rename", "class 0=land", "--rename", "class 1=sea")
    assert any("declares no classes" in what for what in left_out(workspace, capsys))
    change(workspace, "--ignore", "class 2")
    assert left_out(workspace, capsys) == []
