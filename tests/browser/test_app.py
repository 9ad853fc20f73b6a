"""A newcomer's first minutes in a real browser: the demo, its pages and keys, a training run, a folder of one's own."""

import base64
import http.client
import io
import os
import re
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from segcore import formatting
from segcore.data.balance.plans import BalancePlan
from segcore.workspace import Workspace

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
TRAINING_SECONDS = 420
"""How long a small training run and its prediction may take on a busy machine."""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("workspace"))


@pytest.fixture(scope="module")
def url(start_app: Callable[..., str], workspace: Workspace) -> str:
    return start_app(ROOT / "app.py", {"SEGCORE_WORKSPACE": str(workspace.folder)})


def shown_pixels(page: Page, panel: int) -> np.ndarray:
    """What a panel of the viewer shows, (H, W, 4) uint8."""
    address = page.evaluate(f"() => window.__segviewer.viewer.views[{panel}].canvas.toDataURL()")
    return np.asarray(
        Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).convert("RGBA")
    )


def expect_four_panels(page: Page) -> None:
    page.locator("[data-painted]").first.wait_for()
    page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )
    labels = [
        page.locator("canvas[role=img]").nth(i).get_attribute("aria-label") or "" for i in range(4)
    ]
    for label, title in zip(labels, ("Image", "Ground truth", "Prediction", "CRF"), strict=True):
        assert label.startswith(title)
    for panel in range(4):
        pixels = shown_pixels(page, panel)
        assert pixels[..., :3].std() > 10, f"panel {panel} is blank"


def test_the_demo_shows_four_panels_without_training(
    page: Page, url: str, workspace: Workspace, settle: Callable[[Page], None]
) -> None:
    page.goto(url)
    page.get_by_role("button", name="Open demo").click()
    page.wait_for_url("**/compare**", timeout=180_000)
    expect_four_panels(page)
    settle(page)
    # what is painted is what the workspace holds: the probe names the true class of a pixel
    demo = workspace.demo.open()
    first = workspace.scenes.predicted_samples(demo.ensemble, "test")[0]
    truth = workspace.scenes.truth("demo", first.id)
    prediction = workspace.scenes.probabilities(demo.ensemble, "test", first.id).argmax(-1)
    for x, y in ((20, 30), (100, 90), (200, 150)):
        facts = page.evaluate(f"() => window.__segviewer.probe({x}, {y})")
        assert facts[1]["index"] == truth[y, x]
        assert facts[2]["index"] == prediction[y, x]


def test_scores_and_labels_of_the_demo(page: Page, url: str, workspace: Workspace) -> None:
    demo = workspace.demo.open()
    report = workspace.scores.report(demo.ensemble, "test", "crf").to_json()
    page.goto(f"{url}/evaluate?run={demo.ensemble}")
    headline = f"Mean IoU {formatting.percent(report['mean_iou'])}"
    expect(page.get_by_role("heading", name=headline).first).to_be_visible()
    page.goto(f"{url}/compress?run={demo.ensemble}")
    expect(page.get_by_text("Suggested merges")).to_be_visible()
    expect(page.locator(".js-plotly-plot").first).to_be_visible()


@pytest.mark.slow
def test_a_training_run_is_started_watched_and_looked_at(
    page: Page, url: str, workspace: Workspace, settle: Callable[[Page], None]
) -> None:
    workspace.demo.open()
    page.goto(f"{url}/train?dataset=demo")
    settle(page)
    page.get_by_role("combobox", name="Encoder", exact=False).first.click()
    page.keyboard.type("Tiny")
    page.get_by_role("option", name="Tiny", exact=True).click()
    settle(page)
    for label, value in (("Height", "32"), ("Width", "64"), ("Epochs", "2")):
        box = page.get_by_role("spinbutton", name=label)
        box.fill(value)
        box.press("Enter")
        settle(page)
    before = set(workspace.runs.ids())
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url("**/runs?**")
    (run,) = [run for run in set(workspace.runs.ids()) - before if "--" not in run]
    deadline = time.monotonic() + TRAINING_SECONDS
    while not workspace.runs.open(run).status().has_ended and time.monotonic() < deadline:
        page.wait_for_timeout(500)
    status = workspace.runs.open(run).status()
    assert status.state == "finished", status.cause
    assert [line["epoch"] for line in workspace.runs.open(run).metrics()] == [1, 2]
    # the open page follows by itself
    expect(page.get_by_role("link", name="Compare masks")).to_be_visible(timeout=180_000)
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    page.get_by_role("link", name="Compare masks").click()
    # nobody asks for them: the predictions follow the training
    page.locator("[data-painted]").first.wait_for(timeout=1000 * TRAINING_SECONDS)
    expect_four_panels(page)


def test_nothing_is_lost_when_the_page_is_opened_again(
    new_page: Callable[..., Page], url: str, workspace: Workspace, settle: Callable[[Page], None]
) -> None:
    demo = workspace.demo.open()
    page = new_page(color_scheme="dark")
    page.goto(f"{url}/compare?run={demo.ensemble}")
    expect_four_panels(page)
    settle(page)
    viewer = page.locator("[data-painted]").first
    image = viewer.get_attribute("data-painted")
    page.get_by_role("button", name="Next image").click()
    expect(viewer).not_to_have_attribute("data-painted", image)
    settle(page)
    moved = viewer.get_attribute("data-painted")
    again = new_page()
    again.goto(page.url)
    again.locator(f'[data-painted="{moved}"]').wait_for()


@pytest.mark.parametrize(
    ("header", "value", "answer"),
    [("Host", "evil.example", 403), ("Origin", "http://evil.example", 403), ("X-Own", "1", 101)],
)
def test_only_this_machine_may_open_a_session(
    url: str, header: str, value: str, answer: int
) -> None:
    """A page of another host that was made to resolve to this machine gets no session: the socket is refused."""
    address = url.removeprefix("http://")
    handshake = {
        "Host": address,
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(b"sixteen bytes ..").decode(),
        header: value,
    }
    connection = http.client.HTTPConnection(address, timeout=10)
    connection.putrequest("GET", "/_stcore/stream", skip_host=True)
    for name, text in handshake.items():
        connection.putheader(name, text)
    connection.endheaders()
    assert connection.getresponse().status == answer
    connection.close()


def test_the_app_listens_on_this_machine_only() -> None:
    settings = (ROOT / ".streamlit" / "config.toml").read_text()
    assert 'address = "127.0.0.1"' in settings
    assert "gatherUsageStats = false" in settings
    assert os.environ.get("STREAMLIT_SERVER_ADDRESS") in (None, "127.0.0.1")


def test_an_own_image_is_predicted_and_taken_away(
    new_page: Callable[..., Page],
    url: str,
    workspace: Workspace,
    tmp_path: Path,
    settle: Callable[[Page], None],
) -> None:
    """Upload a picture that the demo's network knows, see its mask, and find that very mask in the zip."""
    demo = workspace.demo.open()
    run, sample = demo.runs[0], workspace.datasets.open("demo").select("test")[0].id
    Image.fromarray(workspace.scenes.image("demo", sample)).save(tmp_path / "mine.png")
    page = new_page()
    page.set_default_timeout(180_000)  # the network is loaded by a process of its own
    page.goto(f"{url}/predict?run={run}")
    page.locator("input[type=file]").set_input_files(tmp_path / "mine.png")
    page.locator("[data-painted]").first.wait_for()
    settle(page)
    for panel in range(3):
        assert shown_pixels(page, panel)[..., :3].std() > 10, f"panel {panel} is blank"
    page.get_by_role("button", name="Export").click()
    page.get_by_role("button", name="Create ZIP").click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name=re.compile(r"Download \d")).click()  # with its size
    with zipfile.ZipFile(waiting.value.path()) as archive:
        (name,) = [n for n in archive.namelist() if n.startswith("masks/")]
        mask = np.asarray(Image.open(io.BytesIO(archive.read(name))))
    ids = np.array(workspace.datasets.open("demo").label_set.class_ids)
    for x, y in ((20, 30), (100, 90), (200, 150)):
        assert (
            ids[page.evaluate(f"() => window.__segviewer.probe({x}, {y})")[1]["index"]]
            == mask[y, x]
        )
    stored = workspace.scenes.probabilities(run, "test", sample).argmax(-1)
    assert (
        ids[stored] == mask
    ).mean() > 0.995  # the split was predicted in another process, perhaps by another backend


@pytest.mark.parametrize(
    "size",
    [
        (1440, 900),
        *(pytest.param(size, marks=pytest.mark.slow) for size in ((1280, 720), (1920, 1080))),
    ],
)
def test_compare_shows_four_panels_whole_beside_filmstrip_and_legend(
    new_page: Callable[..., Page],
    url: str,
    workspace: Workspace,
    size: tuple[int, int],
    settle: Callable[[Page], None],
) -> None:
    """On a 1440 x 900 laptop each panel of a 4:3 image is at least 480 pixels wide.

    That the viewer fits other windows is told of the viewer alone, in test_viewer.py.
    """
    demo = workspace.demo.open()
    page = new_page(*size)
    page.goto(f"{url}/compare?run={demo.ensemble}")
    expect_four_panels(page)
    settle(page)
    boxes = [page.locator("canvas[role=img]").nth(i).bounding_box() for i in range(4)]
    for box in boxes:
        assert box["x"] >= 0 and box["x"] + box["width"] <= size[0]
        assert box["y"] >= 0 and box["y"] + box["height"] <= size[1]
    for part in (".rail", ".legend"):
        box = page.locator(part).first.bounding_box()
        assert box["x"] + box["width"] <= size[0] and box["y"] < boxes[0]["y"] + 40
    assert page.locator(".toolbar").first.bounding_box()["height"] <= 40
    if size == (1440, 900):
        assert min(box["width"] for box in boxes) >= 480


def test_a_key_lists_the_keys_and_others_go_to_pages(
    page: Page, settle: Callable[[Page], None], url: str
) -> None:
    page.goto(f"{url}/runs?dataset=demo")
    search = page.get_by_role("textbox", name="Search")
    expect(search).to_be_visible()  # the keys listen before the page stands
    settle(page)
    page.wait_for_function("() => window.__segscopeFrame")  # the script that listens is there
    page.locator("body").press("?")
    keys = page.get_by_role("dialog", name="Keyboard")
    expect(keys.get_by_text("Next and previous control")).to_be_visible()
    page.keyboard.press("Escape")
    expect(keys).to_have_count(0)
    page.locator("body").press("/")
    expect(search).to_be_focused()
    page.keyboard.type("g?c")  # typed into a field, keys are letters
    expect(keys).to_have_count(0)
    expect(search).to_have_value("g?c")
    search.blur()
    page.keyboard.type("ge")  # in one go: the second key counts for 1.5 s after the first
    page.wait_for_url("**/evaluate**")
    settle(page)
    page.locator("body").press("?")
    expect(keys).to_be_visible()


def write_source(folder: Path) -> Path:
    """Twenty scenes without splits; a pole stands in four of them only."""
    rng = np.random.default_rng(0)
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    (folder / "classes.csv").write_text("id,name\n0,ground\n1,tree\n2,pole\n")
    for number in range(20):
        mask = np.zeros((32, 48), np.uint8)
        mask[:, : 8 + number % 5] = 1
        if number % 5 == 0:
            mask[:, 30:36] = 2
        image = (60 * mask[..., None] + rng.integers(0, 60, (32, 48, 3))).astype(np.uint8)
        Image.fromarray(image).save(folder / "images" / f"scene_{number:02d}.png")
        Image.fromarray(mask).save(folder / "masks" / f"scene_{number:02d}.png")
    return folder


def test_from_a_folder_to_a_plan_on_the_train_page(
    page: Page,
    url: str,
    workspace: Workspace,
    settle: Callable[[Page], None],
    choose: Callable[..., None],
    tmp_path: Path,
) -> None:
    """A folder on disk becomes a balanced dataset: imported by its path, seen, split, planned."""
    source = write_source(tmp_path / "village")
    page.goto(f"{url}/dataset?dataset=demo&import=dataset")
    path = page.get_by_role("textbox", name="Folder or archive")
    path.fill(str(source))
    path.press("Enter")
    expect(page.get_by_role("button", name="Preview")).to_be_visible()  # the path has arrived
    settle(page)
    page.get_by_role("button", name="Import dataset", exact=True).last.click()
    expect(page.get_by_text("Imported 20 samples as village")).to_be_visible()
    settle(page)
    page.get_by_role("tab", name="Class balance").click()
    # pixel frequency, and images per class
    expect(page.locator(".js-plotly-plot:visible")).to_have_count(2)

    settle(page)
    page.get_by_role("tab", name="Splits").click()
    page.get_by_role("button", name="Preview splits").click()
    expect(page.get_by_role("button", name="Save splits")).to_be_visible()
    settle(page)
    page.get_by_role("button", name="Save splits").click()
    expect(page.get_by_role("button", name="Undo splits")).to_be_visible()
    datasets = workspace.datasets
    settle(page)
    village = datasets.open("village")
    assert {s: len(village.select(s)) for s in village.splits} == {
        "train": 14,
        "validation": 3,
        "test": 3,
    }

    page.get_by_role("link", name="Balance", exact=True).click()
    plan = datasets.plan_balance("village", "train")
    assert plan.after < plan.before  # repeating helps here
    for value in (plan.before, plan.after):
        expect(
            page.get_by_test_id("stMetricValue").filter(has_text=f"{value:.3f}").first
        ).to_be_visible()
    settle(page)
    name = page.get_by_role("textbox", name="Plan name")
    name.fill("fairer")
    name.press("Enter")
    settle(page)
    page.get_by_role("button", name="Save plan").click()
    expect(page.get_by_text("Saved fairer")).to_be_visible()
    assert BalancePlan.from_json(datasets.open("village").load_plan("fairer")) == plan

    page.get_by_role("link", name="Train", exact=True).first.click()
    expect(page.get_by_role("button", name="Start training")).to_be_visible()
    settle(page)
    page.get_by_text("Optimization, data and device").click()
    choose(page, "Balance plan", "fairer")
