"""The Train page on four machines, in light and dark: what the doctor found, and what it refuses.

``SEGSCOPE_PICTURES=FOLDER`` keeps the pictures.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from segcore.runs.machine import doctor
from segcore.workspace import Workspace
from tests.conftest import make_workspace

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
SMI = """#!/bin/sh
[ -e "$(dirname "$0")/card" ] || exit 9
case "$*" in
*driver_version*) echo 570.86 ;;
*compute-apps*) echo "4711, 24100 MiB" ;;
*) echo "0, GPU-1, NVIDIA GeForce RTX 5090, 32607, 25000, 3, 41" ;;
esac
"""


def answer(*devices: str, wrong: str = "") -> dict:
    """What the engine says; ``wrong``: why its numbers on gpu:0 are."""
    results = [
        {"device": d, "precision": p, "error": wrong if d != "cpu" else ""}
        for d in devices
        for p in ("float32", "bfloat16", "float16")
    ]
    return {"version": "2.21.0", "devices": [*devices], "results": results, "error": ""}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("machine")


@pytest.fixture(scope="module")
def workspace(folder: Path) -> Workspace:
    return make_workspace(folder / "workspace")


@pytest.fixture(scope="module")
def url(start_app: Callable[..., str], workspace: Workspace, folder: Path) -> str:
    """The app on a machine whose driver lists a GPU while the file ``bin/card`` is there."""
    program = folder / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text(SMI)
    program.chmod(0o755)
    path = f"{program.parent}:{os.environ['PATH']}"
    return start_app(ROOT / "app.py", {"SEGCORE_WORKSPACE": str(workspace.folder), "PATH": path})


@pytest.fixture
def machine(
    url: str, workspace: Workspace, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """Make this another machine, and let the doctor examine it."""
    find, which = doctor.importlib.util.find_spec, doctor.shutil.which
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def become(engine: dict, *, card: bool = False, missing: tuple[str, ...] = ()) -> None:
        absent = {"jax", "torch", *missing}
        file = folder / "bin" / "card"
        file.touch() if card else file.unlink(missing_ok=True)
        with monkeypatch.context() as patched:
            patched.setattr(
                doctor.importlib.util, "find_spec", lambda n, *r: n not in absent and find(n, *r)
            )
            patched.setattr(doctor.shutil, "which", lambda n: None if n in absent else which(n))
            patched.setattr(doctor, "ask_engine", lambda name: engine)
            if missing:
                patched.setattr(doctor.sys, "version_info", (3, 12, 1))
            workspace.doctor.examine()

    return become


@pytest.fixture
def picture(new_page: Callable[..., Page], settle: Callable[[Page], None], tmp_path: Path):
    """Open the Train page in a look, unfold machine and devices, and take its picture."""
    kept = Path(os.environ.get("SEGSCOPE_PICTURES", tmp_path))

    def take(url: str, name: str, scheme: str, device: str = "") -> Page:
        page = new_page(color_scheme=scheme, height=1500)
        page.goto(f"{url}/train?dataset=tiny")
        settle(page)
        page.get_by_text("Optimization, data and device").click()
        if device:
            page.get_by_role("radio", name=device, exact=True).or_(
                page.get_by_role("button", name=device, exact=True)
            ).first.click()
            settle(page)
        page.locator(".st-key-machine_card summary").click()
        page.get_by_role("button", name="Check again").wait_for()
        page.mouse.move(5, 5)
        page.wait_for_timeout(600)  # it unfolds, and a tooltip goes
        page.screenshot(path=kept / f"{name}-{scheme}.png")
        return page

    return take


SCHEMES = pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
"""The dark ones say the same, for the pictures."""


@SCHEMES
def test_a_machine_without_a_gpu(url, machine, picture, scheme: str) -> None:
    machine(answer("cpu"))
    page = picture(url, "no-gpu", scheme)
    expect(page.get_by_text("none is loaded: runs use the CPU")).to_be_visible()
    expect(page.get_by_role("button", name="Start training")).to_be_enabled()


@SCHEMES
def test_a_driver_whose_gpu_the_engine_does_not_see(url, machine, picture, scheme: str) -> None:
    machine(answer("cpu"), card=True)
    page = picture(url, "driver-only", scheme, device="GPUs")
    expect(page.get_by_text("Machine: 1 check fails, 1 warning")).to_be_visible()
    expect(page.get_by_text("make app GPU=1", exact=True)).to_have_count(2)
    expect(page.get_by_role("alert").get_by_text("only the driver sees gpu:0")).to_be_visible()
    expect(page.get_by_role("button", name="Start training")).to_be_disabled()


@SCHEMES
def test_a_machine_without_a_compiler(url, machine, picture, scheme: str) -> None:
    machine(answer("cpu"), missing=("pydensecrf", "g++", "c++"))
    page = picture(url, "no-compiler", scheme)
    expect(page.get_by_text("there is no C++ compiler")).to_be_visible()
    expect(page.get_by_text("sudo apt-get install g++ python3-dev")).to_be_visible()


@SCHEMES
def test_a_gpu_that_fails(url, machine, picture, scheme: str) -> None:
    ptx = "InternalError: the provided PTX was compiled with an unsupported toolchain."
    machine(answer("cpu", "gpu:0", wrong=ptx), card=True)
    page = picture(url, "gpu-fails", scheme)
    expect(page.get_by_role("alert").get_by_text("unsupported toolchain")).to_be_visible()
    expect(page.get_by_role("button", name="Start training")).to_be_disabled()


def test_a_check_in_the_background_leaves_the_page_free(
    url, machine, new_page, settle, workspace: Workspace
) -> None:
    """The engine that is installed here computes, while the form takes another value."""
    machine(answer("cpu"))
    before = workspace.doctor.kept().checked
    page = new_page()
    page.goto(f"{url}/train?dataset=tiny")
    settle(page)
    page.locator(".st-key-machine_card summary").click()
    page.get_by_role("button", name="Check again").click()
    expect(page.get_by_text("Checking the machine")).to_be_visible()
    epochs = page.get_by_role("spinbutton", name="Epochs")
    epochs.fill("7")
    epochs.press("Enter")
    expect(page.get_by_role("button", name="Check again")).to_be_visible(timeout=300_000)
    expect(page.get_by_text("TensorFlow on cpu")).to_be_visible()
    assert workspace.doctor.kept().checked > before
    assert epochs.input_value() == "7"
