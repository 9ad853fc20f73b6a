"""The checklists of docs/architecture.md and docs/add-an-architecture.md, followed literally.

In a copy of the program a thing is added by editing the files that its checklist names, no others,
and the contract tests are run there.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NEW = None
"""Stands for the whole of a new file."""

COMMAND = '''"""The command greet."""

from segcore.cli.command import Command

GREETING_COMMANDS = {
    "greet": Command("greet", lambda parser: None, lambda options: {"hello": 1}, str)
}
'''
PAGE = '''"""A page."""

from segcore.ui.shared import session

session.workspace()
session.header("Hello", "A page.")
session.choose_dataset()
'''
IMPORTER = '''"""Folders with a file twins.txt, read as paired folders."""

from dataclasses import replace

from segcore.data.formats.importers import paired_folders
from segcore.data.formats.importers.source import Layout, Source


def matches(source: Source) -> bool:
    """Whether there is a file twins.txt."""
    return (source.root / "twins.txt").is_file()


def read(source: Source) -> Layout:
    """Read it as paired folders."""
    return replace(paired_folders.read(source), title="Twins")
'''
DECODER = '''"""A decoder of one scale."""

from typing import Any

from segcore.models.layers.blocks import logits
from segcore.models.layers.features import Features


def build_one_scale(features: Features, num_classes: int) -> Any:
    """Score the features at stride 8."""
    return logits(features[8], num_classes)
'''
ENCODER = '''"""An encoder."""

from typing import Any

import keras

from segcore.models.encoders.recipe import PLUS_MINUS_ONE, Recipe, at
from segcore.models.layers.blocks import conv


def build_short(image: Any) -> keras.Model:
    """Halve five times."""
    x = image
    for stride in (2, 4, 8, 16, 32):
        x = conv(x, 8, f"short_{stride}", strides=2)
    return keras.Model(keras.utils.get_source_inputs(image), x)


RECIPES: dict[str, Recipe] = {
    "short": Recipe(
        build_short,
        PLUS_MINUS_ONE,
        at(*(f"short_{s}_relu" for s in (2, 4, 8, 16, 32))),
        False,
    )
}
'''
NETWORKS = "segcore/catalog/networks.py"
ARCHITECTURE = """    "one_scale": Architecture(
        "One scale",
        "Scores at stride 8.",
        _FCN,
        year=2015,
        builder="one_scale:build_one_scale",
        costs=(Cost(0.1, 1, 1), Cost(0.1, 1, 1)),
    ),
"""
ENCODER_ROW = """    "short": Encoder(
        "Short",
        "Five convolutions.",
        _FCN,
        year=2015,
        imagenet=False,
        parameters=0.1,
        recipe="short",
        cost=Cost(0.1, 9, 1),
        width=32,
    ),
"""
PANEL_KIND = """  "overlay": {
    "meaning": "Classes, whatever else is shown.",
    "plane": "mask", "look": "overlay", "key": "classes", "probe": "class",
    "export": "classes", "reference": null
  },
"""
LOOK = """  overlay: (wardrobe, panel, state) => ({
    layer: wardrobe.classes(panel, state), judged: false, plain: false,
  }),
"""
Edits = dict[str, list[tuple[str | None, str]]]
"""By file: (text that a new one is written behind, the new text); NEW for a whole new file."""

Thing = tuple[Edits, list[list[str]]]
"""What is edited, and the contracts that must hold then: words of a program, or (tests, -k)."""

THINGS: dict[str, Thing] = {
    "command": (
        {
            "segcore/cli/greeting.py": [(NEW, COMMAND)],
            "segcore/cli/commands.py": [
                (
                    "from segcore.cli.ensembles import ENSEMBLE_COMMANDS\n",
                    "from segcore.cli.greeting import GREETING_COMMANDS\n",
                ),
                ("    **DATASET_COMMANDS,\n", "    **GREETING_COMMANDS,\n"),
            ],
        },
        [
            ["-m", "segcore", "greet", "--json"],
            ["tests/cli/test_cli.py", "shows_every_command"],
        ],
    ),
    "page": (
        {
            "pages/hello.py": [(NEW, PAGE)],
            "app.py": [
                (
                    '        "": [st.Page("pages/home.py", title="Start", '
                    'icon=":material/home:", default=True)],\n',
                    '        "Hello": [st.Page("pages/hello.py", title="Hello")],\n',
                )
            ],
        },
        [["tests/pages/test_every_page.py", "hello and gone"]],
    ),
    "panel kind": (
        {
            "segcore/ui/viewer/panel_kinds.json": [("{\n", PANEL_KIND)],
            "segcore/ui/viewer/kinds.js": [("const LOOKS = {\n", LOOK)],
        },
        [["tests/ui/viewer/test_panel_kinds.py", "overlay"]],
    ),
    "importer": (
        {
            "segcore/data/formats/importers/twins.py": [(NEW, IMPORTER)],
            "segcore/data/formats/importers/__init__.py": [
                ("    road_scenes,\n", "    twins,\n"),
                (
                    "READERS: dict[str, Reader] = {\n",
                    '    "twins": Reader("Twins", twins.matches, twins.read),\n',
                ),
            ],
        },
        [["-c", "from segcore.data.formats.importers import READERS; READERS['twins']"]],
    ),
}
NETWORK_THINGS: dict[str, Thing] = {
    "loss": (
        {
            "segcore/training/losses/losses.py": [
                (
                    '    "boundary": BoundaryLoss,\n',
                    '    "squared_dice": partial(RegionLoss, 0.5, 0.5, 2.0),\n',
                )
            ],
            "segcore/catalog/recipe.py": [
                (
                    "LOSSES: dict[str, Choice] = {\n",
                    '    "squared_dice": Choice("Squared Dice", "Dice, exponent 2."),\n',
                )
            ],
        },
        [
            [
                "tests/training/losses/test_losses.py",
                "squared_dice and not plain_twin",  # a proof is written beside it
            ],
            ["tests/api/test_api.py", "losses_add_up"],
        ],
    ),
    "decoder": (
        {
            "segcore/models/decoders/one_scale.py": [(NEW, DECODER)],
            NETWORKS: [("ARCHITECTURES: dict[str, Architecture] = {\n", ARCHITECTURE)],
        },
        [["tests/models/test_build.py", "one_scale"], ["tests/catalog", "one_scale"]],
    ),
    "encoder": (
        {
            "segcore/models/encoders/short.py": [(NEW, ENCODER)],
            NETWORKS: [("ENCODERS: dict[str, Encoder] = {\n", ENCODER_ROW)],
        },
        [
            ["tests/models/encoders/test_encoders.py", "short"],
            ["tests/catalog", "short or builders"],
        ],
    ),
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the program and its tests."""
    folder = tmp_path / "copy"
    folder.mkdir()
    folders = ("segcore", "pages", "tests", "benchmarks", "assets", "docs", "studies", ".streamlit")
    for name in folders:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "images")
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("app.py", "pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def add(copy: Path, edits: Edits) -> None:
    """Make the edits of a checklist; the text that a new one is written behind stands once."""
    for name, changes in edits.items():
        file = copy / name
        for anchor, new in changes:
            if anchor is NEW:
                assert not file.exists()
                file.write_text(new)
                continue
            text = "\n" + file.read_text()
            assert text.count(f"\n{anchor}") == 1, (name, anchor)
            file.write_text(text.replace(f"\n{anchor}", f"\n{anchor}{new}")[1:])


def run(copy: Path, *words: str) -> str:
    """Run a program in the copy to its sound end; return what it printed."""
    done = subprocess.run(
        [sys.executable, *words],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def follow(copy: Path, *things: Thing) -> None:
    """Add things in two files each, and see their contracts hold; one process runs all the tests."""
    for edits, _ in things:
        assert len(edits) == 2
        add(copy, edits)
    contracts = [words for _, all_words in things for words in all_words]
    tests = [words for words in contracts if words[0].startswith("tests/")]
    for words in contracts:
        if words not in tests:
            run(copy, *words)
    chosen = " or ".join(f"({key})" for _, key in tests)
    told = run(copy, "-m", "pytest", "-v", *dict.fromkeys(file for file, _ in tests), "-k", chosen)
    for file, _ in tests:
        assert f"\n{file}" in told


def test_things_are_added_in_two_files_each(copy: Path) -> None:
    follow(copy, *THINGS.values())


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.parametrize("thing", NETWORK_THINGS)
def test_a_part_of_a_network_is_added_in_two_files(copy: Path, thing: str) -> None:
    follow(copy, NETWORK_THINGS[thing])
