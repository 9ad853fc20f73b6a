"""Text as spreadsheets and other programs save it: one reading of every spelling, one sentence else."""

import codecs

import pytest

from segcore.cli.tables import table
from segcore.errors import SegcoreError
from segcore.text_files import (
    decode_text,
    format_rows,
    numbered_rows,
    parse_json,
    plain_text,
    read_bytes,
    read_json,
    read_text,
    split_rows,
)

TABLE = "id,name\n1,Straße\n2,forêt\n"


@pytest.mark.parametrize(
    "data",
    [
        TABLE.encode(),
        codecs.BOM_UTF8 + TABLE.encode(),
        TABLE.encode("utf-16"),
        codecs.BOM_UTF16_BE + TABLE.encode("utf-16-be"),
        ("id,name\n1,Strasse\n2,foret\n").encode("utf-16-le"),
        TABLE.encode("utf-32"),
        TABLE.replace("\n", "\r\n").encode(),
        TABLE.replace("\n", "\r").encode(),
        b"sep=,\r\n" + TABLE.encode(),
        ("sep=;\n" + TABLE.replace(",", ";")).encode("utf-16"),
        TABLE.replace(",", "\t").encode(),
        TABLE.encode("cp1252"),
        b"\n\n" + TABLE.encode(),
    ],
)
def test_every_usual_spelling_gives_the_same_cells(data):
    rows = split_rows(decode_text(data, "t.csv").text, "t.csv")
    assert [[c.replace("ß", "ss").replace("ê", "e") for c in row] for row in rows] == [
        ["id", "name"],
        ["1", "Strasse"],
        ["2", "foret"],
    ]


def test_only_a_guessed_encoding_is_noted():
    assert decode_text(TABLE.encode(), "t.csv").note == ""
    assert "t.csv is not UTF-8 and was read as Windows-1252" in (
        decode_text(TABLE.encode("cp1252"), "t.csv").note
    )


def test_separators_within_quotes_do_not_count_and_rows_keep_their_line():
    text = 'sep=;\n"a, b, c";2\n\n"x\ny";3\n'
    assert numbered_rows(text, "t.csv") == [(2, ["a, b, c", "2"]), (5, ["x\ny", "3"])]
    assert split_rows('"a; b; c",2\n', "t.csv") == [["a; b; c", "2"]]


def test_long_cells_are_cells():
    assert split_rows("a,b\n1," + "7" * 200_000, "t.csv")[1][1] == "7" * 200_000


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0", "binary data"),
        (codecs.BOM_UTF16_LE + b"a\0b", "begins like UTF-16"),
        (b"\x81\x8d", "no usual encoding"),
    ],
)
def test_what_is_no_text_is_refused_in_a_sentence(data, says):
    with pytest.raises(SegcoreError, match=says):
        decode_text(data, "t.csv")


def test_size_is_checked_before_the_text(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"a" * 100)
    with pytest.raises(SegcoreError, match="at most 0 MB"):
        read_text(tmp_path / "t.csv", 99)
    assert read_bytes(tmp_path / "t.csv", 100) == b"a" * 100
    for path in (tmp_path, tmp_path / "none", tmp_path / "a\0b"):
        with pytest.raises(SegcoreError):
            read_text(path)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"{", "damaged in line 1, column 2"),
        (b"[" * 100_000, "nests too deeply"),
        (b"[" + b"9" * 5000 + b"]", "too long"),
        (b"", "damaged in line 1"),
    ],
)
def test_json_that_cannot_be_read_is_refused_in_a_sentence(data, says, tmp_path):
    (tmp_path / "a.json").write_bytes(data)
    with pytest.raises(SegcoreError, match=says):
        read_json(tmp_path / "a.json")


def test_half_a_surrogate_pair_does_not_spread():
    value = parse_json(rb'{"\ud800a": ["\udfff", "\ud83d\ude00"]}', "a.json")
    assert value == {"\ufffda": ["\ufffd", "\U0001f600"]}
    str(value).encode()


def test_a_terminal_shows_control_characters_and_does_not_obey():
    evil = "a\x1b[2J\x07\x9b31m\u202eb\r\nc\td\ud800"
    assert plain_text(evil) == "a\\x1b[2J\\x07\\x9b31m\\u202eb\nc\td\\ud800"
    assert plain_text("Straße 道路 😀") == "Straße 道路 😀"
    assert table(["name"], [["x\x1b[31m\ny"]]).splitlines()[2] == "x\\x1b[31m y"


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-x", "@SUM(A1)", "'=x", "\t=1"])
def test_no_spreadsheet_takes_a_name_for_a_formula_and_it_reads_back(text):
    written = format_rows([["name", "iou"], [text, -0.5], ["-7", "+3e2"]], ";")
    assert written.splitlines()[1].lstrip('"').startswith("'")
    assert split_rows(written, "t.csv") == [["name", "iou"], [text, "-0.5"], ["-7", "+3e2"]]
