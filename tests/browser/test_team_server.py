"""The how-to for a team's server: its very nginx configuration in front of the app, driven in a browser."""

import os
import re
import secrets
import shutil
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from oidc_provider_mock import run_server_in_thread
from playwright.sync_api import Page, Response, expect

from tests.conftest import MadeUpRuns, make_trained, make_workspace

ROOT = Path(__file__).resolve().parents[2]
HOW_TO = (ROOT / "docs/how-to/team-server.md").read_text()
NAME = "segscope.localhost"
pytestmark = pytest.mark.browser


def block(language: str, number: int = 0) -> str:
    """A fenced block of the how-to, as a reader copies it."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```", HOW_TO, re.M | re.S)[number]
    return re.sub(rf"^{found[0]}", "", found[1], flags=re.M)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    pem, key = folder / "segscope.pem", folder / "segscope.key"
    if shutil.which("openssl") is None:
        pytest.skip("no openssl: apt-get install openssl")
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    words += ["-subj", f"/CN={NAME}", "-out", str(pem), "-keyout", str(key)]
    subprocess.run(words, check=True, capture_output=True)
    return pem, key


def wait_for(url: str, process: subprocess.Popen, log: Path) -> str:
    context = ssl._create_unverified_context()
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5, context=context) as answer:
                return answer.read().decode()
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"{url} does not answer:\n{log.read_text()}")


def end(process: subprocess.Popen) -> None:
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(20)


@pytest.fixture(scope="module")
def server(certificate, free_port, tmp_path_factory) -> Iterator[SimpleNamespace]:
    """The provider, the app as the how-to starts it, and nginx with the how-to's configuration."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        pytest.skip("no nginx: apt-get install nginx")
    folder = tmp_path_factory.mktemp("server")
    workspace = make_trained(MadeUpRuns(make_workspace(folder / "workspace"))).workspace
    (workspace.folder / "team.toml").write_text(block("toml", 1))
    inner, outer = free_port(), free_port()
    url = f"https://{NAME}:{outer}"
    with run_server_in_thread() as provider:
        issuer = f"http://localhost:{provider.server_port}"
        settings = block("toml", 0)
        for before, after in (
            ("https://segscope.example.org", url),
            ("https://login.example.org", issuer),
        ):
            assert before in settings
            settings = settings.replace(before, after)
        settings = re.sub(r'(?<=cookie_secret = ").*(?=")', secrets.token_hex(32), settings)
        (folder / ".streamlit").mkdir()
        (folder / ".streamlit/secrets.toml").write_text(settings)
        (command,) = re.findall(r"^ *segscope (app --workspace .*)$", HOW_TO, re.M)
        words = command.replace("/data/segscope", str(workspace.folder)).split()
        processes = []
        try:
            processes.append(
                start([sys.executable, "-m", "segcore", *words, "--port", str(inner)], folder)
            )
            wait_for(
                f"http://127.0.0.1:{inner}/segscope/_stcore/health", processes[0], folder / "0.log"
            )
            site = block("nginx")
            for before, after in (
                ("listen 443", f"listen 127.0.0.1:{outer}"),
                ("127.0.0.1:8501", f"127.0.0.1:{inner}"),
                ("segscope.example.org", NAME),
                ("/etc/ssl/certs/segscope.pem", str(certificate[0])),
                ("/etc/ssl/private/segscope.key", str(certificate[1])),
            ):
                assert before in site
                site = site.replace(before, after)
            (folder / "site").write_text(site)
            (folder / "nginx.conf").write_text(nginx_conf(folder))
            processes.append(start([nginx, "-p", str(folder), "-c", "nginx.conf"], folder))
            healthy = wait_for(f"https://127.0.0.1:{outer}/healthz", processes[1], folder / "1.log")
            yield SimpleNamespace(url=url, healthy=healthy, workspace=workspace)
        finally:
            for process in processes:
                end(process)


def start(words: list[str], folder: Path) -> subprocess.Popen:
    number = len(list(folder.glob("*.log")))
    with open(folder / f"{number}.log", "wb") as log:
        return subprocess.Popen(
            words,
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT), "SEGSCOPE_NO_WORK": "1"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def nginx_conf(folder: Path) -> str:
    """What a distribution's nginx.conf says around a site, for a user without rights."""
    temporary = " ".join(
        f"{name}_temp_path {folder}/{name};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return (
        f"daemon off; pid {folder}/pid; error_log stderr;\nevents {{}}\n"
        f"http {{ access_log off; {temporary} include {folder}/site; }}\n"
    )


def test_the_how_to_s_server_works_through_tls_and_its_path(
    server: SimpleNamespace, tab: Page, tmp_path: Path
) -> None:
    assert server.healthy == "ok"
    failed: list[str] = []

    def note(answer: Response) -> None:
        if answer.status >= 400:
            failed.append(answer.url)

    tab.on("response", note)
    tab.goto(f"{server.url}/segscope/compare?view_of=Viewer")
    tab.get_by_role("button", name="Log in").click()
    tab.get_by_placeholder("sub").fill("carl@lab.example.org")
    tab.get_by_role("button", name="Authorize").click()
    # the deep link, after log-in, and the viewer's own script and picture under the path
    tab.locator("[data-painted]").first.wait_for()
    assert tab.url.startswith(f"{server.url}/segscope/compare")
    # a download, a link to another page, an upload larger than nginx takes by default (1 MB)
    tab.get_by_role("button", name="Panels").click()
    with tab.expect_download() as waiting:
        tab.get_by_role("button", name="Download contact sheet").click()
    assert waiting.value.path().read_bytes().startswith(b"\x89PNG")
    tab.keyboard.press("Escape")
    tab.get_by_role("link", name="Dataset").click()
    expect(tab.locator("h1.page-title")).to_have_text("Dataset")
    tab.get_by_role("button", name="Import dataset").click()
    tab.get_by_role("radio", name="Upload an archive").click()
    archive = tmp_path / "large.zip"
    archive.write_bytes(np.random.default_rng(0).bytes(2_500_000))
    tab.locator("input[type=file]").set_input_files(archive)
    expect(tab.get_by_text("large.zip").first).to_be_visible()
    expect(tab.get_by_role("button", name="Preview")).to_be_visible()  # the server has it
    tab.keyboard.press("Escape")
    tab.get_by_role("button", name="carl").click()
    expect(tab.get_by_text("Editor: may do everything.")).to_be_visible()
    tab.remove_listener("response", note)
    # Streamlit's page tries the parts of a deep link until it knows the app's path
    probes = re.compile(r"/segscope/\w+/_stcore/(health|host-config)$")
    ours = [url for url in failed if url.startswith(server.url) and not probes.search(url)]
    assert not ours, ours


def test_a_page_of_another_origin_gets_no_session(server: SimpleNamespace) -> None:
    asked = urllib.request.Request(
        f"{server.url.replace(NAME, '127.0.0.1')}/segscope/_stcore/stream",
        headers={
            "Host": server.url.removeprefix("https://"),
            "Origin": "https://evil.example",
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "c2l4dGVlbiBieXRlcyAuLg==",
        },
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(asked, timeout=20, context=ssl._create_unverified_context())
    assert refused.value.code == 403
