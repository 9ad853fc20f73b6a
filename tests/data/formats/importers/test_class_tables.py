"""Class tables in the forms that people and tools write."""

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
