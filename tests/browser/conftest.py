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
    "--in-process-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE *.localhost, EXCLUDE 127.0.0.1",
]
"""Nothing is drawn by a GPU, and no address but this machine's is found."""
SLOW = 180_000
"""Milliseconds that anything may take on a busy machine."""
CALM = {"color_scheme": "light", "reduced_motion": "reduce"}
"""How pages look: nothing pulses or fades, which would be drawn sixty times a second by the processor."""
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


class Apps:
    """Streamlit scripts, each in a process of its own."""

    def __init__(self, logs: pytest.TempPathFactory) -> None:
        self.logs = logs
        self.processes: list[subprocess.Popen] = []

    def start(
        self,
        script: Path,
        environment: dict[str, str] | None = None,
        port: int = 0,
        flags: Sequence[str] = (),
    ) -> str:
        """Start a script and return its address."""
        port, log = port or _free_port(), self.logs.mktemp("app") / "server.log"
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
        self.processes.append(process)
        url = f"http://127.0.0.1:{port}"
        _wait_until_up(process, url, log)
        return url

    def stop(self) -> None:
        """Stop all of them."""
        while self.processes:
            _stop(self.processes.pop())


@pytest.fixture(scope="session")
def apps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apps]:
    """Starts what runs to the end of all tests."""
    made = Apps(tmp_path_factory)
    yield made
    made.stop()


@pytest.fixture(scope="session")
def app_port() -> int:
    """The port of one file's app after the other's: Chromium knows the scripts of that address already."""
    return _free_port()


@pytest.fixture(scope="module")
def start_app(
    tmp_path_factory: pytest.TempPathFactory, app_port: int
) -> Iterator[Callable[..., str]]:
    """Start a Streamlit script in a process of its own and return its address; all are stopped at the file's end."""
    made = Apps(tmp_path_factory)

    def start(script: Path, environment: dict[str, str], flags: Sequence[str] = ()) -> str:
        port = 0 if made.processes else app_port
        return made.start(script, environment, port, flags)

    yield start
    made.stop()


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """Find a port that nothing listens on."""
    return _free_port


@pytest.fixture(scope="session")
def demo_url(
    apps: Apps,
    tmp_path_factory: pytest.TempPathFactory,
) -> str:
    """The address of the app with the demo open, in which nothing is trained."""
    workspace = Workspace(tmp_path_factory.mktemp("demo"))
    workspace.demo.open()
    variables = {"SEGCORE_WORKSPACE": str(workspace.folder), "SEGSCOPE_NO_WORK": "1"}
    return apps.start(ROOT / "app.py", variables)


@pytest.fixture(scope="session")
def viewer_url(apps: Apps) -> str:
    """The address of a page with nothing but the viewer."""
    return apps.start(Path(__file__).parent / "harness_viewer.py")


@pytest.fixture(scope="session")
def editor(apps: Apps, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Workspace]:
    """The address of a page with nothing but the mask editor, and the workspace that it saves to."""
    folder = tmp_path_factory.mktemp("edited")
    script = Path(__file__).parent / "harness_editor.py"
    return apps.start(script, {"SEGCORE_WORKSPACE": str(folder)}), Workspace(folder)


@pytest.fixture(scope="session")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sync_api.BrowserContext]:
    """Playwright's Chromium with a profile on disk: it compiles Streamlit's scripts once, not in every test."""
    path = os.environ.get("CHROME") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        message = "NO BROWSER: install chromium (apt-get install chromium) or name one in $CHROME"
        if os.environ.get("SEGSCOPE_REQUIRE_BROWSER"):
            pytest.fail(message)
        pytest.skip(message)
    sync_api.expect.set_options(timeout=SLOW)
    with sync_api.sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("profile"),
            executable_path=path,
            args=FLAGS,
            ignore_https_errors=True,  # the certificate of the team's server is its own
        )
        yield context
        context.close()


def forget(page: sync_api.Page) -> None:
    """Empty what scripts keep in the browser for the page's address."""
    if page.url.startswith("http"):
        page.evaluate("() => { localStorage.clear(); sessionStorage.clear() }")


def _leave(dialog: sync_api.Dialog) -> None:
    """Answer a page that asks whether to leave it."""
    dialog.accept()


@pytest.fixture
def tab(profile: sync_api.BrowserContext) -> Iterator[sync_api.Page]:
    """The one tab of the profile, which keeps compiled scripts in memory; it remembers nothing of other tests."""
    tab = profile.pages[0] if profile.pages else profile.new_page()
    tab.set_default_timeout(SLOW)
    tab.emulate_media(**CALM)
    yield tab
    if tab.is_closed():
        return
    tab.on("dialog", _leave)
    tab.mouse.move(0, 0)
    forget(tab)
    tab.goto("about:blank")
    tab.remove_listener("dialog", _leave)
    tab.unroute_all()
    profile.clear_cookies()
    session = profile.new_cdp_session(tab)
    kinds = "local_storage,indexeddb"
    session.send("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": kinds})
    session.detach()


def _touch(page: sync_api.Page, enabled: bool) -> None:
    """Let a page have a screen that is touched, or not."""
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setTouchEmulationEnabled", {"enabled": enabled})


@pytest.fixture
def new_page(
    tab: sync_api.Page, profile: sync_api.BrowserContext
) -> Iterator[Callable[..., sync_api.Page]]:
    """Open pages that remember nothing of other tests; a script error, or a request to any other host, fails the test at its end.

    A test's first page is the tab that stays open, others are windows beside it that find nothing stored.
    """
    pages, problems = [], []
    watches = {
        "pageerror": lambda error: problems.append(f"script error: {error.stack or error}"),
        "request": lambda sent: sent.url.startswith(OWN) or problems.append(f"asks {sent.url}"),
        "websocket": lambda ws: ws.url.startswith(OWN) or problems.append(f"a socket to {ws.url}"),
    }

    def open_page(
        width: int = 1440, height: int = 1000, touch: bool = False, **media: Any
    ) -> sync_api.Page:
        page = profile.new_page() if pages else tab
        for other in pages:
            forget(other)
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(**(CALM | media))
        if touch:
            _touch(page, True)
        pages.append(page)
        page.set_default_timeout(SLOW)
        for event, watch in watches.items():
            page.on(event, watch)
        return page

    yield open_page
    for page in pages:
        for event, watch in watches.items():
            page.remove_listener(event, watch)
    for page in pages[1:]:
        page.close()
    if not tab.is_closed():
        _touch(tab, False)
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
            "=== 'notRunning'",
            polling=50,  # not at every frame, which would draw each
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
