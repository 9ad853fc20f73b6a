"""Class tables in the forms that people and tools write."""

import numpy as np
import pytest

from segcore.data.formats.importers.class_tables import DeclaredClass, read_class_table

SKY, ROAD = (0, 128, 255), (90, 90, 90)
FORMS = {
    "a.csv": (
        "id,name,color,ignore\n2,sky,#0080ff,false\n5,road,#5a5a5a,true\n",
        [("sky", 2, SKY, False), ("road", 5, ROAD, True)],
    ),
    "b.csv": (
        "\ufeffID; Name\n2;sky\n5;road\n",
        [("sky", 2, None, False), ("road", 5, None, False)],
    ),
    "c.csv": (
        "name,r,g,b\nsky,0,128,255\nroad, 90, 90, 90\n",
        [("sky", None, SKY, False), ("road", None, ROAD, False)],
    ),
    "d.csv": (
        "Pixel Value, Class\n0, sky\n1, road\n",
        [("sky", 0, None, False), ("road", 1, None, False)],
    ),
    "e.json": (
        '{"classes": [{"title": "sky", "color": "#0080FF"}, {"title": "road"}]}',
        [("sky", None, SKY, False), ("road", None, None, False)],
    ),
    "f.json": (
        '{"sky": [0, 128, 255], "road": "90 90 90"}',
        [("sky", None, SKY, False), ("road", None, ROAD, False)],
    ),
    "g.json": ('{"2": "sky", "5": "road"}', [("sky", 2, None, False), ("road", 5, None, False)]),
    "h.json": ('{"sky": 2, "road": 5}', [("sky", 2, None, False), ("road", 5, None, False)]),
    "i.json": ('["sky", "road"]', [("sky", None, None, False), ("road", None, None, False)]),
    "j.txt": (
        "0 128 255\tsky\n90 90 90\t\troad\n",
        [("sky", None, SKY, False), ("road", None, ROAD, False)],
    ),
    "k.txt": (
        "# label:color_rgb\nsky:0,128,255::\nroad:90,90,90::\n",
        [("sky", None, SKY, False), ("road", None, ROAD, False)],
    ),
    "l.txt": ("sky\nroad\n", [("sky", None, None, False), ("road", None, None, False)]),
    "m.txt": ("2: sky\n5: road\n", [("sky", 2, None, False), ("road", 5, None, False)]),
    "n.txt": (
        "#0080ff sky\nroad #5a5a5a\n",
        [("sky", None, SKY, False), ("road", None, ROAD, False)],
    ),
}


@pytest.mark.parametrize("file", FORMS)
def test_every_form_is_read(tmp_path, file):
    text, rows = FORMS[file]
    (tmp_path / file).write_text(text, encoding="utf-8")
    assert read_class_table(tmp_path / file) == tuple(DeclaredClass(*row) for row in rows)


@pytest.mark.parametrize("undeclared", [False, True])
def test_a_class_whose_colour_occurs_nowhere_goes_only_where_table_and_masks_disagree(
    folder, undeclared
):
    """What docs/how-to/rgb-masks.md says."""
    mask = np.full((12, 14, 3), SKY, np.uint8)
    mask[4:8] = ROAD
    if undeclared:
        mask[8:] = (3, 3, 3)
    for number in range(3):
        folder.photo(f"images/{number}.png", 12, 14)
        folder.save(f"masks/{number}.png", mask)
    folder.text("classes.csv", "name,color\nsky,#0080ff\nroad,#5a5a5a\ntree,#00ff00\n")
    brought = folder.bring_in()
    assert brought.names == (["sky", "road", "#030303"] if undeclared else ["sky", "road", "tree"])
    assert ("left out: tree #00ff00" in brought.said) == undeclared
