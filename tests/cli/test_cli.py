"""The shell: one JSON document on standard output, one sentence and exit code 2 for a mistake."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segcore.cli import main
from segcore.cli.commands import COMMANDS
from segcore.cli.tables import table
from segcore.config import TrainConfig
from segcore.runs.dispatch import throughput_probe
from segcore.runs.folder.run_folder import RunFolder
from tests.promises import MERGE

CLASSES = "id,name,color,ignore\n0,field,#e69f00,false\n1,road,#808080,false\n2,void,#000000,true\n"


def write_pair(
    folder: Path, split: str, stem: str, mask: np.ndarray, size: tuple[int, int] | None = None
) -> None:
    height, width = size or mask.shape
    for kind, array in (("images", np.full((height, width, 3), 90, np.uint8)), ("masks", mask)):
        path = folder / kind / split / f"{stem}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(path)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    for split, count in (("train", 3), ("val", 2), ("test", 2)):
        for number in range(count):
            mask = np.zeros((8, 10), np.uint8)
            mask[: number + 1] = 1
            mask[-1] = 2
            write_pair(folder, split, f"{split}{number}", mask)
    (folder / "classes.csv").write_text(CLASSES)
    return folder


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Run a command in a temporary workspace: its JSON, or the sentence it ended with."""

    def run(*words: object, json_wanted: bool = True):
        arguments = (
            [str(w) for w in words]
            + ["--workspace", str(tmp_path / "workspace")]
            + (["--json"] if json_wanted else [])
        )
        code = 0
        try:
            main(arguments)
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = capsys.readouterr()
        if code:
            assert out == ""
            return code, err
        return json.loads(out) if json_wanted else out

    return run


def test_help_shows_every_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "segcore", "--help"], capture_output=True, text=True, check=True
    )
    for name in COMMANDS:
        assert name in done.stdout


def test_import_then_stats(shell, source: Path) -> None:
    report = shell("import", source, "--name", "tiny")
    assert report["num_samples"] == 7
    assert report["splits"] == {"train": 3, "validation": 2, "test": 2}
    stats = shell("stats", "tiny", "--split", "train")
    assert set(stats) >= {
        "dataset",
        "split",
        "num_samples",
        "ignored_share",
        "classes",
        "imbalance",
    }
    assert [c["id"] for c in stats["classes"]] == [0, 1]
    # three masks of 8 x 10: one row of void each; road has 1 + 2 + 3 rows, field the rest
    assert [c["pixels"] for c in stats["classes"]] == [3 * 70 - 60, 60]
    assert stats["ignored_share"] == pytest.approx(1 / 8)
    assert stats["imbalance"]["pixel"]["earth_mover_distance"] == pytest.approx(150 / 210 - 0.5)
    assert stats["imbalance"]["count"]["earth_mover_distance"] == 0
    assert "tiny, split train: 3 images" in shell(
        "stats", "tiny", "--split", "train", json_wanted=False
    )


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda f: [p.unlink() for p in f.rglob("*") if p.is_file()], "Expected"),
        (
            lambda f: [p.write_bytes(p.read_bytes()[:48]) for p in f.glob("masks/*/*.png")],
            "Expected",
        ),
    ],
    ids=["empty folder", "every mask truncated"],
)
def test_an_import_that_finds_nothing_sound_leaves_nothing(
    shell, source: Path, tmp_path: Path, spoil, sentence: str
) -> None:
    spoil(source)
    code, err = shell("import", source, "--name", "bad")
    assert code == 2
    *problems, error = err.splitlines()
    assert error.startswith(f"segscope: {sentence}")
    assert all(line.startswith("  ") for line in problems[1:])
    datasets = tmp_path / "workspace" / "datasets"
    assert not datasets.exists() or not list(datasets.iterdir())


def test_one_unsound_pair_is_reported_and_the_rest_comes_in(shell, source: Path) -> None:
    write_pair(source, "train", "other-size", np.zeros((8, 10), np.uint8), size=(9, 10))
    write_pair(source, "train", "stranger", np.full((8, 10), 7, np.uint8))
    broken = source / "masks" / "train" / "train0.png"
    broken.write_bytes(broken.read_bytes()[:48])
    report = shell("import", source, "--name", "mixed")
    assert report["num_samples"] == 6
    told = {p["sample"]: p["what"] for p in report["problems"]}
    assert any("other-size" in sample for sample in told)
    assert any("stranger" in sample for sample in told)
    assert any("train0" in sample for sample in told)


@pytest.mark.parametrize("name", ["../evil", "a/b", ".hidden", ""])
def test_a_name_that_leads_outside_is_refused(
    shell, source: Path, name: str, tmp_path: Path
) -> None:
    if name == "":
        return  # an empty name falls back to the source's own
    code, err = shell("import", source, "--name", name)
    assert code == 2
    assert "name" in err
    assert not (tmp_path / "evil").exists()


def test_unknown_names_answer_with_the_nearest(shell, source: Path) -> None:
    shell("import", source, "--name", "tiny")
    code, err = shell("stats", "tinny")
    assert (code, "did you mean 'tiny'" in err) == (2, True)
    code, err = shell("train", "tiny", "--architecture", "unett", "--weights", "none")
    assert (code, "did you mean 'unet'" in err) == (2, True)
    code, err = shell("train", "tiny", "--size", "100x100", "--weights", "none")
    assert (code, "multiple of 32" in err) == (2, True)


def test_masks_of_any_tool_are_scored(shell, source: Path) -> None:
    result = shell(
        "evaluate",
        "--truth",
        source / "masks" / "test",
        "--prediction",
        source / "masks" / "test",
        "--classes",
        source / "classes.csv",
    )
    assert result["num_samples"] == 2
    assert result["size"] == [8, 10]
    assert result["mean_iou"] == 1.0
    assert result["confusion"] == [[110, 0], [0, 30]]
    assert result["interval"]["mean_iou"] == [None, None]  # two images
    assert "No interval from 2 images" in result["how_sure"]


def test_compress_takes_a_table_of_counts(shell, tmp_path: Path) -> None:
    counts = tmp_path / "counts.csv"
    counts.write_text("50,10,0,0\n8,32,0,0\n0,0,70,10\n0,2,8,10\n")
    result = shell("compress", "--confusion", counts)
    assert result["baseline"]["accuracy"] == pytest.approx(0.81)
    assert [row["num_groups"] for row in result["path"]] == [4, 3, 2, 1]
    assert all(set(row) >= MERGE for row in result["path"])


@pytest.mark.parametrize(
    "text",
    ["1,2,3\n4,5,6\n", "1,-2\n3,4\n", "1,x\n3,4\n", ""],
    ids=["not square", "negative", "no number", "empty"],
)
def test_what_is_no_confusion_matrix_is_refused(shell, tmp_path: Path, text: str) -> None:
    counts = tmp_path / "counts.csv"
    counts.write_text(text)
    code, err = shell("compress", "--confusion", counts)
    assert code == 2
    assert err.startswith("segscope: Expected")
    assert err.count("\n") == 1


def test_shares_above_a_whole_are_named_in_per_cent(shell, source: Path) -> None:
    shell("import", source, "--name", "tiny")
    code, err = shell("split", "tiny", "--validation", 0.6, "--test", 0.6)
    assert code == 2
    assert err == (
        "segscope: Expected shares of 0 % or more that sum to 100 %, received train -20 %, "
        "validation 60 %, test 60 %: lower the other shares.\n"
    )


def test_nothing_to_list_is_an_empty_list(shell) -> None:
    assert shell("runs") == {"runs": []}
    assert shell("datasets") == []
    assert "There are no runs yet" in shell("runs", json_wanted=False)


def test_a_table_lines_numbers_up() -> None:
    lines = table(["name", "share"], [["a", "1.5 %"], ["bb", "10.0 %"]]).split("\n")
    assert lines[2].endswith(" 1.5 %")
    assert len(lines[2]) == len(lines[3])


@pytest.mark.parametrize(
    ("words", "pair"),
    [
        (["--architecture", "unet", "--encoder", "resnet50"], ("unet", "resnet50")),
        (["--architecture", "resnet50_unet"], ("unet", "resnet50")),
        (["--architecture", "vgg_pspnet"], ("pspnet", "vgg16")),
    ],
)
def test_a_name_of_older_libraries_is_a_pair(
    shell, source: Path, tmp_path: Path, monkeypatch, words, pair
) -> None:
    launched = []
    monkeypatch.setattr(
        "segcore.workspace.runs.runs.Runs.train",
        lambda self, config, members=1, name="": launched.append(config) or ["one"],
    )
    shell("import", source, "--name", "tiny")
    words = (*words, "--weights", "none", "--size", "96x128", "--no-predict-after")
    started = shell("train", "tiny", *words)
    assert started["runs"] == ["one"]
    assert (launched[0].model.architecture, launched[0].model.encoder) == pair


def test_a_pace_is_measured_instead_of_a_start(
    shell, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell("import", source, "--name", "tiny")
    told = {
        "format": 1,
        "seconds_per_epoch": 30.0,
        "images_per_second": 2.5,
        "steps": 6,
        "memory": 3 << 29,
        "device": "CPU",
    }

    def start(folder: Path, key: str, config: TrainConfig) -> None:
        run = RunFolder.create(throughput_probe.probes_folder(folder), key, config)
        run.write_json("pace", {**told, "measured": 1e9})
        run.write_json("beside", {"runs": ["a", "b"]})
        run.write_status(state="finished")

    monkeypatch.setattr(throughput_probe, "start", start)
    words = (
        "train",
        "tiny",
        "--encoder",
        "tiny",
        "--weights",
        "none",
        "--size",
        "32x32",
        "--epochs",
        8,
        "--measure",
    )
    assert shell(*words)["pace"]["epoch_seconds"] == 30.0
    shutil.rmtree(next(source.parent.glob("workspace/paces/*")))
    said = shell(*words, json_wanted=False)
    assert "One epoch with validation takes 30.0 s; 8 epochs take 4 min." in said
    assert "2.5 images/s, peak memory 1.5 GiB; 6 steps on CPU." in said
    assert "2 other runs ran meanwhile" in said
    assert shell("runs")["runs"] == []
