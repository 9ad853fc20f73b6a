"""Texts for people use the words of the field, each thing by one name; old names stay where files and flags promised them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

OLD = {
    r"\bstud(y|ies)\b": "search (by Optuna), ablation (recipes), grid (combinations) or what-if",
    r"\bvariations\b": "grid",
    r"\bshel(f|ves)\b": "the plural noun (Datasets, Runs, Scores)",
    r"\b(left|right) wing\b|\bground floor\b": "frontend, backend, core",
    r"\bdoors?\b": "entry point",
    r"\blabs?\b": "the page's name",
    r"\bexchanged?\b|\bmended\b": "fixed and broken",
    r"\bexchange rate\b": "trade-off rate",
    r"\bpaces?\b": "throughput",
    r"\bsettling\b": "crash recovery",
    r"\banswerers?\b": "warm process",
    r"\blooking at\b": "inference views",
    r"\bevolution\b": "mask history",
    r"\bput away\b": "archive",
    r"\b(throw|thrown|threw) away\b": "delete",
    r"\bg(ive|ives|ave) up\b": "drop",
    r"\btold\b": "message, reported, shown as",
    r"\bmends?\b": "fix",
    r"\blearn(ed|t) from\b": "trained on",
    r"\bwhatever else\b": "anything else",
    r"\bgo(es)? on\b|\bgone on\b": "continue",
    r"\bhands? over\b": "return, submit",
    r"\bstands? in\b": "is in",
    r"\bbrings? in\b": "imports",
    r"(?<!m)\basks? of\b": "calls, needs",
    r"\bis said\b": "is reported",
    r"\bthe way\b": "path, steps",
    r"\blooks? first\b": "preview",
    r"\bbeside it\b": "compare with, next to it",
    r"\bcannot be told\b": "undetermined",
    r"\bhow it stands\b|\bas it stands\b": "status",
    r"\bunder way\b": "running",
}
"""What a text for people does not say, and what it says instead."""

ALLOWED = {
    ("docs/scaling.md", "exchanged"): "gradients between GPUs: the field's own word",
}
"""Places that keep an old word, and why."""

CODE = ("app.py", "pages", "segcore/cli", "segcore/ui", "segcore/workspace")
PROSE = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs")


def files(*roots: str, suffix: str) -> Iterator[Path]:
    for root in roots:
        path = ROOT / root
        yield from [path] if path.is_file() else sorted(path.rglob(f"*{suffix}"))


def messages(path: Path) -> Iterator[tuple[int, str]]:
    """The texts of a module that a person may read: strings of several words that are no docstring."""
    tree = ast.parse(path.read_text("utf-8"))
    alone = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) and id(node) not in alone else None
        if isinstance(text, str) and " " in text.strip():
            yield node.lineno, text


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a page of the docs without code, addresses and HTML tags."""
    text = re.sub(
        r"```.*?```", lambda m: "\n" * m.group().count("\n"), path.read_text("utf-8"), flags=re.S
    )
    for number, line in enumerate(text.splitlines(), 1):
        yield number, re.sub(r"`[^`]*`|\]\([^)]*\)|<[^>]*>", "", line)


def old_words(path: Path, texts: Iterator[tuple[int, str]]) -> list[str]:
    name = path.relative_to(ROOT).as_posix()
    return [
        f"{name}:{line}: {found.group()!r}, say {instead}: {text.strip()[:90]!r}"
        for line, text in texts
        for pattern, instead in OLD.items()
        for found in re.finditer(pattern, text, re.IGNORECASE)
        if (name, found.group().lower()) not in ALLOWED
    ]


def test_messages_use_the_words_of_the_field() -> None:
    paths = files(*CODE, suffix=".py")
    found = [line for path in paths for line in old_words(path, messages(path))]
    assert not found, "\n".join(found)


def test_docs_use_the_words_of_the_field() -> None:
    paths = files(*PROSE, suffix=".md")
    found = [line for path in paths for line in old_words(path, prose(path))]
    assert not found, "\n".join(found)


def test_a_size_is_written_height_first() -> None:
    """One order on all pages and in the shell: height x width, as arrays have it."""
    first = re.compile(r"width[^{}\n]{0,12}\} ?[x×] ?\$?\{[^{}\n]{0,20}height", re.IGNORECASE)
    paths = [*files(*CODE, suffix=".py"), *files("segcore/ui", suffix=".js")]
    found = [f"{path}: {m.group()}" for path in paths for m in first.finditer(path.read_text())]
    assert not found, "\n".join(found)


def test_an_old_word_is_found_in_a_message_and_not_in_code(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    page = tmp_path / "page.py"
    page.write_text('"""A study."""\nkey = "study"\nst.write(f"Start the study {key}")\n')
    assert [line.split(":")[1] for line in old_words(page, messages(page))] == ["3"]
    page = tmp_path / "page.md"
    page.write_text("The study\n\n```\nstudy\n```\nof `study` and [x](study.md)\n")
    assert [line.split(":")[1] for line in old_words(page, prose(page))] == ["1"]
