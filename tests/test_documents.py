"""What the documents promise: their commands are understood, their links lead somewhere, and every extra is named."""

import contextlib
import io
import re
import shlex
import tomllib
from pathlib import Path

import pytest

from segcore.cli import build_parser

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "assets/README.md"])
DOCUMENTS = [path for path in DOCUMENTS if path.exists()]
FENCE = re.compile(r"^ *```[^\n]*\n(.*?)^ *```", re.M | re.S)


def named(paths: list[Path]) -> list:
    return [pytest.param(path, id=str(path.relative_to(ROOT))) for path in paths]


def commands(text: str) -> list[str]:
    """Every line of a fenced block that calls segscope, joined where it is continued."""
    lines = [
        line for block in FENCE.findall(text) for line in block.replace("\\\n", " ").split("\n")
    ]
    found = (re.search(r"(?:^|\s)(?:segscope|python -m segcore) (.+)", line) for line in lines)
    return [match[1] for match in found if match]


def prose(text: str) -> str:
    return re.sub(r"`[^`\n]*`", "", FENCE.sub("", text))


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub gives a page's headings."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", path.read_text()), re.M)
    plain = (re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading) for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("path", named([p for p in DOCUMENTS if commands(p.read_text())]))
def test_every_command_of_a_document_is_understood(path: Path) -> None:
    for line in commands(path.read_text()):
        words = shlex.split(line, comments=True)
        words = words[: next((i for i, word in enumerate(words) if word in "|&;>"), len(words))]
        told = io.StringIO()
        try:
            with contextlib.redirect_stderr(told), contextlib.redirect_stdout(io.StringIO()):
                build_parser().parse_args(words)
        except SystemExit as error:
            assert error.code == 0, f"{line}\n{told.getvalue()}"


@pytest.mark.parametrize("path", named(DOCUMENTS))
def test_every_link_of_a_document_leads_somewhere(path: Path) -> None:
    text = prose(path.read_text())
    found = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(
        r'(?:src|srcset|href)="([^"]+)"', text
    )
    for link in found:
        if re.match(r"[a-z]+:", link):
            continue
        place, _, anchor = link.partition("#")
        target = (path.parent / place).resolve() if place else path
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


@pytest.mark.parametrize("path", named(DOCUMENTS))
def test_every_source_file_that_a_document_names_is_there(path: Path) -> None:
    """Those with a folder in their name; in prose they are relative to the checkout or to segcore."""
    for name in re.findall(
        r"`(?:bash |python )?([\w.-]+/[\w./-]+\.(?:py|sh|js|txt|html))\b", path.read_text()
    ):
        assert (ROOT / name).exists() or (ROOT / "segcore" / name).exists(), name


def test_what_work_says_first_is_in_the_how_to() -> None:
    """The test of the command reads the same sentence from its process."""
    text = (ROOT / "docs/how-to/gpu-box.md").read_text()
    assert "Running the queue of /data/segscope on cpu, gpu:0, gpu:1; stop with Ctrl-C." in text


def test_the_readme_names_every_extra() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    text = (ROOT / "README.md").read_text()
    told = {
        name
        for group in re.findall(r"extras? ((?:`[\w-]+`(?:, | and )?)+)", text)
        for name in re.findall(r"`([\w-]+)`", group)
    }
    told |= set(re.findall(r"pip install (?:-e )?\"\.\[([\w-]+)\]\"", text))
    assert told == set(extras)
