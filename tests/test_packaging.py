"""What is installed is what lies here: the wheel carries the pages, the container's instructions name files and commands that exist."""

import argparse
import json
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import setuptools

from segcore.cli.commands import COMMANDS
from segcore.places import front

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
NEEDED = [
    line
    for line in (ROOT / "requirements.txt").read_text().splitlines()
    if line.strip() and not line.startswith("#")
]


def tracked(*places: str) -> set[str]:
    """Files that git knows below some places; a copy without git has what lies there."""
    listed = subprocess.run(
        ["git", "ls-files", *places], cwd=ROOT, capture_output=True, text=True
    ).stdout.split("\n")
    return {name for name in listed if name and (ROOT / name).exists()}


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The wheel, unpacked: a site-packages folder with nothing but Segscope."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "source"
    for name in tracked(
        "segcore",
        "pages",
        "assets",
        "docs",
        "studies",
        ".streamlit",
        "app.py",
        "pyproject.toml",
        "setup.py",
        "README.md",
        "LICENSE",
        "requirements.txt",
    ):
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        ".",
        "--no-deps",
        "--no-build-isolation",
        "-q",
        "-w",
        str(folder),
    ]
    made = subprocess.run(build, cwd=copy, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    (wheel,) = folder.glob("segscope-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_the_wheel_holds_every_file(site) -> None:
    if not tracked("segcore"):
        pytest.skip(
            "NOT COMPARED: this copy is no git checkout, so which files belong to it is unknown"
        )
    inside = {str(path.relative_to(site)) for path in site.rglob("*") if path.is_file()}
    front = tracked("app.py", "pages", "assets", "docs", "studies", ".streamlit")
    wanted = tracked("segcore") | {f"segcore/front/{name}" for name in front}
    assert wanted - inside == set()
    strangers = {
        name
        for name in inside - wanted
        if not name.startswith("segscope-") and name != "segcore/front/setup.py"
    }
    assert strangers == set()


def run_alone(site: Path, folder: Path, code: str, *words: str) -> str:
    """What Python prints that knows this site-packages folder and nothing of the checkout."""
    begin = f"import sys; sys.path.insert(0, {str(site)!r}); "
    done = subprocess.run(
        [sys.executable, "-I", "-c", begin + code, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_installed_program_finds_its_pages_and_its_demo(site, tmp_path) -> None:
    code = "from segcore.places import front; print(front())"
    place = Path(run_alone(site, tmp_path, code))
    assert place == site / "segcore" / "front"
    assert (place / "app.py").read_bytes() == (ROOT / "app.py").read_bytes()
    assert front() == ROOT
    code = "from segcore.workspace import demo; print(demo.ASSETS)"
    assets = Path(run_alone(site, tmp_path, code))
    assert assets.is_relative_to(site) and len(list((assets / "runs").iterdir())) > 5


@pytest.mark.slow
def test_the_installed_program_opens_its_demo(site, tmp_path) -> None:
    code = "from segcore.cli import main; main(sys.argv[1:])"
    words = ("demo", "--workspace", str(tmp_path / "ws"), "--json")
    assert len(json.loads(run_alone(site, tmp_path, code, *words))["runs"]) == 5


def test_what_an_installation_needs_is_what_the_app_needs(site) -> None:
    (metadata,) = site.glob("segscope-*.dist-info/METADATA")
    required = re.findall(r"^Requires-Dist: (.+)$", metadata.read_text(), re.M)
    names = {
        re.split(r"[^A-Za-z0-9_.-]", line)[0].lower() for line in required if "extra ==" not in line
    }
    wanted = {re.split(r"[^A-Za-z0-9_.-]", line)[0].lower() for line in NEEDED}
    assert names == wanted - {"pydensecrf2"}
    assert [line.replace('"', "'") for line in NEEDED if line.startswith("pydensecrf2")] == PROJECT[
        "project"
    ]["optional-dependencies"]["crf"]
    assert PROJECT["project"]["scripts"] == {"segscope": "segcore.cli:main"}


@pytest.mark.parametrize("wanted", ["0", "1"])
def test_tensorflow_can_be_left_out(monkeypatch, wanted) -> None:
    given = {}
    monkeypatch.setattr(setuptools, "setup", lambda **options: given.update(options))
    monkeypatch.setenv("SEGSCOPE_TENSORFLOW", wanted)
    monkeypatch.chdir(ROOT)
    runpy.run_path("setup.py")
    names = {re.split(r"[<>=]", line)[0] for line in given["install_requires"]}
    assert "keras" in names and ("tensorflow" in names) == (wanted == "1")


def instructions() -> list[tuple[str, str]]:
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    return [
        tuple(line.split(None, 1))
        for line in text.splitlines()
        if line.strip() and not line.startswith("#")
    ]


def test_the_containers_instructions_hold() -> None:
    found = instructions()
    stages = [line.split()[2] for word, line in found if word == "FROM"]
    assert stages == ["cpu", "gpu"]
    copied: set[str] = set()
    for word, line in found:
        if word == "COPY":
            *sources, target = line.split()
            assert all((ROOT / source).exists() for source in sources), line
            assert target.startswith("./")
            copied |= set(sources)
        if word == "RUN" and "-r " in line:
            assert line.split("-r ")[1].split()[0] in copied, (
                "installed from a file that was not copied before"
            )
    # what the installation reads was copied before it runs
    assert copied >= {
        "requirements.txt",
        "pyproject.toml",
        "setup.py",
        "README.md",
        "LICENSE",
        "app.py",
        "pages",
        "assets",
        "docs",
        "studies",
        "segcore",
    }
    extras = {
        extra
        for word, line in found
        if word == "RUN"
        for group in re.findall(r'"\.\[([\w,]+)\]"', line)
        for extra in group.split(",")
    }
    assert extras <= set(PROJECT["project"]["optional-dependencies"])
    tensorflow = next(line for line in NEEDED if line.startswith("tensorflow"))
    assert "requirements-cuda.txt" in copied
    assert (
        tensorflow.replace("tensorflow", "tensorflow[and-cuda]")
        in (ROOT / "requirements-cuda.txt").read_text()
    )


def test_the_containers_command_is_understood() -> None:
    (line,) = [line for word, line in instructions() if word == "CMD"]
    program, command, *words = json.loads(line)
    assert program in PROJECT["project"]["scripts"]
    parser = argparse.ArgumentParser()
    COMMANDS[command].arguments(parser)
    options = parser.parse_args(words)
    exposed = [line for word, line in instructions() if word == "EXPOSE"]
    assert exposed == [str(options.port)] and options.address == "0.0.0.0"
    assert options.no_login, "inside a container the app would refuse to start"
    examples = re.findall(r"docker run (.+)", (ROOT / "Dockerfile").read_text())
    assert len(examples) == 2
    assert all(
        f"127.0.0.1:{options.port}:{options.port}" in shlex.split(example) for example in examples
    ), "publishes to the network"
