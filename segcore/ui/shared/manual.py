"""The documentation inside the app: pages of ``docs/``, and the tooltips that lead to them."""

import re
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from segcore.places import front

FOLDER = front() / "docs"
FIRST = "guide"
MEAN_IOU = (
    "IoU of a class is correct / (true + predicted - correct) pixels; this is its "
    "mean over the classes that occur. Higher is better."
)
PIXEL_ACCURACY = "Correct pixels / scored pixels. Higher is better."
_PICTURE = re.compile(r"<picture>(.*?)</picture>", re.S)
_LINK = re.compile(r"\[([^\]\n]*)\]\((?!https?:)([A-Za-z0-9_./-]+)\.md(#[A-Za-z0-9_-]+)?\)")
_CODE = re.compile(r"(```.*?```|`[^`\n]*`)", re.S)


@dataclass(frozen=True)
class Picture:
    """One picture of a page, as a light and as a dark file, with what it shows."""

    light: Path
    dark: Path
    alt: str


def see(words: str, place: str) -> str:
    """Return a tooltip: a statistic's formula in words, and a link to where the docs say more.

    Args:
        words: The formula in words.
        place: Page and section, "metrics#scores".
    """
    page, _, section = place.partition("#")
    return f"{words}\n\n[In the docs](guide?doc={page}{'#' + section if section else ''})"


GROUPS = {
    "Start": (FIRST,),
    "How to": ("how-to/",),
    "Reference": (
        "training",
        "metrics",
        "intervals",
        "data-measures",
        "label-compression",
        "back-off",
        "ablations",
        "label-next",
        "scaling",
        "formats",
        "cli",
        "notebook-api",
    ),
}
"""Pages by what readers look for: names, or the folder of names; the rest is for developers."""
REST = "Internals"


def groups() -> dict[str, list[str]]:
    """Return the names of the pages by group: start, how-tos, reference, internals."""
    names = list(pages())
    grouped = {
        group: [
            name
            for wanted in own
            for name in names
            if name == wanted or (wanted.endswith("/") and name.startswith(wanted))
        ]
        for group, own in GROUPS.items()
    }
    known = {name for own in grouped.values() for name in own}
    return {**grouped, REST: [name for name in names if name not in known]}


def search(words: str) -> list[tuple[str, str]]:
    """Return the pages that hold all of some words, with the first line that holds one of them.

    Args:
        words: Words separated by spaces; case does not matter.
    """
    wanted = words.lower().split()
    found = []
    for name in pages() if wanted else ():
        text = (FOLDER / f"{name}.md").read_text(encoding="utf-8")
        if all(word in text.lower() for word in wanted):
            lines = (line.strip("#|- ").strip() for line in text.splitlines())
            found.append((name, next((x for x in lines if wanted[0] in x.lower()), "")))
    return found


def pages() -> dict[str, str]:
    """Return the title of every page by its name, the guide first, then how-tos, then the rest."""
    names = [path.relative_to(FOLDER).with_suffix("").as_posix() for path in FOLDER.rglob("*.md")]
    order = sorted(names, key=lambda name: (name != FIRST, not name.startswith("how-to/"), name))
    return {name: _title(FOLDER / f"{name}.md") for name in order}


def parts(name: str) -> list[str | Picture]:
    """Return a page without its title as Markdown and pictures in turn.

    Args:
        name: One of :func:`pages`.
    """
    file = FOLDER / f"{name}.md"
    found: list[str | Picture] = []
    _, _, text = file.read_text(encoding="utf-8").partition("\n")
    for number, piece in enumerate(_PICTURE.split(text)):
        if number % 2:
            found.append(_picture(piece, file.parent))
        elif piece.strip():
            found.append(_linked(piece, file.parent))
    return found


def show(name: str) -> None:
    """Draw a page; its pictures are those of the theme that is on."""
    dark = st.context.theme.type == "dark"
    for part in parts(name):
        if isinstance(part, str):
            st.markdown(part)
        else:
            file = part.dark if dark else part.light
            _draw(str(file), file.stat().st_mtime_ns, part.alt)


@st.cache_data(max_entries=200, show_spinner=False)
def _draw(file: str, stamp: int, alt: str) -> None:
    """Draw a picture; Streamlit encodes it anew, which takes longer than all else of a page."""
    st.image(file, width="stretch", alt=alt)


def _title(file: Path) -> str:
    with file.open(encoding="utf-8") as lines:
        return lines.readline().lstrip("#").strip()


def _picture(piece: str, folder: Path) -> Picture:
    def found(pattern: str) -> str:
        match = re.search(pattern, piece)
        return match.group(1) if match else ""

    return Picture(
        folder / found(r'<img[^>]*src="([^"]+)"'),
        folder / found(r'srcset="([^"]+)"'),
        found(r'alt="([^"]*)"'),
    )


def _linked(text: str, folder: Path) -> str:
    """Turn links between pages into links of the app, and escape dollar signs outside code."""

    def link(match: re.Match[str]) -> str:
        words, name, section = match.groups()
        target = (folder / f"{name}.md").resolve()
        if not target.is_relative_to(FOLDER.resolve()):
            return words
        return f"[{words}](guide?doc={target.relative_to(FOLDER.resolve()).with_suffix('').as_posix()}{section or ''})"

    pieces = _CODE.split(text)
    return "".join(
        piece if n % 2 else _LINK.sub(link, piece).replace("$", r"\$")
        for n, piece in enumerate(pieces)
    )
