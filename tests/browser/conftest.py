"""A running app, a real Chromium, and a page that tolerates neither errors nor strangers.

Where no Chromium is installed these tests are skipped with a loud line; with
``SEGSCOPE_REQUIRE_BROWSER=1`` its absence is a failure.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from playwright import sync_api

from segcore.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SLOW = 180_000
"""Milliseconds that anything may take on a busy machine."""
OWN = ("http://127.0.0.1:", "ws://127.0.0.1:", "blob:", "data:", "about:")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _wait_until_up(process: subprocess.Popen, url: str, log: Path) -> None:
    end = time.monotonic() + 300
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    pytest.fail(f"the app did not start:\n{log.read_text()}")


def _stop(process: subprocess.Popen) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


@pytest.fixture(scope="session")
def start_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """Start a Streamlit script in a process of its own and return its address; all are stopped at the end."""
    processes = []

    def start(
        script: Path,
        environment: dict[str, str] | None = None,
        port: int = 0,
        flags: Sequence[str] = (),
    ) -> str:
        port, log = port or _free_port(), tmp_path_factory.mktemp("app") / "server.log"
        options = {
            "port": port,
            "address": "127.0.0.1",
            "headless": "true",
            "fileWatcherType": "none",
        }
        words = [
            word for name, value in options.items() for word in (f"--server.{name}", str(value))
        ]
        command = [
            sys.executable,
            "-m",
            "streamlit",
            "run",
            str(script),
            *words,
            *flags,
            "--browser.gatherUsageStats",
            "false",
        ]
        variables = os.environ | {"PYTHONPATH": str(ROOT)} | (environment or {})
        with open(log, "wb") as output:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        processes.append(process)
        url = f"http://127.0.0.1:{port}"
        _wait_until_up(process, url, log)
        return url

    yield start
    for process in processes:
        _stop(process)


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """Find a port that nothing listens on."""
    return _free_port


@pytest.fixture(scope="session")
def open_demo(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Workspace]:
    """Make a workspace with the demo in a folder; its scenes are drawn once for all."""
    drawn = Workspace(tmp_path_factory.mktemp("drawn"))
    drawn.demo.open()

    def copied(folder: Path) -> Workspace:
        shutil.copytree(drawn.folder, folder, dirs_exist_ok=True)
        return Workspace(folder)

    return copied


@pytest.fixture(scope="session")
def demo_url(
    start_app: Callable[..., str],
    open_demo: Callable[[Path], Workspace],
    tmp_path_factory: pytest.TempPathFactory,
) -> str:
    """The address of the app with the demo open, in which nothing is trained."""
    workspace = open_demo(tmp_path_factory.mktemp("demo"))
    variables = {"SEGCORE_WORKSPACE": str(workspace.folder), "SEGSCOPE_NO_WORK": "1"}
    return start_app(ROOT / "app.py", variables)


@pytest.fixture(scope="session")
def viewer_url(start_app: Callable[..., str]) -> str:
    """The address of a page with nothing but the viewer."""
    return start_app(Path(__file__).parent / "harness_viewer.py")


@pytest.fixture(scope="session")
def editor(
    start_app: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Workspace]:
    """The address of a page with nothing but the mask editor, and the workspace that it saves to."""
    folder = tmp_path_factory.mktemp("edited")
    script = Path(__file__).parent / "harness_editor.py"
    return start_app(script, {"SEGCORE_WORKSPACE": str(folder)}), Workspace(folder)


@pytest.fixture(scope="session")
def chromium() -> Iterator[tuple[sync_api.BrowserType, dict[str, Any]]]:
    """Playwright's Chromium, and how it is started."""
    path = os.environ.get("CHROME") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        message = "NO BROWSER: install chromium (apt-get install chromium) or name one in $CHROME"
        if os.environ.get("SEGSCOPE_REQUIRE_BROWSER"):
            pytest.fail(message)
        pytest.skip(message)
    sync_api.expect.set_options(timeout=SLOW)
    with sync_api.sync_playwright() as playwright:
        yield playwright.chromium, {"executable_path": path, "headless": True, "args": FLAGS}


@pytest.fixture(scope="session")
def browser(chromium) -> Iterator[sync_api.Browser]:
    kind, options = chromium
    started = kind.launch(**options)
    yield started
    started.close()


@pytest.fixture(scope="session")
def profile(chromium, tmp_path_factory) -> Iterator[sync_api.BrowserContext]:
    """A Chromium whose profile lies on disk: it compiles Streamlit's scripts once, not in every test."""
    kind, options = chromium
    context = kind.launch_persistent_context(tmp_path_factory.mktemp("profile"), **options)
    yield context
    context.close()


def _leave(dialog: sync_api.Dialog) -> None:
    """Answer a page that asks whether to leave it."""
    dialog.accept()


@pytest.fixture
def tab(profile: sync_api.BrowserContext) -> Iterator[sync_api.Page]:
    """The one tab of the profile, which keeps compiled scripts in memory; it remembers nothing of other tests."""
    tab = profile.pages[0] if profile.pages else profile.new_page()
    tab.set_default_timeout(SLOW)
    tab.emulate_media(color_scheme="light")
    yield tab
    if tab.is_closed():
        return
    tab.on("dialog", _leave)
    tab.mouse.move(0, 0)
    if tab.url.startswith("http"):
        tab.evaluate("() => { localStorage.clear(); sessionStorage.clear() }")
    tab.goto("about:blank")
    tab.remove_listener("dialog", _leave)
    tab.unroute_all()
    profile.clear_cookies()
    session = profile.new_cdp_session(tab)
    kinds = "local_storage,indexeddb"
    session.send("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": kinds})
    session.detach()


@pytest.fixture
def new_page(request: pytest.FixtureRequest) -> Iterator[Callable[..., sync_api.Page]]:
    """Open pages that remember nothing of other tests; a script error, or a request to any other host, fails the test at its end.

    A test's first page is the tab that stays open, others have contexts of their own: as two people.
    """
    pages, contexts, problems = [], [], []
    watches = {
        "pageerror": lambda error: problems.append(f"script error: {error}"),
        "request": lambda sent: sent.url.startswith(OWN) or problems.append(f"asks {sent.url}"),
        "websocket": lambda ws: ws.url.startswith(OWN) or problems.append(f"a socket to {ws.url}"),
    }

    def open_page(width: int = 1440, height: int = 1000, **options: object) -> sync_api.Page:
        if pages or set(options) - {"color_scheme"}:
            browser = request.getfixturevalue("browser")
            size = {"width": width, "height": height}
            contexts.append(browser.new_context(viewport=size, **options))
            page = contexts[-1].new_page()
        else:
            page = request.getfixturevalue("tab")
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(**options)
        pages.append(page)
        page.set_default_timeout(SLOW)
        for event, watch in watches.items():
            page.on(event, watch)
        return page

    yield open_page
    for page in pages:
        for event, watch in watches.items():
            page.remove_listener(event, watch)
    for context in contexts:
        context.close()
    assert not problems, problems


@pytest.fixture
def page(new_page: Callable[..., sync_api.Page]) -> sync_api.Page:
    return new_page()


@pytest.fixture
def settle() -> Callable[[sync_api.Page], None]:
    """Wait until the page's script has run to its end; what stands there is then what the next click meets."""

    def wait(page: sync_api.Page) -> None:
        page.wait_for_timeout(300)  # a rerun that was just asked for has begun
        page.wait_for_function(
            "() => document.querySelector('[data-testid=stApp]')?.dataset.testScriptState "
            "=== 'notRunning'"
        )

    return wait


@pytest.fixture
def choose(settle: Callable[[sync_api.Page], None]) -> Callable[..., None]:
    """Choose an option of a box by its name. A rerun that comes between opening and choosing closes the list, so it is opened again."""

    def pick(page: sync_api.Page, box: str, option: str) -> None:
        field, wanted = (
            page.get_by_role("combobox", name=box),
            page.get_by_role("option", name=option, exact=True),
        )
        end = time.monotonic() + SLOW / 1000
        while True:
            settle(page)
            try:
                field.scroll_into_view_if_needed()
                field.click(timeout=5_000)
                field.fill(option, timeout=5_000)
                wanted.click(timeout=5_000)
                sync_api.expect(field).to_have_value(option, timeout=5_000)
                sync_api.expect(wanted).to_have_count(0, timeout=5_000)
                return
            except (sync_api.TimeoutError, AssertionError):
                if time.monotonic() > end:
                    raise
                page.keyboard.press("Escape")

    return pick
