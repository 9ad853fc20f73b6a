"""Each kind of panel has a look in the browser, a painter in contact sheets, and travels."""

import re

import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.labels import LabelClass, LabelSet
from segcore.ui.compare.contact_sheet import PAINTERS, paint
from segcore.ui.viewer import KINDS, Panel, Scene, pack
from segcore.ui.viewer.panels import KINDS_FILE

LABELS = LabelSet((LabelClass(0, "sky", (0, 0, 255)), LabelClass(1, "road", (255, 0, 0))))
KEYS, PROBES = ("classes", "heat", "errors", "changes", "levels", None), ("class", "number", None)


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
    panels = (Panel("Truth", mask=1 - mask), panel)
    scene = Scene("s", image, panels, LABELS, truth=0, levels=(0, 1))
    assert f'"kind": "{kind}"'.encode() in pack(scene).replace(b'":"', b'": "')
    assert paint(scene, panel).shape == image.shape


def test_groups_are_hatched_and_classes_are_not() -> None:
    image = np.full((16, 16, 3), 90, np.uint8)
    panel = Panel("B", "levels", np.tile(np.repeat([0, 1], 8), (16, 1)).astype(np.uint8))
    plain, hatched = (
        paint(Scene("s", image, (Panel("B", kind, panel.mask),), LABELS, levels=(0, 2)), panel)
        for kind, panel in (("mask", Panel("B", "mask", panel.mask)), ("levels", panel))
    )
    changed = (plain != hatched).any(-1)
    assert not changed[:, :8].any()
    assert 0.1 < changed[:, 8:].mean() < 0.5


def test_levels_must_be_those_of_the_classes() -> None:
    mask = np.zeros((8, 8), np.uint8)
    image = np.zeros((8, 8, 3), np.uint8)
    with pytest.raises(SegcoreError, match="a level for each of 2 classes"):
        Scene("s", image, (Panel("B", "levels", mask),), LABELS)
