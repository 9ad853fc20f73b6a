"""Predictions of other tools: matched by name, read in every form, and trusted in nothing."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from segcore.data.dataset.dataset import Sample
from segcore.data.formats.foreign_predictions import match_predictions, read_prediction
from segcore.errors import SegcoreError
from segcore.labels import LabelClass, LabelSet

LABELS = LabelSet(
    (
        LabelClass(7, "sky", (10, 20, 30)),
        LabelClass(3, "road", (200, 0, 0)),
        LabelClass(11, "car", (0, 0, 250)),
    ),
    (LabelClass(0, "void", (0, 0, 0)),),
)
MASK = np.array([[0, 1, 2, 255], [2, 2, 1, 0]], np.uint8)
IDS = np.array([[7, 3, 11, 0], [11, 11, 3, 7]], np.uint8)
SAMPLE = Sample("a/img_1", "a/img_1.png", "a/img_1.png", "test", 2, 4)


def samples(*ids: str) -> list[Sample]:
    return [Sample(i, f"{i}.jpg", f"{i}.png", "test", 2, 4) for i in ids]


def put(folder, *names: str):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(IDS).save(folder / name)
    return folder


def matched(folder, *ids: str) -> dict[str, str]:
    return {
        i: p.relative_to(folder).as_posix()
        for i, p in match_predictions(folder, samples(*ids)).paths.items()
    }


def test_names_match_whole_by_their_end_or_by_what_a_tool_added(tmp_path) -> None:
    put(tmp_path, "a/img_1.png", "img_2_pred.png", "mask-img_3.png", "deep/er/img_4.png")
    ids = ("a/img_1", "a/img_2", "b/img_3", "img_4")
    assert matched(tmp_path, *ids) == {
        "a/img_1": "a/img_1.png",
        "a/img_2": "img_2_pred.png",
        "b/img_3": "mask-img_3.png",
        "img_4": "deep/er/img_4.png",
    }


def test_a_number_is_never_taken_for_the_beginning_of_another(tmp_path) -> None:
    found = match_predictions(put(tmp_path, "img_10_pred.png"), samples("img_1"))
    assert (found.paths, found.missing, found.extra) == ({}, ["img_1"], ["img_10_pred.png"])


def test_the_same_name_in_two_folders_is_told_apart_by_the_folder(tmp_path) -> None:
    put(tmp_path / "in", "one/x.png", "two/x.png")
    assert matched(tmp_path / "in", "one/x", "two/x") == {
        "one/x": "one/x.png",
        "two/x": "two/x.png",
    }
    put(tmp_path / "flat", "x.png")
    found = match_predictions(tmp_path / "flat", samples("one/x", "two/x"))
    assert (found.paths, found.extra) == ({}, ["x.png"])  # either could be meant: neither is


def test_two_files_of_one_sample_are_told(tmp_path) -> None:
    found = match_predictions(put(tmp_path, "x.png", "x_pred.png"), samples("x", "y"))
    assert found.paths == {}
    assert found.twice == {"x": ["x.png", "x_pred.png"]}
    assert found.missing == ["y"]


def palette(path, indices: np.ndarray, colors: list) -> None:
    image = Image.fromarray(indices, "P")
    image.putpalette([v for c in colors for v in c])
    image.save(path)


def test_every_form_gives_the_same_mask(tmp_path) -> None:
    colors = np.array([(10, 20, 30), (200, 0, 0), (0, 0, 250), (0, 0, 0)], np.uint8)
    order = np.minimum(MASK, 3)
    Image.fromarray(IDS).save(tmp_path / "ids.png")
    Image.fromarray(IDS.astype(np.uint16)).save(tmp_path / "ids16.tif")
    Image.fromarray(colors[order]).save(tmp_path / "colors.png")
    palette(tmp_path / "palette_ids.png", IDS, [(i, i, i) for i in range(12)])
    palette(tmp_path / "palette_colors.png", order.astype(np.uint8), colors.tolist())
    np.save(tmp_path / "ids.npy", IDS.astype(np.int64))
    np.savez(tmp_path / "ids.npz", mask=IDS)
    for name in (
        "ids.png",
        "ids16.tif",
        "colors.png",
        "palette_ids.png",
        "palette_colors.png",
        "ids.npy",
        "ids.npz",
    ):
        np.testing.assert_array_equal(
            read_prediction(tmp_path / name, SAMPLE, LABELS).mask, MASK, err_msg=name
        )
    Image.fromarray(MASK).save(tmp_path / "positions.png")
    np.testing.assert_array_equal(
        read_prediction(tmp_path / "positions.png", SAMPLE, LABELS, "indices").mask, MASK
    )


@pytest.mark.parametrize("channels_first", [False, True])
def test_probabilities_come_at_their_own_resolution(tmp_path, channels_first) -> None:
    p = np.random.default_rng(0).dirichlet(np.ones(3), (4, 8)).astype(np.float16)
    np.savez_compressed(
        tmp_path / "p.npz", probabilities=np.moveaxis(p, -1, 0) if channels_first else p
    )
    sample = Sample("p", "p", "p", "test", 8, 16)
    read = read_prediction(tmp_path / "p.npz", sample, LABELS)
    assert read.mask is None
    assert read.probabilities.shape == (4, 8, 3)
    np.testing.assert_allclose(read.probabilities, p.astype(np.float32), atol=2e-3)
    np.testing.assert_allclose(read.probabilities.sum(-1), 1, atol=1e-6)


class Evil:
    def __reduce__(self):
        return (print, ("unpickled",))


def npy(array: np.ndarray, **options) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


def bomb() -> bytes:
    """A small npz whose header promises and whose stream holds 400 MB of zeros."""
    head = npy(np.zeros((2, 4), np.uint8))[:-8].replace(b"(2, 4), ", b"(20000, 20000), ")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("arr_0.npy", head + bytes(10_000))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (
            "x.npy",
            npy(np.array([[Evil()]], dtype=object), allow_pickle=True),
            "pickle|array of numbers",
        ),
        ("x.npy", npy(np.zeros((3, 4), np.uint8)), "2 x 4 pixels"),
        ("x.npy", npy(np.zeros((2, 4, 5), np.float32)), r"\(height, width, 3\)"),
        ("x.npy", npy(np.zeros((2, 4, 3), np.float32)), "apply softmax"),
        ("x.npy", npy(np.full((2, 4, 3), np.nan, np.float32)), "NaN or infinity in 24 places"),
        ("x.npy", npy(np.full((2, 4, 3), 7.0, np.float32)), "apply softmax"),
        ("x.npy", npy(np.full((4, 2, 3), 1 / 3, np.float32)), "shape of"),
        ("x.npy", npy(np.full((2, 4), 0.5, np.float32)), "whole numbers"),
        ("x.npy", npy(np.zeros((2, 4), np.uint8))[:-3], "cannot be read|no array"),
        ("x.npy", b"\x80\x04\x95", "no array"),
        ("x.npz", bomb(), "2 x 4 pixels"),
        ("x.npz", b"PK\x03\x04 and nothing", "no array"),
        ("x.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "Expected a PNG"),
    ],
)
def test_what_does_not_fit_or_is_hostile_is_refused_in_a_sentence(
    tmp_path, capsys, name, content, words
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SegcoreError, match=words):
        read_prediction(tmp_path / name, SAMPLE, LABELS)
    assert "unpickled" not in capsys.readouterr().out


def test_unknown_ids_are_named_and_counted(tmp_path) -> None:
    Image.fromarray(np.where(IDS == 11, 99, IDS).astype(np.uint8)).save(tmp_path / "x.png")
    with pytest.raises(SegcoreError, match="received 99 in 3 pixels"):
        read_prediction(tmp_path / "x.png", SAMPLE, LABELS)


def test_links_out_of_the_folder_are_not_followed(tmp_path) -> None:
    secret = put(tmp_path / "elsewhere", "x.png") / "x.png"
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x.png").symlink_to(secret)
    put(tmp_path / "in", "y.png")
    assert set(match_predictions(tmp_path / "in", samples("x", "y")).paths) == {"y"}
