"""Every name that may be chosen has something behind it, and words for people that stand nowhere else.

What needs TensorFlow is in ``test_catalog_networks.py``.
"""

import ast
from pathlib import Path

import pytest

from segcore import catalog
from segcore.catalog import Architecture, Choice, Encoder, loss_terms
from segcore.config import CONFIGS, EvaluateConfig, ModelConfig, RecipeConfig
from segcore.data.augmentation.transforms import PRESETS
from segcore.errors import SegcoreError
from segcore.postprocess.ensemble import RULES
from segcore.runs.folder.status import STATES
from segcore.ui.runs.detail import BADGES

ROOT = Path(__file__).resolve().parents[2]
TABLES = {
    name: table
    for name, table in vars(catalog).items()
    if isinstance(table, dict)
    and table
    and all(isinstance(entry, Choice) for entry in table.values())
}
ENTRIES = [
    pytest.param(table, name, id=f"{table}-{name}")
    for table, entries in TABLES.items()
    for name in entries
]
NETWORK_WORDS = ("ARCHITECTURES", "ENCODERS", "LOSSES", "OPTIMIZERS")


def test_the_tables_are_found() -> None:
    assert set(TABLES) >= {
        *NETWORK_WORDS,
        "SCHEDULES",
        "AUGMENTATIONS",
        "ENSEMBLE_RULES",
        "RUN_STATES",
        "RUN_KINDS",
        "PRECISIONS",
    }


@pytest.mark.parametrize(("table", "name"), ENTRIES)
def test_an_entry_speaks_to_people(table: str, name: str) -> None:
    entry = TABLES[table][name]
    assert name == name.lower() and " " not in name and name.isidentifier()
    assert entry.title.strip() == entry.title != ""
    assert entry.summary.strip() == entry.summary != ""
    assert "\n" not in entry.title + entry.summary + entry.paper
    assert (
        entry.summary[0].isupper()
        or entry.summary[0].isdigit()
        or entry.summary.split()[0] in TABLES["ENCODERS"]
    )
    assert entry.summary.endswith(".")
    assert len(entry.summary) <= 140


@pytest.mark.parametrize("table", TABLES)
def test_titles_tell_entries_apart(table: str) -> None:
    titles = [entry.title.casefold() for entry in TABLES[table].values()]
    assert len(set(titles)) == len(titles)


def test_networks_say_where_they_come_from() -> None:
    for name, entry in (*catalog.ARCHITECTURES.items(), *catalog.ENCODERS.items()):
        assert isinstance(entry, (Architecture, Encoder))
        assert entry.paper or name == "tiny", name
        assert 2012 <= entry.year <= 2026, name
        assert entry.stride & (entry.stride - 1) == 0, name
        if entry.paper and entry.paper[-4:].isdigit():
            assert abs(int(entry.paper[-4:]) - entry.year) <= 1, (
                name
            )  # a preprint may be a year older
    assert all(entry.parameters > 0 for entry in catalog.ENCODERS.values())


def test_numpy_names_have_their_builders() -> None:
    assert list(RULES) == list(catalog.ENSEMBLE_RULES)
    assert list(PRESETS) == list(catalog.AUGMENTATIONS)
    assert list(CONFIGS) == list(catalog.RUN_KINDS)
    assert list(STATES) == list(catalog.RUN_STATES)
    assert set(BADGES) == set(catalog.RUN_STATES)


def test_balance_modes_are_the_measures_of_the_statistics(workspace) -> None:
    imbalance = workspace.datasets.statistics("tiny").summary("train").imbalance
    assert set(catalog.BALANCE_MODES) <= set(imbalance)


def test_every_name_makes_a_config_and_a_near_miss_is_answered() -> None:
    for loss in catalog.LOSSES:
        assert loss_terms(RecipeConfig(loss=loss).loss) == [(1.0, loss)]
    for key, table in {
        "optimizer": catalog.OPTIMIZERS,
        "schedule": catalog.SCHEDULES,
        "augmentation": catalog.AUGMENTATIONS,
        "precision": catalog.PRECISIONS,
        "class_weights": catalog.CLASS_WEIGHTS,
    }.items():
        for name in table:
            RecipeConfig(**{key: name})
            with pytest.raises(SegcoreError, match=r"did you mean|expected one of"):
                RecipeConfig(**{key: name + "x"})
    for rule in catalog.ENSEMBLE_RULES:
        EvaluateConfig("set", ("a",), rule=rule)
    for architecture in catalog.ARCHITECTURES:
        for encoder, entry in catalog.ENCODERS.items():
            assert ModelConfig(architecture, encoder, "none").stride >= entry.stride


def test_older_names_lead_to_known_pairs() -> None:
    for architecture, encoder in catalog.CLASSIC_NAMES.values():
        config = ModelConfig(architecture, encoder, "none")
        assert (config.architecture, config.encoder) == (architecture, encoder)


def literals(path: Path) -> set[str]:
    """Text constants of a file that are no docstrings."""
    tree = ast.parse(path.read_text())
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docstrings = {
        ast.get_docstring(node, clean=False)
        for node in ast.walk(tree)
        if isinstance(node, documented)
    }
    return {
        n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)
    } - docstrings


def test_display_names_of_networks_stand_in_the_catalogue_only() -> None:
    titles = {
        entry.title: f"{table}[{name!r}]"
        for table in NETWORK_WORDS
        for name, entry in TABLES[table].items()
    }
    del titles["Dice"]  # the name of a score, too
    sources = [
        p
        for p in (*ROOT.glob("segcore/**/*.py"), *ROOT.glob("pages/*.py"), ROOT / "app.py")
        if p.parent.name != "catalog"
    ]
    written = {
        (str(path.relative_to(ROOT)), titles[text])
        for path in sources
        for text in literals(path) & set(titles)
    }
    assert not written
