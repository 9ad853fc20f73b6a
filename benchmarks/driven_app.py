"""The app in a process of its own, and a Chromium to drive it: what the scripts beside this one share."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # for the scripts beside this one, which stand outside the package
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
]


def chromium() -> str:
    """Return where Chromium is; ends the program with a sentence where there is none."""
    found = os.environ.get("CHROME") or shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        sys.exit("Expected Chromium, found none: apt-get install chromium, or name one in $CHROME.")
    return found


@contextmanager
def served(workspace: Path, **environment: str) -> Iterator[tuple[str, float]]:
    """Start the app on a workspace; gives its address and the seconds until it answered, and stops it at the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        str(ROOT / "app.py"),
        "--server.port",
        str(port),
        "--server.headless",
        "true",
    ]
    variables = {**os.environ, "SEGCORE_WORKSPACE": str(workspace), **environment}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
    server = subprocess.Popen(command, cwd=ROOT, env=variables, **quiet)
    try:
        url, start = f"http://127.0.0.1:{port}", time.perf_counter()
        while True:
            try:
                urllib.request.urlopen(f"{url}/_stcore/health", timeout=1).close()
                break
            except OSError:
                if server.poll() is not None:
                    sys.exit("The app did not start: `python -m segcore app` says why.")
                time.sleep(0.02)
        yield url, time.perf_counter() - start
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(10)


@contextmanager
def browser() -> Iterator[Browser]:
    """Start Chromium, drawing in software."""
    path = chromium()
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=path, headless=True, args=FLAGS)
        yield found
        found.close()


def settle(page: Page, milliseconds: int = 120_000) -> None:
    """Wait until the page's script has run and all that it draws stands there."""
    page.wait_for_timeout(300)
    page.wait_for_function(
        """() => document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning'
            && !document.querySelector('[data-testid=stSkeleton]')""",
        timeout=milliseconds,
    )
