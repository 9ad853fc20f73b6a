"""A hierarchy from a file: three ways to write one, and what is refused in a sentence."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segcore.errors import SegcoreError
from segcore.evaluation.compression.hierarchy import MAX_BYTES, read_hierarchy
from segcore.labels import LabelClass, LabelSet

NAMES = ["road", "pavement", "pole", "sign", "car", "sky"]
LABELS = LabelSet(tuple(LabelClass(10 * (i + 1), name, (i, i, i)) for i, name in enumerate(NAMES)))

CSV = "class,parent,grandparent\nroad,flat,ground\npavement,flat,ground\npole,pole-like,object\n40,pole-like,object\ncar,vehicle,object\n"
EDGES = "road;flat\npavement;flat\npole;pole-like\nsign;pole-like\ncar;vehicle\nflat;ground\npole-like;object\nvehicle;object\n"
CHAINS = {
    "road": ["flat", "ground"],
    "pavement": ["flat", "ground"],
    "pole": ["pole-like", "object"],
    "sign": ["pole-like", "object"],
    "car": ["vehicle", "object"],
}
TREE = {
    "ground": {"flat": ["road", "pavement"]},
    "object": {"pole-like": ["pole", 40], "vehicle": ["car"]},
}


@pytest.mark.parametrize(
    "text",
    [CSV, EDGES, json.dumps(CHAINS), json.dumps(TREE)],
    ids=["rows", "edges", "chains", "tree"],
)
def test_the_same_hierarchy_written_four_ways(text) -> None:
    found = read_hierarchy(text.encode(), LABELS)
    assert [m.groups for m in found.levels] == [
        ((0, 1), (2, 3), (4,), (5,)),
        ((0, 1), (2, 3, 4), (5,)),
    ]
    assert found.titles == (("flat", "pole-like", "vehicle", "sky"), ("ground", "object", "sky"))


def test_a_parent_alone_is_one_level() -> None:
    (level,) = read_hierarchy(b'{"road": "flat", "pavement": "flat"}', LABELS).levels
    assert level.groups == ((0, 1), (2,), (3,), (4,), (5,))


@pytest.mark.parametrize(
    "text",
    [
        "sign,car\npole,car\n",
        '{"car": ["sign", "pole"]}',
        '{"car": ["sign", "pole", "car"]}',
        "car,car\nsign,car\npole,car",
    ],
)
def test_a_class_that_is_called_like_a_parent_belongs_to_its_children(text) -> None:
    found = read_hierarchy(text.encode(), LABELS)
    assert found.levels[0].groups == ((0,), (1,), (2, 3, 4), (5,))
    assert found.titles[0] == ("road", "pavement", "car", "sky")


def test_chains_of_unlike_length_stay_nested() -> None:
    first, second = read_hierarchy(
        b"road,flat\npavement,flat,ground,all\nsky,all\n", LABELS
    ).levels[:2]
    for coarse in (second,):
        assert all(len({int(coarse.group_of[i]) for i in group}) == 1 for group in first.groups)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no text"),
        (b"\xff\xfe\x00", "begins like UTF-16"),
        (b"road,flat\0", "binary data"),
        (b"class,parent\n", "a header alone"),
        (b"rood,flat\npavement,flat", "did you mean 'road'"),
        (b"road,flat\nroad,ground", "'flat' and 'ground'"),
        (b"road,flat\nflat,ground\nground,flat\npavement,flat", "a circle"),
        (b"road,flat\npavement,ground", "received none"),
        (b'{"road": "flat"', "damaged in line 1"),
        (b"[1, 2]", "received a list"),
        (b"[" * 100_000, "too deeply"),
        (b'{"a":' * 60 + b"[]" + b"}" * 60, "at most 16 levels"),
        (b'{"road": "flat", "road": "ground"}', "'road' twice"),
        (b'{"flat": ["road", "pavment"]}', "did you mean 'pavement'"),
        (b'{"flat": "road"}', "Unknown class 'flat'"),
        (b'{"road": NaN}', "a list of classes"),
        (b'{"road": [["flat"]]}', "a list of classes"),
        (b"x" * (MAX_BYTES + 1), "at most 1 MB"),
        (
            ("road," + ",".join(f"g{i}" for i in range(30)) + "\npavement,g0").encode(),
            "more than 16 levels",
        ),
        (('"road","' + "y" * 200_000 + '"').encode(), "two classes under one parent"),
    ],
)
def test_what_is_no_hierarchy_is_told_in_a_sentence(data, words) -> None:
    with pytest.raises(SegcoreError, match=words):
        read_hierarchy(data, LABELS)


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=60),
        st.text(alphabet='road,;\n"{}[]:flat 10sky', max_size=60).map(str.encode),
    )
)
def test_anything_else_is_levels_or_a_sentence(data) -> None:
    try:
        found = read_hierarchy(data, LABELS)
    except SegcoreError as error:
        assert str(error).endswith((".", "?"))
        return
    for level, titles in zip(found.levels, found.titles, strict=True):
        assert level.num_classes == len(NAMES) and len(titles) == level.num_groups
