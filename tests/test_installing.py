"""What is missing is installed by the command that a sentence names, from a checkout and from a package."""

import importlib.util
import re
import shlex
import subprocess
import sys
import tomllib
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from segcore import installing

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


def test_a_checkout_installs_its_own_extra_for_this_interpreter() -> None:
    words = shlex.split(installing.extra_command("hub"))
    assert words == [sys.executable, "-m", "pip", "install", "-e", f"{ROOT}[hub]"]


@pytest.mark.parametrize(
    ("on_path", "beside", "by_make", "program"),
    [
        (True, True, True, "segscope"),
        (False, True, True, ".venv/bin/segscope"),
        (False, False, True, ".venv/bin/python -m segcore"),
        (False, False, False, "{folder}/python -m segcore"),
        (False, True, False, "{folder}/segscope"),
    ],
)
def test_a_command_is_one_that_the_shell_finds(
    tmp_path, monkeypatch, on_path, beside, by_make, program
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(installing, "made_by_make", lambda: by_make)
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}" if on_path else None)
    if beside:
        (tmp_path / "segscope").touch()
    line = installing.shell_command("train", "a set")
    assert line == f"{program.format(folder=tmp_path)} train 'a set'"


@pytest.mark.parametrize(
    ("argv0", "typed", "on_path", "program"),
    [
        ("{0}/segcore/__main__.py", [".venv/bin/python", "-m", "segcore"], True, None),
        ("{0}/segcore/__main__.py", ["py thon", "-P", "-m", "segcore"], True, None),
        ("{0}/segscope", ["/usr/bin/python3", "{0}/segscope"], True, "segscope"),
        ("{0}/segscope", ["/usr/bin/python3", "{0}/segscope"], False, "{0}/segscope"),
        ("{0}/pytest/__main__.py", ["python", "-m", "pytest"], True, "segscope"),
    ],
)
def test_a_hint_begins_as_the_command_was_called(
    tmp_path, monkeypatch, argv0, typed, on_path, program
) -> None:
    (tmp_path / "segscope").touch()
    monkeypatch.setattr(sys, "argv", [argv0.format(tmp_path), "train", "a set"])
    monkeypatch.setattr(sys, "orig_argv", [*(t.format(tmp_path) for t in typed), "train", "a set"])
    monkeypatch.setattr("shutil.which", lambda name: str(tmp_path / name) if on_path else None)
    program = shlex.join(typed) if program is None else program.format(tmp_path)
    text = "segscope: stopped (segscope runs), see /opt/segscope or 'segscope --help', Segscope"
    assert installing.with_program(text) == (
        f"segscope: stopped ({program} runs), see /opt/segscope or '{program} --help', Segscope"
    )


def test_answers_hints_errors_and_help_name_the_program_as_it_was_called(tmp_path) -> None:
    program = shlex.join([sys.executable, "-m", "segcore"])

    def answer(*words: str) -> str:
        line = shlex.join([sys.executable, "-m", "segcore", *words, f"--workspace={tmp_path}"])
        done = subprocess.run(line, shell=True, cwd=ROOT, capture_output=True, text=True)
        return done.stdout + done.stderr

    assert f"{program} train DATASET" in answer("runs")
    assert f"{program} help lists" in answer("zzz")
    assert f"see {program} split --help." in answer("split")
    usage = answer("split", "--help")
    assert usage.startswith(f"usage: {program} split")
    assert f"{program} interval-groups" in " ".join(usage.split())  # a long path is wrapped
    for text in (answer("runs"), answer("split"), usage):
        assert not re.search(r"\bsegscope \w", text)


def test_no_page_spells_out_how_the_command_starts() -> None:
    """All go through one function: a text in code that begins with the command would not run."""
    for path in [*(ROOT / "segcore/ui").rglob("*.py"), *(ROOT / "pages").glob("*.py")]:
        assert not re.search(r'\["(segscope|python)", |: segscope ', path.read_text()), path


def test_the_command_of_this_interpreter_runs(tmp_path) -> None:
    line = installing.shell_command("--version")
    done = subprocess.run(line, shell=True, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("here", "keeps_out"), [({"torch"}, True), ({"torch", "tensorflow"}, False), (set(), False)]
)
def test_an_extra_brings_no_tensorflow_where_another_engine_is(
    monkeypatch, here, keeps_out
) -> None:
    monkeypatch.setattr(installing, "_is_here", here.__contains__)
    words = shlex.split(installing.extra_command("hub"))
    assert ("SEGSCOPE_TENSORFLOW=0" in words) == keeps_out
    assert words[keeps_out:] == [sys.executable, "-m", "pip", "install", "-e", f"{ROOT}[hub]"]


def test_a_package_that_only_a_finder_promises_is_not_here(monkeypatch) -> None:
    """In a process of another engine one answers for TensorFlow, whose import it refuses."""

    class Promise:
        @staticmethod
        def find_spec(name, path=None, target=None):
            return ModuleSpec(name, None) if name == "promised" else None

    monkeypatch.setattr(sys, "meta_path", [Promise, *sys.meta_path])
    assert importlib.util.find_spec("promised") is not None
    assert not installing._is_here("promised") and installing._is_here("numpy")


def test_make_app_fixes_its_own_environment_only(monkeypatch) -> None:
    monkeypatch.setattr(installing.sys, "prefix", str(ROOT / "tests"))
    assert installing.in_checkout() and not installing.made_by_make()
    monkeypatch.setattr(installing.sys, "prefix", str(ROOT / ".venv"))
    assert installing.made_by_make() == (ROOT / ".venv").is_dir()


@pytest.mark.parametrize(("extra", "needs"), [("geo", ["rasterio<2,>=1.4"]), ("none", [".[none]"])])
def test_an_installed_package_names_what_the_extra_needs(monkeypatch, extra, needs) -> None:
    listed = [
        "numpy>=2",
        "rasterio>=1.4,<2; extra == 'geo'",
        "other>=1; python_version < '3' and extra == 'geo'",
    ]
    monkeypatch.setattr(installing, "in_checkout", lambda: False)
    monkeypatch.setattr(installing.importlib.metadata, "requires", lambda name: listed)
    assert shlex.split(installing.extra_command(extra))[4:] == needs


def test_each_extra_that_a_sentence_names_is_declared_and_named_by_the_one_function() -> None:
    named = set()
    for path in (ROOT / "segcore").rglob("*.py"):
        text = path.read_text()
        named |= set(re.findall(r"extra_command\([\"'](\w+)[\"']\)", text))
        assert not re.search(r"pip install (?!'\.\[cluster\]')\S|segscope\[", text), path
    assert named <= set(EXTRAS) and "hub" in named
