"""Messages on pages name the page's fields where the shell names its options."""

import ast
import re
from pathlib import Path

import pytest

from segcore.ui.shared.page_words import on_page

ROOT = Path(__file__).resolve().parents[3] / "segcore"


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("name their folder (--masks FOLDER).", "name their folder (Mask folder)."),
        ("here --mask-suffix=_A or --mask-suffix=_b.", "here Mask suffix or Mask suffix _b."),
        ("import it with --bands all.", "import it with GeoTIFF bands all."),
        ("give its path (in the shell --weights x=PATH).", "give its path."),
        ("make them first (segscope split tiny).", "make them first."),
        ("train with crops (--crops), or not.", "train with crops (Crops per image), or not."),
        ("choose another with --workspace.", "choose another with --workspace."),
    ],
)
def test_options_become_fields_of_the_page(message, shown) -> None:
    assert on_page(message) == shown


@pytest.mark.parametrize("folder", ["data/formats/importers", "data/files", "data/bands"])
def test_every_option_in_a_message_of_the_import_has_a_field(folder) -> None:
    texts = [
        node.value
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    named = [text for text in texts if re.search(r"--[a-z]", text)]
    assert named and not [text for text in map(on_page, named) if re.search(r"--[a-z]", text)]
