"""Which bands are kept, under which names; what people write of them."""

import pytest

from segcore.data.bands.band_set import (
    FILE_NAME,
    BandChoice,
    BandSet,
    load_band_set,
    parse_choice,
    settle,
)
from segcore.data.bands.indices import Index
from segcore.data.formats.importers import parse_bands
from segcore.errors import SegcoreError

FIVE = BandSet((1, 2, 3, 4, 5), ("red", "green", "blue", "nir", "height"), 5, "uint16")


@pytest.mark.parametrize("text", ["", "4,3,2", "1", " 3, 2, 1 "])
def test_one_or_three_numbers_are_a_picture_as_ever(text):
    assert parse_choice(text) is None
    assert not isinstance(parse_bands(text), BandChoice)


def test_what_keeps_values():
    assert parse_choice("all") == BandChoice()
    assert parse_choice("1,2,3,8") == BandChoice((1, 2, 3, 8))
    assert parse_choice("red=3, green=2,4") == BandChoice((3, 2, 4), ("red", "green", ""))
    ndvi = ("ndvi", "nir", "red")
    assert parse_bands("4,3,2", "ndvi") == BandChoice((4, 3, 2), (), (ndvi,))
    assert parse_bands("", "NDVI") == BandChoice((), (), (ndvi,))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("1,1,2,3", "each band once"),
        ("0,1", "counted from 1"),
        ("red=x", "counted from 1"),
        ("1,2,,4", "counted from 1"),
        ("a=b=1,c=2", "counted from 1"),
        (",".join(map(str, range(1, 18))), "at most 16"),
    ],
)
def test_what_is_no_choice_is_a_sentence(text, why):
    with pytest.raises(SegcoreError, match=why):
        parse_choice(text)


def test_names_are_those_given_else_the_files_else_numbers():
    described = ("Red", "", "Red", "nir")
    assert settle(BandChoice(), 4, "uint8", described, "a.tif").names == (
        "Red",
        "band 2",
        "band 3",
        "nir",
    )
    chosen = settle(BandChoice((4, 1), ("", "infrared")), 4, "uint8", described, "a.tif")
    assert chosen.names == ("nir", "infrared") and chosen.numbers == (4, 1)


@pytest.mark.parametrize(
    ("choice", "dtype", "why"),
    [
        (BandChoice((1, 6)), "uint8", "Expected band 6 in a.tif, it has 5"),
        (BandChoice(), "float64", "save them as float32"),
        (BandChoice(indices=(("ndvi", "nir", "red"),)), "uint8", "Expected the band 'nir'"),
        (BandChoice((1,), ("ndvi",), (("NDVI", "1", "1"),)), "uint8", "named otherwise"),
    ],
)
def test_a_choice_that_does_not_fit_the_rasters_is_a_sentence(choice, dtype, why):
    with pytest.raises(SegcoreError, match=why):
        settle(choice, 5, dtype, (), "a.tif")


def test_seventeen_channels_are_refused_and_sixteen_not():
    indices = (("moisture", "1", "2"),)
    assert len(settle(BandChoice(indices=indices), 15, "uint8", (), "a.tif").channels) == 16
    with pytest.raises(SegcoreError, match="at most 16 bands and indices"):
        settle(BandChoice(indices=indices), 16, "uint8", (), "a.tif")


def test_where_red_green_and_blue_are():
    assert FIVE.rgb == (0, 1, 2)
    turned = BandSet((1, 2, 3, 4), ("Blue", "NIR", "Green", "RED"), 4, "uint8")
    assert turned.rgb == (3, 2, 0)
    assert BandSet((1, 2), ("red", "green"), 2, "uint8").rgb is None


def test_it_survives_json_and_damage_is_a_sentence(tmp_path):
    kept = BandSet((1, 4), ("red", "nir"), 4, "float32", (Index("ndvi", 1, 0),))
    assert BandSet.from_json(kept.to_json()) == kept and kept.channels == ("red", "nir", "ndvi")
    assert load_band_set(tmp_path) is None
    for text in ("", "[]", "{}", '{"numbers": [1], "names": [], "count": 1, "dtype": "uint8"}'):
        (tmp_path / FILE_NAME).write_text(text)
        with pytest.raises(SegcoreError):
            load_band_set(tmp_path)
