"""The user's own rule for names: pairs by suffix and pattern, and every bad or slow pattern is one sentence."""

import numpy as np
import pytest

from segcore.data.dataset.dataset import Dataset
from segcore.data.files.images import encode_png
from segcore.data.formats.importers import ImportRules, Pairing, import_dataset, preview
from segcore.data.formats.importers.pairs.pairing import MAX_NAME
from segcore.errors import SegcoreError
from segcore.whole_files import write_bytes

IMAGE = encode_png(np.zeros((3, 4, 3), np.uint8))

BY_RULE = {
    "suffix in one folder": (
        Pairing("-truth"),
        {"x/a.png": "x/a-truth.png", "x/b.png": "x/b-truth.png"},
    ),
    "suffix without a sign before it": (Pairing("L"), {"a.png": "aL.png", "b.png": "bL.png"}),
    "suffix in its own folder": (
        Pairing("_2"),
        {"photo of a/a.png": "other/a_2.png", "photo of a/b.png": "other/b_2.png"},
    ),
    "pattern": (
        Pairing(match=r"(\d+)"),
        {"images/img1_v7.png": "masks/lbl-1.png", "images/img2_v7.png": "masks/lbl-2.png"},
    ),
    "pattern within splits": (
        Pairing(match=r"_(\d+)$"),
        {"train/images/i_1.png": "train/masks/m_1.png", "val/images/i_1.png": "val/masks/m_1.png"},
    ),
    "both": (
        Pairing("_seg", r"scene(\d+)"),
        {"cam-scene1-x.png": "lab-scene1-y_seg.png", "cam-scene2-x.png": "lab-scene2-y_seg.png"},
    ),
}


def write(folder, pairs):
    """Pairs whose masks hold their number, so that a mixed-up pair is seen."""
    for number, (image, mask) in enumerate(pairs.items()):
        write_bytes(folder / image, IMAGE)
        write_bytes(folder / mask, encode_png(np.full((3, 4), number, np.uint8)))
    write_bytes(folder / "classes.csv", b"id,name\n0,zero\n1,one\n")


@pytest.mark.parametrize("case", BY_RULE)
def test_a_rule_pairs(tmp_path, case):
    pairing, pairs = BY_RULE[case]
    write(tmp_path / "in", pairs)
    report = import_dataset(
        tmp_path / "in", tmp_path / "out", "out", rules=ImportRules(pairing=pairing)
    )
    assert (report.num_samples, report.problems) == (2, ())
    dataset = Dataset.open(tmp_path / "out")
    assert [int(dataset.read_mask(s).max()) for s in dataset.samples] == [0, 1]
    assert preview(tmp_path / "in", rules=ImportRules(pairing=pairing)).num_pairs == 2


def test_what_the_rule_does_not_match_is_told(tmp_path):
    pairs = {
        "images/i1.png": "masks/m1.png",
        "images/i2.png": "masks/m2.png",
        "images/cover.png": "masks/cover.png",
    }
    write(tmp_path / "in", pairs)
    write_bytes(tmp_path / "in/images/i9.png", IMAGE)
    report = import_dataset(
        tmp_path / "in", tmp_path / "out", "out", rules=ImportRules(pairing=Pairing(match=r"(\d)"))
    )
    assert report.num_samples == 2
    assert [p.sample for p in report.problems] == ["", "i9"]
    assert (
        report.problems[0].what
        == "2 names that the rule does not match, left out, for example images/cover.png"
    )
    with pytest.raises(
        SegcoreError, match=r"received 0 and 0; cover\.png for one does not: correct the rule"
    ):
        import_dataset(
            tmp_path / "in",
            tmp_path / "no",
            "no",
            rules=ImportRules(pairing=Pairing(match=r"(x+)")),
        )
    with pytest.raises(SegcoreError, match="say how their names end"):
        import_dataset(
            tmp_path / "in", tmp_path / "no", "no", rules=ImportRules(pairing=Pairing("_label"))
        )
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize(
    ("pattern", "sentence"),
    [
        ("img_(", "is broken"),
        (r"img_\d+", r"received 0 in"),
        (r"(\d+)_(\d+)", "received 2 in"),
        (r"(a+)+$", "a repeat within a repeat"),
        (r"((?:a?){30})a", "a repeat within a repeat"),
        (r"((?:a|aa)+)$", "alternatives within a repeat"),
        (r"(a)\1*", "a reference to a group"),
        (r"(?P<k>a)(?(k)b|c)", "a reference to a group"),
        (r".*.*.*(.*)x", "at most 3 repeats"),
        ("(" + "a?" * 30 + "a" * 30 + ")", "at most 3 repeats"),
        ("(" + "(?:a|a)" * 20 + ")x", "at most 3 repeats"),
        ("(" + "a" * 200 + ")", "at most 200 letters"),
        ("(" * 99 + ")" * 99, "received 99 in"),
        (r"(a{99999999999})", "is broken"),
    ],
)
def test_bad_patterns_are_one_sentence(pattern, sentence):
    with pytest.raises(SegcoreError, match=sentence) as caught:
        Pairing(match=pattern)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["/x", "a\\b", "x" * 65])
def test_bad_suffixes(suffix):
    with pytest.raises(SegcoreError, match="the end of a file name"):
        Pairing(suffix)


def test_the_slowest_pattern_allowed_ends_on_the_longest_name():
    """Three repeats that overlap cost the cube of the name, a moment; a nested one would outlive us all."""
    name = "a" * MAX_NAME
    assert Pairing(match=r"(a+)a+a+b").key(name) is None
    assert Pairing(match="(a)").key(name + "a") is None


def test_a_key_is_what_the_group_holds():
    pairing = Pairing("_m", r"^[a-z]+(?:-old)?_(\d+)")
    assert [pairing.key(s) for s in ("img_7", "img-old_7_m", "img_x", "_m")] == [
        "7",
        "7",
        None,
        None,
    ]
    assert not pairing.is_mask("_m")
    assert not Pairing() and Pairing("_m")
