"""The house stands on floors: each file imports only from floors below it, or from its own folder."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted([*ROOT.glob("segcore/**/*.py"), *ROOT.glob("pages/*.py"), ROOT / "app.py"])

WORDS = {
    "segcore",
    "segcore.errors",
    "segcore.labels",
    "segcore.catalog",
    "segcore.palette",
    "segcore.places",
}
NUMPY = {"segcore.data", "segcore.postprocess", "segcore.evaluation"}
CONFIG = {"segcore.config"}
BELOW_DOORS = WORDS | NUMPY | CONFIG

# Each part of the house, and the parts it may import besides its own folder.
FLOORS: dict[str, set[str]] = {
    "segcore.errors": WORDS,
    "segcore.labels": WORDS,
    "segcore.catalog": WORDS,
    "segcore.palette": WORDS,
    "segcore.places": WORDS,
    "segcore.data": WORDS,
    "segcore.postprocess": WORDS,
    "segcore.evaluation": WORDS,
    "segcore.config": WORDS | NUMPY,
    "segcore.runs": {"segcore.errors", "segcore.config"},
    "segcore.models": {"segcore.errors", "segcore.catalog", "segcore.config"},
    "segcore.training": BELOW_DOORS | {"segcore.models.build", "segcore.runs.folder.run_folder"},
    "segcore.tuning": BELOW_DOORS | {"segcore.runs"},
    "segcore.workspace": BELOW_DOORS | {"segcore.runs"},
    "segcore.cli": BELOW_DOORS | {"segcore.workspace", "segcore.runs.folder.status"},
    "segcore.__main__": {"segcore.cli"},
    "segcore.ui": BELOW_DOORS | {"segcore.workspace", "segcore.runs.folder.status"},
    "segcore.worker": BELOW_DOORS
    | {
        "segcore.workspace",
        "segcore.runs.folder.run_folder",
        "segcore.runs.dispatch.warm_process",
        "segcore.training",
    },
    "segcore.light_worker": BELOW_DOORS
    | {
        "segcore.runs.folder.run_folder",
        "segcore.runs.dispatch.warm_process",
        "segcore.runs.dispatch.executors",
        "segcore.runs.queue.stopping",
    },
    "segcore.api": BELOW_DOORS | {"segcore.workspace", "segcore.runs", "segcore.training"},
    "app": {"segcore.ui"},
    "pages": {"segcore.ui"},
}

# Outside packages that may be imported only in these parts.
ONLY_HERE: dict[str, set[str]] = {
    "tensorflow": {"segcore.models", "segcore.training", "segcore.worker", "segcore.api"},
    "keras": {"segcore.models", "segcore.training", "segcore.worker", "segcore.api"},
    "streamlit": {"app", "pages", "segcore.ui"},
    "pydensecrf": {"segcore.postprocess"},
    "subprocess": {"segcore.runs"},
    "sqlite3": {"segcore.runs"},
    "optuna": {"segcore.tuning"},
    "distributed": {"segcore.runs"},
    "dask": {"segcore.runs"},
}


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _part(module: str) -> str:
    """The part of the house that a module belongs to."""
    if module == "segcore":
        return module
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "segcore" else parts[0]


def _imports(tree: ast.AST, module: str, is_package: bool) -> list[tuple[str, int]]:
    """Dotted names imported anywhere in a file; ``from a import b`` gives ``a.b`` where that is a module of ours."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                here = module.split(".")[: len(module.split(".")) - node.level + is_package]
                base = ".".join([*here, *([node.module] if node.module else [])])
            for alias in node.names:
                full = f"{base}.{alias.name}"
                target = ROOT.joinpath(*full.split("."))
                found.append(
                    (
                        full if target.is_dir() or target.with_suffix(".py").exists() else base,
                        node.lineno,
                    )
                )
    return found


def _may_import(part: str, name: str) -> bool:
    own = _part(name)
    if own == part:
        return True
    return (
        any(
            name == allowed or name.startswith(allowed + ".")
            for allowed in FLOORS[part] - {"segcore"}
        )
        or name == "segcore"
    )


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_file_imports_only_from_below(path: Path) -> None:
    module = _module(path)
    part = _part(module)
    if module == "segcore":
        return
    assert part in FLOORS, (
        f"{path} stands on no floor: give {part} a row in FLOORS and in docs/architecture.md"
    )
    tree = ast.parse(path.read_text())
    wrong = []
    for name, line in _imports(tree, module, path.name == "__init__.py"):
        top = name.split(".")[0]
        if top == "segcore" and not _may_import(part, name):
            wrong.append(f"line {line}: {part} may not import {name}")
        if top in ONLY_HERE and part not in ONLY_HERE[top]:
            wrong.append(f"line {line}: {top} is imported only in {sorted(ONLY_HERE[top])}")
    if path == ROOT / "segcore" / "ui" / "charts.py":
        wrong += [
            f"line {line}: charts return figures and know no app"
            for name, line in _imports(tree, module, False)
            if name == "streamlit"
        ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_stand_at_the_top(path: Path) -> None:
    tree = ast.parse(path.read_text())
    wrong = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            wrong += [
                inner.lineno
                for inner in ast.walk(node)
                if isinstance(inner, (ast.Import, ast.ImportFrom))
            ]
        if isinstance(node, ast.ImportFrom):
            wrong += [node.lineno for alias in node.names if alias.name == "*"]
        if isinstance(node, ast.Name) and node.id == "TYPE_CHECKING":
            wrong.append(node.lineno)
    assert not wrong, f"imports inside functions, star imports or TYPE_CHECKING at lines {wrong}"


def test_the_left_wing_knows_no_tensorflow() -> None:
    ui = sorted(_module(p) for p in ROOT.glob("segcore/ui/**/*.py"))
    modules = ["segcore.workspace", "segcore.cli", "segcore.light_worker", *ui]
    load = f"import sys, importlib; [importlib.import_module(m) for m in {modules!r}]"
    code = f"{load}; print([m for m in ('tensorflow', 'keras') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_no_outside_data_set_is_carried() -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], capture_output=True, text=True, cwd=ROOT, check=False
    ).stdout.split("\n")
    assert not [name for name in tracked if name.lower().startswith(("shared/", "workspace/"))]
