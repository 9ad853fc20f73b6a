"""``compress`` in the shell: the same numbers as the workspace, and each question it can be asked."""

import json

import pytest

from segcore.cli import main
from segcore.cli.compression import compress_text
from segcore.cli.compression.compress import parse_classes
from segcore.errors import SegcoreError
from segcore.labels import LabelClass, LabelSet
from segcore.workspace.compression.merges import WhatIfOptions


@pytest.fixture
def shell(workspace, capsys: pytest.CaptureFixture[str]):
    """Run a command in the test's workspace: its JSON or text, or (exit code, the sentence it ended with)."""

    def run(*words: object, json_wanted: bool = True):
        arguments = (
            [str(w) for w in words]
            + ["--workspace", str(workspace.folder)]
            + (["--json"] if json_wanted else [])
        )
        code = 0
        try:
            main(arguments)
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = capsys.readouterr()
        if code:
            return code, err
        return json.loads(out) if json_wanted else out

    return run


def test_the_contract_and_an_importance(trained, shell) -> None:
    run = trained.members[0]
    found = shell(
        "compress",
        run,
        "--prior",
        "importance",
        "--importance",
        "roof=5",
        "--importance",
        "5=0.5",
        "--forbid",
        "field:road",
    )
    assert {"path", "front", "dendrogram", "verdicts", "baseline"} <= set(found)
    assert found["priors"]["importance"] == pytest.approx([1 / 7.5, 0.5 / 7.5, 1 / 7.5, 5 / 7.5])
    assert [r["num_groups"] for r in found["path"]] == [4, 3, 2] and found["forbidden"] == [[3, 8]]
    wanted = trained.workspace.merges.what_if(
        run,
        options=WhatIfOptions(
            prior="importance", importance={"roof": 5, "forest": 0.5}, forbidden=[("3", "8")]
        ),
    ).to_json()
    assert found["front"] == json.loads(json.dumps(wanted["front"]))
    assert all({"accuracy", "retained_entropy", "groups"} <= set(row) for row in found["front"])


def test_a_named_merge_is_judged_reported_and_compared(trained, shell) -> None:
    run, workspace = trained.members[0], trained.workspace
    found = shell("compress", run, "--merge", "field:forest", "--report-on", "test", "--tiers")
    assert found["judged"] == json.loads(
        json.dumps(workspace.merges.judge(run, "validation", [[3, 5]]).to_json())
    )
    assert found["reported"]["after"] == json.loads(
        json.dumps(workspace.merges.judge(run, "test", [[3, 5]]).to_json()["after"])
    )
    assert found["tiers"]["split"] == "test" and [t["tier"] for t in found["tiers"]["tiers"]] == [
        "merged",
        "summed",
    ]
    text = shell(
        "compress",
        run,
        "--merge",
        "field:forest",
        "--report-on",
        "test",
        "--tiers",
        json_wanted=False,
    )
    assert "judged on validation" in text and "reported on test" in text and "summed" in text
    assert "Merged: field + forest" in text and found["merged"] == [["field", "forest"]]
    *_, here, there = text.splitlines()
    assert here == f"Judged on validation: {found['judged']['verdict']['sentence']}"
    assert there == f"Reported on test: {found['reported']['verdict']['sentence']}"
    two = shell("compress", run, "--merge", "3:5", "--merge", "road:roof", json_wanted=False)
    assert "Merged: field + forest; road + roof" in two


def test_the_answer_comes_first_and_the_table_names_the_classes(trained, shell) -> None:
    run = trained.members[0]
    answer = shell("compress", run)["answer"]
    text = shell("compress", run, json_wanted=False)
    assert answer and text.startswith("\n".join(answer) + "\n\nlabels")
    rows = [
        line.split("  ")[-1].strip() for line in text.splitlines() if line[:6].strip().isdigit()
    ]
    assert rows[0] == "no merge" and " + " in rows[1] and not set("{}0123456789") & set(rows[1])
    many = shell("compress", run)
    many["names"] = {number: f"a class with a long name, {number}" for number in many["names"]}
    wide = compress_text.show(many).partition("\nlabels")[2].partition("\n\n")[0].splitlines()
    assert max(map(len, wide)) <= 100 and len(wide) > len(rows) + 2
    assert all(word in text for word in ("Lift: ", "Entropy kept: ", "Chance-adjusted accuracy: "))


COLONS = LabelSet(
    tuple(
        LabelClass(i, name, (i, 0, 0))
        for i, name in enumerate(
            ["wall: brick", "door;double door", "a=b", "-minus", "1", "ground"]
        )
    )
)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("wall: brick:ground", [0, 5]),
        ("ground:wall: brick", [5, 0]),
        ("0:5:2", [0, 5, 2]),
        ("door;double door:a=b", [1, 2]),
        ("-minus:4", [3, 4]),
        ("wall: brick:ground:a=b", [0, 5, 2]),
    ],
)
def test_classes_whose_names_hold_signs_can_be_merged(text, ids) -> None:
    assert parse_classes(text, COLONS) == ids


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("wall:ground", "write the id"),
        ("ground", "two classes or more"),
        ("wall: brick", "write the id"),
        ("1:0", "write 4 for the first"),
    ],
)
def test_classes_that_cannot_be_read_are_a_sentence(text, sentence) -> None:
    with pytest.raises(SegcoreError, match=sentence):
        parse_classes(text, COLONS)


def test_names_that_colons_leave_open_are_refused_and_their_ids_are_not() -> None:
    labels = LabelSet(
        tuple(LabelClass(10 + i, n, (i, 0, 0)) for i, n in enumerate(["a", "b", "a:b", "c"]))
    )
    assert parse_classes("a:b", labels) == [10, 11]
    with pytest.raises(SegcoreError, match="read in 2 ways"):
        parse_classes("a:b:c", labels)
    assert parse_classes("12:c", labels) == [12, 13]


def test_a_retraining_is_queued(trained, shell, started) -> None:
    found = shell(
        "compress", trained.members[0], "--merge", "3:5", "--retrain", "--report-on", "test"
    )
    queued = found["retraining"]["queued"]
    assert len(queued) == 3 and queued[1:] == [f"{queued[0]}--validation", f"{queued[0]}--test"]
    assert (
        trained.workspace.runs.open(queued[0]).config.label_map == found["retraining"]["label_map"]
    )


def test_levels_of_a_hierarchy_are_judged(trained, shell, tmp_path) -> None:
    (tmp_path / "levels.csv").write_text(
        "field,green,land\nforest,green,land\nroad,built,land\nroof,built,land\n"
    )
    levels = shell("compress", trained.members[0], "--hierarchy", tmp_path / "levels.csv")[
        "hierarchy"
    ]
    assert [level["titles"] for level in levels] == [["green", "built"], ["land"]]
    assert levels[0]["after"]["groups"] == [[3, 5], [8, 11]] and levels[1]["after"]["accuracy"] == 1
    text = shell(
        "compress", trained.members[0], "--hierarchy", tmp_path / "levels.csv", json_wanted=False
    )
    assert f"Hierarchy, level 2: {levels[1]['verdict']['sentence']}" in text


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--importance", "roof"], "CLASS=WEIGHT"),
        (["--importance", "roof=-1"], "at least 0"),
        (["--importance", "roofs=1"], "did you mean 'roof'"),
        (["--prior", "importance"], "importance weights"),
        (["--forbid", "roof"], "as A:B"),
        (["--merge", "roof:rood"], "did you mean"),
        (["--tiers"], "Expected --merge"),
        (["--hierarchy", "nowhere.csv"], "cannot be read"),
    ],
)
def test_a_mistake_is_one_sentence(trained, shell, words, sentence) -> None:
    code, told = shell("compress", trained.members[0], *words)
    assert code == 2 and sentence in told and told.count("\n") == 1


def test_a_table_of_counts_has_no_images_to_judge_a_merge_by(trained, shell, tmp_path) -> None:
    (tmp_path / "counts.csv").write_text("5,1\n2,9\n")
    code, told = shell("compress", "--confusion", tmp_path / "counts.csv", "--merge", "0:1")
    assert code == 2 and "received a table" in told


def test_merges_of_a_table_are_told_by_its_names(tmp_path, capsys):
    table = ',cat,dog,"a, b"\ncat,5,1,0\ndog,0,7,3\n"a, b",1,2,9\n'
    (tmp_path / "counts.csv").write_text(table)
    main(["compress", "--confusion", str(tmp_path / "counts.csv")])
    said = capsys.readouterr().out
    assert "dog + 'a, b'" in said and "in this table for dog" in said
