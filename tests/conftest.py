"""Fixtures that every test may ask for."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("SEGSCOPE_SHARED", ROOT.parent / "shared"))


def _shared(*parts: str) -> Path:
    folder = SHARED.joinpath(*parts)
    if not folder.is_dir():
        pytest.skip(f"REAL DATA ABSENT: {'/'.join(parts)} does not lie beside the checkout (or in $SEGSCOPE_SHARED)")
    return folder


@pytest.fixture(scope="session")
def camvid_folder() -> Path:
    """CamVid, 11 classes, 360 x 480: images/, masks/, classes.csv."""
    return _shared("data", "camvid")


@pytest.fixture(scope="session")
def aerial_folder() -> Path:
    """Aerial tiles with colour-coded masks."""
    return _shared("data", "aerial")


@pytest.fixture(scope="session")
def weights_folder() -> Path:
    """Small pretrained encoders as .npz files."""
    return _shared("weights")
