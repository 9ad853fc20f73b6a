"""What the contracts on imports in ``pyproject.toml``, which ``make lint`` checks, cannot say: the app's scripts, and what gets loaded."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = [ROOT / "app.py", *sorted(ROOT.glob("pages/*.py"))]
SOURCES = sorted([*ROOT.glob("segcore/**/*.py"), *SCRIPTS])


def _imports(path: Path) -> list[str]:
    """Dotted names of what a file imports; ``from a import b`` gives ``a.b``."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{node.module or ''}.{alias.name}" for alias in node.names]
    return names


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: p.name)
def test_pages_know_only_the_parts_of_the_app(path: Path) -> None:
    ours = {name for name in _imports(path) if name.split(".")[0] in ("segcore", "pages", "app")}
    base = ("errors", "labels", "catalog", "config", "formatting")
    below = ("segcore.ui", *(f"segcore.{name}" for name in base))
    assert not {name for name in ours if not name.startswith(below)}


def test_no_block_is_read_by_type_checkers_alone() -> None:
    assert not [path for path in SOURCES if "TYPE_CHECKING" in path.read_text()]


def test_charts_return_figures_and_know_no_app() -> None:
    charts = sorted(ROOT.glob("segcore/ui/**/charts.py"))
    assert charts and not [
        path for path in charts if any(name.startswith("streamlit") for name in _imports(path))
    ]


def test_the_frontend_loads_no_tensorflow() -> None:
    ui = (p.relative_to(ROOT).with_suffix("") for p in ROOT.glob("segcore/ui/**/*.py"))
    names = sorted(".".join(p.parts).removesuffix(".__init__") for p in ui)
    modules = ["segcore.workspace", "segcore.cli", "segcore.light_worker", *names]
    load = f"import sys, importlib; [importlib.import_module(m) for m in {modules!r}]"
    code = f"{load}; print([m for m in ('tensorflow', 'keras') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_no_folder_is_a_heap() -> None:
    for folder in {path.parent for path in ROOT.glob("segcore/**/*.py")}:
        files = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
        assert len(files) <= 20, f"{folder} holds {len(files)} files: give it a second level"


def test_no_outside_dataset_is_carried() -> None:
    done = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=ROOT, check=True)
    tracked = done.stdout.split("\n")
    assert not [name for name in tracked if name.lower().startswith(("shared/", "workspace/"))]
