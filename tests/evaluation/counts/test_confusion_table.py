import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.evaluation.counts.confusion import ConfusionMatrix
from segcore.evaluation.counts.confusion_table import read_confusion_csv
from segcore.text_files import format_rows

COUNTS = [[5, 1, 0], [2, 7, 0], [0, 3, 9]]


def write_confusion_csv(matrix, separator=","):
    """A table that the reader must read back, with names where the matrix has them."""
    names = matrix.class_names
    rows = matrix.counts.tolist()
    if not names:
        return format_rows(rows, separator)
    named = ([name, *row] for name, row in zip(names, rows, strict=True))
    return format_rows([["true / predicted", *names], *named], separator)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("5,1,0\n2,7,0\n0,3,9\n", ()),
        ("5;1;0\n2;7;0\n0;3;9", ()),
        ("5\t1\t0\n2\t7\t0\n0\t3\t9\n\n", ()),
        ("\ufeffroad,tree,sky\r\n5,1,0\r\n2,7,0\r\n0,3,9\r\n", ("road", "tree", "sky")),
        (",road,tree,sky\nroad,5,1,0\ntree,2,7,0\nsky,0,3,9\n", ("road", "tree", "sky")),
        (
            "true/predicted;road;tree;sky\nroad;5;1;0\ntree;2;7;0\nsky;0;3;9\n",
            ("road", "tree", "sky"),
        ),
        ("road,5,1,0\ntree,2,7,0\nsky,0,3,9\n", ("road", "tree", "sky")),
        (",0,1,2\n0,5,1,0\n1,2,7,0\n2,0,3,9\n", ("0", "1", "2")),
        (",road,tree,sky\n0,5,1,0\n1,2,7,0\n2,0,3,9\n", ("road", "tree", "sky")),
        ("road,tree,sky\nroad,5,1,0\ntree,2,7,0\nsky,0,3,9\n", ("road", "tree", "sky")),
        ("5.0,1.0,0.0\n2,7,0\n0,3,9.0\n", ()),
        ("5.000,1.000,0.000\n2.000,7.000,0\n0,3.000,9.000\n", ()),
        ('"road, wet",tree,sky\n5,1,0\n2,7,0\n0,3,9\n', ("road, wet", "tree", "sky")),
    ],
)
def test_every_common_layout(tmp_path, text, names):
    path = tmp_path / "counts.csv"
    path.write_text(text, encoding="utf-8")
    matrix = read_confusion_csv(path)
    assert matrix.counts.tolist() == COUNTS
    assert matrix.class_names == names


@pytest.mark.parametrize("text", ["7", "a\n7", "a,7"])
def test_one_class(tmp_path, text):
    path = tmp_path / "counts.csv"
    path.write_text(text)
    assert read_confusion_csv(path).counts.tolist() == [[7]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1,2,3\n4,5,6\n", "square.*2 rows of 3 columns"),
        ("a,b,c\n1,2,3\n4,5,6\n", "square.*2 rows of 3 columns"),
        ("a,1,2,3\nb,4,5,6\n", "square.*2 rows of 3 columns"),
        ("1,2\n3,4\n5,6\n", "square.*3 rows of 2 columns"),
        ("1,2\n3\n", "square"),
        ("1,-2\n3,4\n", "received -2"),
        ("1,2\n3,4.5\n", "received 4.5"),
        ("1,2\n3,x\n", "received 'x'"),
        ("1,x\n3,4\n", "received 'x'"),
        ("x,2\n3,4\n", "received 'x'"),
        ("1,2\n3,nan\n", "NaN or infinity"),
        ("1,2\n,4\n", "received ''"),
        ("", "empty"),
        ("\n\n", "empty"),
        ("a,b\n", "square|every cell"),
        (",a,b,total\na,5,1,6\nb,2,9,11\ntotal,7,10,17\n", "totals in the last"),
        ("5,1,6\n2,9,11\n7,10,17\n", "totals in the last"),
        ("a;b\n1.000;1\n2;9\n", "'1.000', in which the point may part thousands"),
    ],
)
def test_each_broken_table_is_one_sentence(tmp_path, text, words):
    path = tmp_path / "counts.csv"
    path.write_text(text)
    with pytest.raises(SegcoreError, match=words) as caught:
        read_confusion_csv(path)
    assert "\n" not in str(caught.value)
    assert "counts.csv" in str(caught.value)


def test_missing_folder_or_binary_file(tmp_path):
    with pytest.raises(SegcoreError, match="No such file"):
        read_confusion_csv(tmp_path / "none.csv")
    with pytest.raises(SegcoreError, match="cannot be read"):
        read_confusion_csv(tmp_path)
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(SegcoreError, match="Expected a pixel count"):
        read_confusion_csv(tmp_path / "x.csv")


@pytest.mark.parametrize("names", [(), ("a", "b;c", "d,e")])
@pytest.mark.parametrize("separator", [",", ";"])
def test_round_trip(tmp_path, names, separator):
    path = tmp_path / "counts.csv"
    path.write_text(write_confusion_csv(ConfusionMatrix(np.array(COUNTS), names), separator))
    back = read_confusion_csv(path)
    assert back.counts.tolist() == COUNTS
    assert back.class_names == names


def test_rows_in_another_order_than_the_columns_are_put_into_theirs(tmp_path):
    (tmp_path / "t.csv").write_text(",cat,dog\ndog,5,1\ncat,0,7\n")
    found = read_confusion_csv(tmp_path / "t.csv")
    assert found.counts.tolist() == [[0, 7], [5, 1]] and found.class_names == ("cat", "dog")


@pytest.mark.parametrize("last", ["cow", "cat"])
def test_rows_and_columns_of_different_classes_are_refused(tmp_path, last):
    (tmp_path / "t.csv").write_text(f",cat,dog\ncat,5,1\n{last},0,7\n")
    with pytest.raises(SegcoreError, match=f"the row '{last}', which is no column or stands twice"):
        read_confusion_csv(tmp_path / "t.csv")
