"""How the tests of the viewer open it and read back what it shows."""

import base64
import io

import numpy as np
from PIL import Image
from playwright.sync_api import Page

from tests.browser import harness_viewer as harness


def open_viewer(page: Page, url: str, query: str = "", index: int = 0) -> None:
    page.goto(f"{url}/?index={index}&{query}")
    wait_painted(page, harness.read_frame(index)[0])
    page.locator(
        '[data-testid="stApp"][data-test-script-state="notRunning"]'
    ).wait_for()  # nothing is put in anew under the test
    settle(page)


def wait_painted(page: Page, name: str) -> None:
    page.locator(f'[data-painted="{name}"]').wait_for()
    settle(page)


def settle(page: Page) -> None:
    """Wait until every paint that is due has happened."""
    page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )


def resize(page: Page, width: int, height: int) -> None:
    """Give the window another size, and wait until the viewer has it too."""
    page.set_viewport_size({"width": width, "height": height})
    page.wait_for_function("(width) => innerWidth === width", arg=width)
    settle(page)


def hook(page: Page, expression: str):
    return page.evaluate(f"() => window.__segviewer.{expression}")


def canvas(page: Page, index: int = 0):
    return page.locator("canvas").nth(index)


def pixels(page: Page, panel: int) -> np.ndarray:
    """What a panel shows, (H, W, 4) uint8."""
    address = hook(page, f"viewer.views[{panel}].canvas.toDataURL()")
    return np.asarray(
        Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).convert("RGBA")
    )


def view(page: Page) -> dict:
    return hook(page, "state.view")


def at_image_pixel(page: Page, x: float, y: float) -> dict:
    """The position in a canvas, in CSS pixels, of a point of the image."""
    frame = hook(page, "frame")
    return {
        "x": (x * frame["scale"] + frame["left"]) / frame["ratio"],
        "y": (y * frame["scale"] + frame["top"]) / frame["ratio"],
    }


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()
    settle(page)
