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
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright import sync_api

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
OWN = ("http://127.0.0.1:", "ws://127.0.0.1:", "blob:", "data:", "about:")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _wait_until_up(process: subprocess.Popen, url: str, log: Path) -> None:
    end = time.monotonic() + 60
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

    def start(script: Path, environment: dict[str, str] | None = None) -> str:
        port, log = _free_port(), tmp_path_factory.mktemp("app") / "server.log"
        options = {"port": port, "address": "127.0.0.1", "headless": "true", "fileWatcherType": "none"}
        flags = [word for name, value in options.items() for word in (f"--server.{name}", str(value))]
        command = [sys.executable, "-m", "streamlit", "run", str(script), *flags, "--browser.gatherUsageStats", "false"]
        variables = os.environ | {"PYTHONPATH": str(ROOT)} | (environment or {})
        with open(log, "wb") as output:
            process = subprocess.Popen(
                command, cwd=ROOT, env=variables, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        processes.append(process)
        url = f"http://127.0.0.1:{port}"
        _wait_until_up(process, url, log)
        return url

    yield start
    for process in processes:
        _stop(process)


@pytest.fixture(scope="session")
def browser() -> Iterator[sync_api.Browser]:
    path = os.environ.get("CHROME") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        message = "NO BROWSER: install chromium (apt-get install chromium) or name one in $CHROME"
        if os.environ.get("SEGSCOPE_REQUIRE_BROWSER"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, headless=True, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def new_page(browser: sync_api.Browser) -> Iterator[Callable[..., sync_api.Page]]:
    """Open pages in fresh contexts; a script error, or a request to any other host, fails the test at its end."""
    contexts, problems = [], []

    def open_page(width: int = 1440, height: int = 1000, **options: object) -> sync_api.Page:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: problems.append(f"script error: {error}"))
        page.on("request", lambda request: None if request.url.startswith(OWN) else problems.append(f"a request to {request.url}"))
        page.on("websocket", lambda socket: None if socket.url.startswith(OWN) else problems.append(f"a socket to {socket.url}"))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not problems, problems


@pytest.fixture
def page(new_page: Callable[..., sync_api.Page]) -> sync_api.Page:
    return new_page()
