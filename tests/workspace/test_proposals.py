"""Proposals for a mask through the workspace: the right part, the right classes, and a network where there is one."""

import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.postprocess.dense_crf import is_available
from segcore.workspace.proposals import UNCHANGED, Prompt, Scribbles
from tests.promptable_files import write_promptable


@pytest.fixture
def opened(workspace):
    dataset = workspace.datasets.open("tiny")
    row = dataset.sample("test/scene_0")
    return workspace, dataset, row, dataset.read_image(row), dataset.read_mask(row)


@pytest.fixture
def asked(monkeypatch, workspace):
    """What the warm process is asked, answered by ``answers``."""
    questions, answers = [], []

    def ask(question, arrays=None, timeout=0, **values):
        questions.append((question, arrays, values))
        return answers.pop(0)

    monkeypatch.setattr(workspace.proposals._process, "ask", ask)
    return questions, answers


def test_strokes_become_labels_in_order_and_come_back_as_classes(opened, asked):
    workspace, dataset, _, image, mask = opened
    questions, answers = asked
    strokes = np.full((6, 8), UNCHANGED)
    strokes[0, 0], strokes[1, 1] = dataset.label_set.ignore_index, 2
    part = mask[3:9, 5:13].astype(np.int32)
    labels = np.full((6, 8), -1, np.int32)
    labels[0], labels[1] = 0, 1
    answers.append(({}, {"labels": labels}))
    region = workspace.proposals.fill("tiny", "test/scene_0", Scribbles(5, 3, strokes, part))
    _, arrays, _ = questions[0]
    assert np.array_equal(arrays["image"], image[3:9, 5:13])
    assert arrays["strokes"][0, 0] == 1 and arrays["strokes"][1, 1] == 0
    assert (arrays["strokes"] >= 0).sum() == 2 and "probabilities" not in arrays
    ignored = dataset.label_set.ignore_index
    assert np.array_equal(arrays["rest"], (part != ignored) & (part != 2))
    assert (region.left, region.top) == (5, 3)
    assert (region.values[0] == 2).all() and (region.values[1] == ignored).all()
    assert (region.values[2:] == UNCHANGED).all()


def test_one_class_on_an_empty_mask_is_held_against_the_edge(opened, asked):
    workspace, dataset, *_ = opened
    questions, answers = asked
    strokes = np.full((6, 8), UNCHANGED)
    strokes[2, 3] = 1
    empty = np.full((6, 8), dataset.label_set.ignore_index)
    answers.append(({}, {"labels": np.zeros((6, 8), np.int32)}))
    workspace.proposals.fill("tiny", "test/scene_0", Scribbles(0, 0, strokes, empty))
    rest = questions[0][1]["rest"]
    assert rest.sum() == 2 * 8 + 2 * 4 and not rest[1:-1, 1:-1].any()


def test_a_networks_probabilities_are_those_of_the_part_and_of_the_stroked_classes(
    opened, asked, monkeypatch
):
    workspace, dataset, row, _, mask = opened
    questions, answers = asked
    count = dataset.label_set.num_classes
    ramp = np.linspace(0, 1, row.width, dtype=np.float32)
    whole = np.zeros((row.height, row.width, count), np.float32)
    whole[..., 0], whole[..., 1] = ramp, 1 - ramp
    monkeypatch.setattr(workspace.proposals._scenes, "has_probabilities", lambda *a, **k: True)
    monkeypatch.setattr(workspace.proposals._scenes, "probabilities", lambda *a, **k: whole)
    strokes = np.full((6, 8), UNCHANGED)
    strokes[2, 3] = 1
    answers.append(({}, {"labels": np.zeros((6, 8), np.int32)}))
    drawn = Scribbles(4, 3, strokes, mask[3:9, 4:12])
    workspace.proposals.fill("tiny", "test/scene_0", drawn, "r001")
    sent = questions[0][1]["probabilities"]
    assert sent.shape == (6, 8, 2)
    assert np.allclose(sent[..., 0], whole[3:9, 4:12, 1], atol=1e-5)
    assert np.allclose(sent.sum(-1), 1, atol=1e-5)


def test_an_object_lies_where_the_line_was_drawn(opened, asked):
    workspace, _, row, image, _ = opened
    questions, answers = asked
    around = [(10.0, 12.0), (20.0, 12.0), (20.0, 22.0), (10.0, 22.0)]
    inside = np.zeros((26, 26), bool)
    inside[9, 8] = True
    answers.append(({}, {"inside": inside}))
    region = workspace.proposals.cut("tiny", "test/scene_0", around, 1)
    _, arrays, values = questions[0]
    assert (region.left, region.top) == (2, 4)
    assert np.array_equal(arrays["image"], image[4:30, 2:28][: row.height, : row.width])
    assert values["around"][0] == [8.0, 8.0]
    assert np.argwhere(region.values == 1).tolist() == [[9, 8]]


def test_what_lies_outside_the_image_or_is_no_class_is_refused(opened):
    workspace, dataset, row, *_ = opened
    fill, cut = workspace.proposals.fill, workspace.proposals.cut
    strokes = np.zeros((6, 8), int)
    bare = np.full((6, 8), UNCHANGED)
    for drawn, message in (
        (Scribbles(row.width - 7, 0, strokes, strokes), "a part of the image"),
        (Scribbles(0, -1, strokes, strokes), "a part of the image"),
        (Scribbles(0, 0, bare, bare), "draw a stroke first"),
        (Scribbles(0, 0, strokes, strokes[:-1]), "draw a stroke first"),
        (Scribbles(0, 0, strokes + 77, strokes), "choose a class of this dataset"),
    ):
        with pytest.raises(SegcoreError, match=message):
            fill("tiny", "test/scene_0", drawn)
    with pytest.raises(SegcoreError, match="choose a class"):
        cut("tiny", "test/scene_0", [(1, 1), (5, 1), (5, 5)], dataset.label_set.num_classes)
    with pytest.raises(SegcoreError, match="draw again"):
        cut("tiny", "test/scene_0", [(float("inf"), 1), (5, 1), (5, 5)], 0)
    with pytest.raises(SegcoreError, match="none chosen"):
        workspace.proposals.find("tiny", "test/scene_0", [Prompt(1, 1, 1)], 0)


def test_the_warm_process_spreads_cuts_and_finds(opened, tmp_path):
    """All three through the real process; the network's files are checked when they are chosen."""
    workspace, *_, mask = opened
    proposals = workspace.proposals
    expected = ("scribble", "cut") if is_available() else ("cut",)
    assert proposals.available() == expected
    with pytest.raises(SegcoreError, match="found none at"):
        proposals.set_promptable(str(tmp_path / "a.onnx"), str(tmp_path / "b.onnx"))
    assert proposals.promptable is None
    files = proposals.set_promptable(*map(str, write_promptable(tmp_path)))
    assert proposals.promptable == files and proposals.available() == (*expected, "object")

    prompts = [Prompt(8, 6, 2), Prompt(20, 16, 3)]
    region = proposals.find("tiny", "test/scene_0", prompts, 1)
    found = np.zeros(mask.shape, bool)
    height, width = region.values.shape
    found[region.top : region.top + height, region.left : region.left + width] = region.values == 1
    box = np.zeros(mask.shape, bool)
    box[6:16, 8:20] = True
    assert (found & box).sum() / (found | box).sum() > 0.8
    if is_available():
        strokes = np.full(mask.shape, UNCHANGED)
        strokes[2:4, 2:8] = 0
        region = proposals.fill("tiny", "test/scene_0", Scribbles(0, 0, strokes, mask))
        assert (region.values[2:4, 2:8] == 0).all()
    proposals.set_promptable("", "")
    assert proposals.promptable is None
    proposals._process.close()
