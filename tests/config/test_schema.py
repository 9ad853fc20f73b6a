"""A config field is declared once: checks, texts and flags follow, and a new field arrives everywhere."""

import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from segcore.cli import build_parser
from segcore.cli.searches import search_config
from segcore.cli.training import train_config
from segcore.config import CONFIGS, Range, TrainConfig, TuneConfig, config_from_json, to_json
from segcore.config.schema import Setting, check_value, flags, read_size, settings
from segcore.config.tuning import PRESETS
from segcore.errors import SegcoreError

ROOT = Path(__file__).resolve().parents[2]
FIELDS = [
    pytest.param(one, id=f"{cls.__name__}-{name}")
    for cls in CONFIGS.values()
    for name, one in settings(cls).items()
]
DUMMY = '''    dummy: float = option(
        0.5, "Dummy field", "Does nothing.", low=0, high=1, search=Range(0.1, 0.9)
    )

    def __post_init__(self) -> None:
        """Refuse unknown names and numbers out of range."""
'''
ARRIVALS = """
import importlib.util, json, pathlib, sys
from streamlit.testing.v1 import AppTest
from streamlit.runtime.pages_manager import PagesManager
from segcore.cli import build_parser
from segcore.cli.training import train_config
from segcore.config import Range, RecipeConfig, SearchSpace, TrainConfig, config_from_json
from segcore.errors import SegcoreError
from segcore.installing import shell_command
from segcore.workspace.launch.command_line import command_line
from segcore.workspace.launch.grid import FIELDS, combine, read_values

def refused(do, text):
    try:
        do()
    except SegcoreError as error:
        return text in str(error)

arrived = {}
options = build_parser().parse_args(["train", "tiny", "--dummy", "0.25"])
config = train_config(options)
arrived["parser"] = config.recipe.dummy == 0.25
arrived["command line"] = command_line(config) == shell_command(*"train tiny --dummy 0.25".split())
values = {"kind": "train", "dataset": "tiny", "recipe": {"dummy": 7}}
arrived["check"] = refused(lambda: config_from_json(values), "dummy between 0 and 1, received 7")
combined = combine(config, {"dummy": read_values("dummy", "0.1, 0.2")})
arrived["grid"] = [one.recipe.dummy for one in combined] == [0.1, 0.2]
arrived["search space"] = SearchSpace(dummy=Range(0.1, 0.9)).names == ["dummy"]
spec = importlib.util.spec_from_file_location("params", "segcore/api/params.py")
params = importlib.util.module_from_spec(spec)
sys.modules["params"] = params
spec.loader.exec_module(params)
arrived["params"] = params._split({"dataset": "tiny", "dummy": 0.75})[1].recipe.dummy == 0.75
made = PagesManager.__init__
def after(manager, *arguments, **named):
    made(manager, *arguments, **named)
    PagesManager.uses_pages_directory = False
PagesManager.__init__ = after
page = AppTest.from_file("app.py", default_timeout=300).run().switch_page("pages/train.py").run()
box = [field for field in page.number_input if field.label == "Dummy field"]
if box:
    box[0].set_value(0.75).run()
    arrived["form"] = "--dummy 0.75" in page.code[0].value
print(json.dumps(arrived))
"""


def test_a_dummy_field_of_the_recipe_arrives_everywhere(workspace, tmp_path) -> None:
    """One edit in a copy of the program: parser, check, grid, search, params, form, command."""
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("segcore", "pages", "app.py", "assets", ".streamlit"):
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "demo")
            shutil.copytree(ROOT / name, copy / name, ignore=ignored)
        elif (ROOT / name).exists():
            shutil.copy(ROOT / name, copy / name)
    file = copy / "segcore" / "config" / "training.py"
    text = file.read_text()
    anchor = DUMMY[DUMMY.index("    def __post_init__") :]
    assert text.count(anchor) == 1
    file.write_text(text.replace(anchor, DUMMY))
    environment = {
        **os.environ,
        "PYTHONPATH": str(copy),
        "SEGCORE_WORKSPACE": str(workspace.folder),
    }
    done = subprocess.run(
        [sys.executable, "-c", ARRIVALS],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    places = ("parser", "command line", "check", "grid", "search space", "params", "form")
    assert done.stdout.strip().splitlines()[-1] == (
        "{" + ", ".join(f'"{place}": true' for place in places) + "}"
    )


@pytest.mark.parametrize("one", FIELDS)
def test_a_field_speaks_to_people_and_takes_its_default(one: Setting) -> None:
    told = one.option
    assert told.title[0].isupper() and told.title == told.title.strip()
    assert told.help.endswith(".") and "\n" not in told.help
    check_value(one, one.default)
    assert one.read(one.write(one.default)) == one.default
    assert told.help in one.usage()


@pytest.mark.parametrize("one", FIELDS)
def test_a_wrong_value_is_refused_by_name(one: Setting) -> None:
    told = one.option
    if told.table is not None and not told.sums:
        with pytest.raises(SegcoreError, match=one.name.replace("_", " ")):
            check_value(one, "nosuchname")
    if told.low is not None and told.high is not None:
        assert told.low < told.high
        for value in (told.low - 1, told.high + 1, float("nan"), float("inf")):
            with pytest.raises(SegcoreError, match=f"{one.name} between"):
                check_value(one, value)
        with pytest.raises(SegcoreError, match=f"number for {one.name}"):
            check_value(one, "3")


@pytest.mark.parametrize(
    "text", ["²x3", "9" * 5000, f"{'9' * 5000}x3", "3", "3x", "axb", "3x4x5", ""]
)
def test_what_is_no_size_ends_in_a_sentence(text: str) -> None:
    with pytest.raises(SegcoreError, match="HEIGHTxWIDTH") as caught:
        read_size(text)
    assert len(str(caught.value)) < 250


def test_numbers_of_five_thousand_digits_end_in_a_sentence() -> None:
    for name in ("epochs", "learning_rate", "seed"):
        with pytest.raises(SegcoreError, match=name) as caught:
            settings(TrainConfig)[name].read("9" * 5000)
        assert len(str(caught.value)) < 250


def test_flags_say_a_search_and_read_it_back() -> None:
    rng = np.random.default_rng(11)
    for _ in range(20):
        config = TuneConfig(
            "set",
            TrainConfig("set"),
            PRESETS["quick"],
            trials=int(rng.integers(1, 50)),
            parallel=int(rng.integers(0, 4)),
            sampler=str(rng.choice(["tpe", "random", "grid"])),
            grace=int(rng.integers(1, 9)),
            from_base=bool(rng.integers(2)),
            seed=int(rng.integers(0, 2**32)),
        )
        words = ["tune", "set", "--preset", "quick", *flags(config, nested=False)]
        assert search_config(build_parser().parse_args(words)) == config
        assert config_from_json(to_json(config)) == config


def test_old_files_still_open() -> None:
    """The version before wrote every field of a search space, empty where it was not varied."""
    config = TuneConfig("set", TrainConfig("set"), PRESETS["quick"])
    data = to_json(config)
    empty = ("architecture", "encoder", "optimizer", "schedule", "batch_size", "label_map")
    data["space"] = {**{name: [] for name in empty}, **data["space"]}
    assert config_from_json(data) == config
    data["space"] = {"loss": ["dice", "focal"], "learning_rate": None}
    assert config_from_json(data).space.names == ["loss"]


def test_a_field_that_is_no_flag_keeps_its_place() -> None:
    words = ["train", "set", "--architecture", "resnet50_unet", "--weights", "none", "--jit"]
    config = train_config(build_parser().parse_args(words))
    assert (config.model.architecture, config.model.encoder) == ("unet", "resnet50")
    assert config.recipe == dataclasses.replace(TrainConfig("set").recipe, jit=True)
    assert Range(1e-4, 1e-2).values == pytest.approx((1e-4, 1e-3, 1e-2))
