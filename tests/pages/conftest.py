"""Pages opened by Streamlit's AppTest: alone, or through the frame; none starts a process."""

import functools
import json
import re
import struct
from pathlib import Path
from types import SimpleNamespace

import pytest
import streamlit as st
from streamlit.components.v2 import manifest_scanner
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import script_runner
from streamlit.testing.v1 import AppTest

from segcore.workspace.launch.doctor import Doctor

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(path.stem for path in (ROOT / "pages").glob("*.py") if path.stem != "study")
"""All pages; the old address of one of them, which only leads on, is none."""
SECONDS = 300


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test that takes ``page`` every page in turn: a new page is tested as soon as it exists."""
    if "page" in metafunc.fixturenames:
        metafunc.parametrize("page", PAGES)


@pytest.fixture(scope="session", autouse=True)
def quick_runs():
    """Let a run of the app do what the page does, and no more; nine tenths of its time went elsewhere.

    Streamlit reads the metadata of every installed package for each ``AppTest``, though they do not
    change meanwhile. After every run it collects garbage, and has Keras do so too where Keras is
    loaded: in a process of tests, which has imported everything, that looks through more than half
    a million objects.
    """
    with pytest.MonkeyPatch.context() as patch:
        scan = functools.cache(manifest_scanner.scan_component_manifests)
        patch.setattr(manifest_scanner, "scan_component_manifests", scan)
        patch.setattr(script_runner, "gc", SimpleNamespace(collect=lambda generation: 0))
        patch.setattr(script_runner, "_clean_problem_modules", lambda: None)
        yield


@pytest.fixture(autouse=True)
def small_splits_have_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny dataset has three images a split: enough here to see how pages show an interval."""
    monkeypatch.setattr("segcore.evaluation.counts.bootstrap.MINIMUM", 3)


@pytest.fixture(autouse=True)
def app_of_workspace(workspace, started, monkeypatch):
    """Let the app open the test's workspace, and remember nothing of the test before.

    AppTest makes a new ``PagesManager`` for every run, which takes the folder ``pages/`` for the
    navigation and would run the page without the frame; in a server that happens before its first
    page only.
    """
    as_it_is = PagesManager.__init__

    def after_the_first_page(manager, *arguments, **named) -> None:
        as_it_is(manager, *arguments, **named)
        PagesManager.uses_pages_directory = False

    monkeypatch.setattr(PagesManager, "__init__", after_the_first_page)
    monkeypatch.setattr(Doctor, "start_where_unchecked", lambda doctor, devices: None)
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("SEGCORE_WORKSPACE", str(workspace.folder))
    st.cache_resource.clear()
    st.cache_data.clear()
    yield
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture
def empty_workspace(tmp_path, monkeypatch) -> Path:
    """An app that is opened for the first time."""
    folder = tmp_path / "empty"
    monkeypatch.setenv("SEGCORE_WORKSPACE", str(folder))
    return folder


def check(at: AppTest) -> AppTest:
    """The page, which did not end in a traceback."""
    assert not at.exception, [(e.message, *e.stack_trace) for e in at.exception]
    return at


@pytest.fixture
def open_page():
    """Open the app and go to a page ("": stay where it opens); further arguments are the link's query."""

    def open(page: str, **query: str) -> AppTest:
        at = check(AppTest.from_file(ROOT / "app.py", default_timeout=SECONDS).run())
        for name, value in query.items():
            at.query_params[name] = value
        return check(at.switch_page(f"pages/{page}.py").run()) if page else at

    return open


@pytest.fixture
def open_alone(monkeypatch):
    """Open a page without the frame; links to other pages, which only the frame knows, are noted in ``links``."""
    links: list[str] = []

    def open(page: str, **query: str) -> SimpleNamespace:
        monkeypatch.setattr(st, "page_link", lambda page, **_: links.append(page))
        at = AppTest.from_file(ROOT / "pages" / f"{page}.py", default_timeout=SECONDS)
        for name, value in query.items():
            at.query_params[name] = value
        return SimpleNamespace(at=check(at.run()), links=links)

    return open


def metrics(at: AppTest) -> dict[str, str]:
    """Values of the page's metrics by label."""
    return {m.label: m.value for m in at.metric}


def title(at: AppTest) -> str:
    """The title of the page, which screen readers say."""
    found = [re.search(r'<h1 class="page-title">(.*?)</h1>', e.proto.body) for e in at.get("html")]
    return next((match.group(1) for match in found if match), "")


def figure(at: AppTest, key: str) -> dict:
    """A Plotly figure of the page by the key of its chart."""
    (found,) = [e.proto for e in at.get("plotly_chart") if e.proto.id.endswith(key)]
    return json.loads(found.spec)


def scene(at: AppTest, key: str) -> dict:
    """The header of the scene that a viewer was sent."""
    for element in at.get("bidi_component"):
        data = element.proto.bytes
        if len(data) < 8:
            continue
        (size,) = struct.unpack_from("<I", data)
        if json.loads(data[4 : 4 + size]).get("key") == key:
            rest = data[4 + size :]
            (size,) = struct.unpack_from("<I", rest)
            return json.loads(rest[4 : 4 + size])
    raise AssertionError(f"no viewer {key!r} on the page")


@pytest.fixture
def read() -> SimpleNamespace:
    """What a test reads from a page, and ``check`` that nothing was raised."""
    return SimpleNamespace(metrics=metrics, figure=figure, scene=scene, title=title, check=check)
