"""Each kind of panel has a look in the browser, a painter in contact sheets, and travels."""

import re

import numpy as np
import pytest

from segcore.labels import LabelClass, LabelSet
from segcore.ui.compare.contact_sheet import PAINTERS, paint
from segcore.ui.viewer import KINDS, Panel, Scene, pack
from segcore.ui.viewer.panels import KINDS_FILE

LABELS = LabelSet((LabelClass(0, "sky", (0, 0, 255)), LabelClass(1, "road", (255, 0, 0))))
KEYS, PROBES = ("classes", "heat", "errors", "changes", None), ("class", "number", None)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_shown_explained_and_exported(kind) -> None:
    row = KINDS[kind]
    looks = KINDS_FILE.with_name("kinds.js").read_text().split("const LOOKS", 1)[1]
    assert re.search(rf"^  {row.look}:", looks, re.M)
    assert row.key in KEYS and row.probe in PROBES and row.export in PAINTERS
    mask = np.eye(8, dtype=np.uint8)
    scalar = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    planes = {row.plane: mask if row.plane == "mask" else scalar} if row.plane else {}
    versus = 0 if row.reference == "versus" else None
    panel = Panel("P", kind, versus=versus, **planes)
    image = np.zeros((8, 8, 3), np.uint8)
    scene = Scene("s", image, (Panel("Truth", mask=1 - mask), panel), LABELS, truth=0)
    assert f'"kind": "{kind}"'.encode() in pack(scene).replace(b'":"', b'": "')
    assert paint(scene, panel).shape == image.shape
