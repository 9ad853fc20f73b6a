"""Parts of the data pages that can be proved without an app: edited classes and small pictures."""

import base64

import cv2
import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.labels import LabelClass, LabelSet
from segcore.ui.dataset import gallery
from segcore.ui.dataset.classes_tab import edited_labels
from segcore.ui.shared import pictures

LABELS = LabelSet(
    tuple(LabelClass(10 + i, name, (i, 0, 0)) for i, name in enumerate("abcd")),
    (LabelClass(0, "void", (0, 0, 0)),),
)


def rows(**changes: dict) -> list[dict]:
    made = [
        {
            "order": i + 1,
            "id": c.id,
            "name": c.name,
            "color": f"#{c.color[0]:02x}0000",
            "ignored": False,
        }
        for i, c in enumerate(LABELS.classes)
    ]
    for row in made:
        row.update(changes.get(row["name"], {}))
    return made


def test_an_unchanged_table_gives_the_label_set_as_it_is() -> None:
    assert edited_labels(LABELS, rows()) == LABELS


@pytest.mark.parametrize(
    ("moved", "order", "names"),
    [("d", 2, "adbc"), ("a", 3, "bcad"), ("b", 1, "bacd"), ("c", 4, "abdc"), ("a", 4, "bcda")],
)
def test_a_class_takes_the_place_that_it_is_given(moved, order, names) -> None:
    assert "".join(edited_labels(LABELS, rows(**{moved: {"order": order}})).class_names) == names


def test_names_colours_and_ignored_classes() -> None:
    edited = edited_labels(
        LABELS, rows(a={"name": " tree "}, b={"color": "#010203"}, c={"ignored": True})
    )
    assert edited.class_names == ["tree", "b", "d"] and edited.classes[1].color == (1, 2, 3)
    assert [c.name for c in edited.ignored] == ["void", "c"]


def test_a_class_comes_back_from_being_ignored_where_it_is_put() -> None:
    back = LabelClass(20, "e", (9, 0, 0))
    labels = LabelSet(LABELS.classes, (*LABELS.ignored, back))
    row = {"order": 5, "id": 20, "name": "e", "color": "#090000", "ignored": True}
    assert edited_labels(labels, [*rows(), row]) == labels
    assert edited_labels(labels, [*rows(), row | {"ignored": False}]) == LabelSet(
        (*LABELS.classes, back), LABELS.ignored
    )
    assert (
        "".join(edited_labels(labels, [*rows(), row | {"ignored": False, "order": 2}]).class_names)
        == "aebcd"
    )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"a": {"name": "b"}}, "once"),
        ({"a": {"name": " "}}, "empty"),
        ({"a": {"color": "red"}}, "colour"),
        ({n: {"ignored": True} for n in "abcd"}, "at least one class"),
    ],
)
def test_a_table_that_cannot_be_is_refused(changes, sentence) -> None:
    with pytest.raises(SegcoreError, match=sentence):
        edited_labels(LABELS, rows(**changes))


def test_paint_gives_classes_their_colour_and_the_rest_the_ignored_one() -> None:
    mask = np.array([[0, 3], [255, 2]], np.uint8)
    painted = pictures.paint(mask, LABELS)
    assert painted.tolist() == [[[0, 0, 0], [3, 0, 0]], [list(pictures.IGNORED), [2, 0, 0]]]


def test_shrink_keeps_the_ratio_and_leaves_small_images_alone() -> None:
    image = np.zeros((30, 90, 3), np.uint8)
    assert pictures.shrink(image, 45).shape == (15, 45, 3)
    assert pictures.shrink(image, 90) is image
    assert pictures.shrink(np.zeros((2, 900, 3), np.uint8), 90).shape == (1, 90, 3)


def test_a_picture_in_a_table_is_the_image() -> None:
    image = np.full((8, 8, 3), (200, 30, 60), np.uint8)
    data = base64.b64decode(pictures.data_url(image).split(",")[1])
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.abs(decoded.astype(int) - image).max() < 8
    assert b"#8429f6" in base64.b64decode(pictures.swatch("#8429f6").split(",")[1])


def test_a_thumbnail_lays_the_mask_over_the_image(workspace) -> None:
    dataset = workspace.datasets.open("tiny")
    with_mask = pictures.thumbnail(dataset, "test/scene_0", 24)
    alone = pictures.thumbnail(dataset, "test/scene_0", 24, mask=False)
    assert with_mask.shape == alone.shape == (16, 24, 3) and (with_mask != alone).any()


def test_images_of_one_name_are_told_apart_by_their_folders() -> None:
    titles = gallery._titles(["Tile 1/part_1", "Tile 2/part_1", "Tile 2/part_2"])
    assert list(titles.values()) == ["Tile 1/part_1", "Tile 2/part_1", "part_2"]
