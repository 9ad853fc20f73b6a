"""Statistics explain themselves: every one has its formula in a tooltip, and the tooltip leads to a section that exists."""

import ast
import re
from pathlib import Path

import pytest

from segcore.ui.shared import manual

ROOT = Path(__file__).resolve().parents[3]
SOURCES = sorted([*(ROOT / "pages").glob("*.py"), *(ROOT / "segcore" / "ui").rglob("*.py")])


def constants(tree: ast.Module) -> dict[str, str]:
    """Texts that a file gives a name to."""
    named = [
        n
        for n in tree.body
        if isinstance(n, ast.Assign)
        and isinstance(n.value, ast.Constant)
        and isinstance(n.value.value, str)
    ]
    return {ast.unparse(n.targets[0]): n.value.value for n in named}


def places() -> set[tuple[str, str]]:
    """Where a tooltip stands, and the place of the docs that it leads to."""
    found = set()
    for file in SOURCES:
        tree = ast.parse(file.read_text())
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func)
            named = constants(tree)
            if name == "manual.see":
                texts = [node.args[1]]
            elif name.startswith("cards."):  # which hand the place on
                texts = [*node.args[4:5], *(k.value for k in node.keywords if k.arg == "section")]
            else:
                continue
            for place in texts:
                text = (
                    place.value
                    if isinstance(place, ast.Constant)
                    else named.get(ast.unparse(place))
                )
                if text is None:
                    continue  # an argument of a function that hands it on
                found.add((f"{file.relative_to(ROOT)}:{node.lineno}", text))
    return found


def calls(name: str) -> list[tuple[str, ast.Call]]:
    """Calls of a method in pages and their parts, with where they stand."""
    found = []
    for file in SOURCES:
        for node in ast.walk(ast.parse(file.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == name
            ):
                found.append((f"{file.relative_to(ROOT)}:{node.lineno}", node))
    return found


def anchors(page: str) -> set[str]:
    """Anchors of a page's headings, as the app and a code host make them."""
    headings = re.findall(r"^#+ (.+)$", (manual.FOLDER / f"{page}.md").read_text(), re.M)
    return {"-".join(re.findall(r"[a-z0-9]+", heading.lower())) for heading in headings}


def test_every_statistic_has_a_tooltip_that_leads_to_the_docs() -> None:
    found = calls("metric")
    assert len(found) > 30
    for where, call in found:
        (help,) = [k.value for k in call.keywords if k.arg == "help"] or [None]
        assert isinstance(help, ast.Call) and ast.unparse(help.func) == "manual.see", (
            f"{where}: no help=manual.see(words, place)"
        )


def test_every_place_that_a_tooltip_names_exists() -> None:
    assert len({place for _, place in places()}) > 8
    for where, place in places():
        page, _, section = place.partition("#")
        assert not section or section in anchors(page), f"{where}: {place}"


def test_a_tooltip_ends_with_its_link() -> None:
    assert (
        manual.see("Right / all.", "metrics#scores")
        == "Right / all.\n\n[In the docs](guide?doc=metrics#scores)"
    )


LINK = re.compile(r"\]\(([^)\s]+)\)")


@pytest.mark.parametrize("page", manual.pages())
def test_links_and_pictures_of_the_docs_lead_somewhere(page) -> None:
    file = manual.FOLDER / f"{page}.md"
    for target in LINK.findall(re.sub(r"```.*?```|`[^`\n]*`", "", file.read_text(), flags=re.S)):
        if target.startswith(("http://", "https://")):
            continue
        name, _, section = target.partition("#")
        there = (file.parent / name).resolve() if name else file
        assert there.exists(), f"{page}: {target}"
        if section:
            assert section in anchors(
                there.relative_to(manual.FOLDER).with_suffix("").as_posix()
            ), f"{page}: {target}"
    for part in manual.parts(page):
        if isinstance(part, manual.Picture):
            assert (
                part.light.is_file()
                and part.dark.is_file()
                and part.light != part.dark
                and part.alt
            )


def test_links_between_pages_stay_in_the_app() -> None:
    (text,) = [p for p in manual.parts("label-compression") if isinstance(p, str)]
    assert "](guide?doc=metrics#label-compression-what-if-labels-were-merged)" in text


def test_a_page_is_text_and_pictures_in_turn(tmp_path, monkeypatch) -> None:
    (tmp_path / "how-to").mkdir()
    (tmp_path / "other.md").write_text("# Other\n")
    (tmp_path / "how-to" / "page.md").write_text(
        "# A page\n\nIt costs $5, `$HOME`. See [other](../other.md#there) and "
        "[out](../../README.md).\n\n"
        '<picture>\n<source media="(prefers-color-scheme: dark)" srcset="../images/a-dark.webp">\n'
        '<img src="../images/a-light.webp" alt="A picture">\n</picture>\n\nThe end.\n'
    )
    monkeypatch.setattr(manual, "FOLDER", tmp_path)
    assert manual.pages() == {"how-to/page": "A page", "other": "Other"}
    before, picture, after = manual.parts("how-to/page")
    assert r"It costs \$5, `$HOME`. See [other](guide?doc=other#there) and out." in before
    assert picture.light.resolve() == tmp_path / "images" / "a-light.webp"
    assert (
        picture.dark.resolve() == tmp_path / "images" / "a-dark.webp" and picture.alt == "A picture"
    )
    assert after.strip() == "The end."


def test_the_pictures_are_those_that_the_docs_show_and_they_are_small() -> None:
    shown = {
        f.resolve()
        for page in manual.pages()
        for p in manual.parts(page)
        if isinstance(p, manual.Picture)
        for f in (p.light, p.dark)
    }
    there = {f.resolve() for f in (manual.FOLDER / "images").iterdir()}
    assert shown == there
    assert sum(f.stat().st_size for f in there) < 6e6
