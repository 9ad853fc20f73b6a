"""The default colours differ, and are the ones that colour-blind-safe charts begin with."""

from segcore.labels import color_to_hex
from segcore.palette import PALETTE, default_colors


def test_the_palette_holds_150_different_colours():
    assert len(PALETTE) == len(set(PALETTE)) == 150
    assert [color_to_hex(c) for c in default_colors(150)] == list(PALETTE)


def test_colours_differ_beyond_the_palette_and_shorter_lists_are_prefixes():
    assert len(set(default_colors(300))) == 300
    assert default_colors(1000)[:9] == default_colors(9)
