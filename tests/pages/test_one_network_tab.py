"""The One network tab: its buttons queue what they say, and its card is the verdict of the workspace."""

import time

import numpy as np
import pytest
from PIL import Image

from segcore import formatting
from segcore.installing import shell_command
from segcore.light_worker.evaluation import evaluate_run
from segcore.ui.shared import session


@pytest.fixture
def tab(trained, open_page):
    return lambda: open_page("ensemble", members=list(trained.members), tab="One network")


def test_the_button_queues_a_student_with_the_fields_of_the_form(trained, tab, read) -> None:
    at = tab()
    read.check(at.number_input(key="distil_epochs").set_value(3).run())
    read.check(at.slider(key="distil_weight").set_value(0.2).run())
    command = at.code[0].value
    assert command == shell_command(
        "distil", *trained.members, "--label-weight", "0.2", "--epochs", "3"
    )
    read.check(at.button(key="distil").click().run())
    (run,) = trained.workspace.one_networks.made_of(trained.members)
    config = trained.workspace.runs.open(run).config
    assert (config.recipe.epochs, config.distillation.label_weight) == (3, 0.2)
    assert at.selectbox(key="one_network").value == run
    assert trained.workspace.runs.open(run).status().state == "queued"


def test_unlabelled_images_are_offered_where_there_are_some(trained, tab, read, tmp_path) -> None:
    assert not [box for box in tab().checkbox if box.key == "distil_unlabelled"]
    Image.fromarray(np.zeros((32, 48, 3), np.uint8)).save(tmp_path / "waits.png")
    trained.workspace.pool.add("tiny", tmp_path)
    at = tab()
    read.check(at.checkbox(key="distil_unlabelled").check().run())
    assert at.code[0].value == shell_command("distil", *trained.members, "--unlabelled")
    read.check(at.button(key="distil").click().run())
    (run,) = trained.workspace.one_networks.made_of(trained.members)
    assert trained.workspace.runs.open(run).config.distillation.unlabelled


def test_the_button_queues_an_average_or_says_why_there_is_none(trained, tab, read) -> None:
    at = tab()
    read.check(at.button(key="average").click().run())
    (run,) = trained.workspace.one_networks.made_of(trained.members)
    assert trained.workspace.runs.open(run).config.averaging.members == trained.members


def test_members_without_a_shared_start_are_not_offered_an_average(
    trained, made_up, open_page, read
):
    other = made_up.train("other-1")
    text = (other.folder / "config.json").read_text()
    (other.folder / "config.json").write_text(text.replace('"seed": 0', '"seed": 4'))
    members = [trained.members[0], other.id]
    at = open_page("ensemble", members=members, tab="One network")
    read.check(at)
    assert any("share a start" in info.value for info in at.info)
    assert not [button for button in at.button if button.key == "average"]


def test_the_card_is_the_verdict_of_the_workspace(trained, made_up, tab, read) -> None:
    networks, verdicts = trained.workspace.one_networks, trained.workspace.network_verdicts
    student = made_up.write("student-1", networks.student(trained.members), mean_iou=0.4)
    for name in (student.id, *trained.members):
        trained.workspace.runs.open(name).model_path.write_bytes(bytes(2_000_000))
    milliseconds = dict(zip((student.id, *trained.members), (10.0, 12.0, 13.0), strict=True))
    student.write_json("speed", {"format": 1, "milliseconds": milliseconds, "device": "CPU"})
    made_up.predict(student.id, "test", 5)
    at = tab()
    read.check(at.button(key="one_network_compare").click().run())
    ensemble = trained.workspace.runs.open(verdicts.prepare(student.id, "test")[1])
    evaluate_run(ensemble)
    ensemble.write_status(state="finished", started=time.time(), finished=time.time() + 1)
    read.check(at.run())
    read.check(at.run())  # by now calibration was measured in the background
    verdict = verdicts.verdict(student.id, "test")
    shown = read.metrics(at)
    assert shown["Distilled, mean IoU"] == formatting.percent(verdict.rows[0].mean_iou.value)
    gain = verdict.against_ensemble.difference
    assert shown["vs. ensemble"] == formatting.points(gain.value)
    assert shown["vs. best member"] == formatting.points(verdict.against_best.difference.value)
    assert shown["Speed vs. ensemble"] == "2.5 times"
    said = [m.value for m in at.markdown]
    assert {session.plain(sentence) for sentence in verdict.sentences} <= set(said)
    (rows,) = [d.value for d in at.dataframe if "network" in d.value.columns]
    assert list(rows["network"]) == ["Distilled", "Ensemble", "Best member"]
    assert list(rows["ece"]) == pytest.approx([row.ece for row in verdict.rows])
    assert list(rows["mb"]) == [2.0, 4.0, 2.0] and list(rows["ms"])[:2] == [10.0, 25.0]


def test_the_detail_of_a_student_shows_its_command(trained, made_up, open_page, read) -> None:
    networks = trained.workspace.one_networks
    config = networks.student(trained.members, {"epochs": 3}, 0.2)
    made_up.write("student-1", config)
    made_up.write("soup-1", networks.check_average(trained.members))
    commands = []
    for run in ("student-1", "soup-1"):
        at = open_page("runs", run=run)
        read.check(at.button_group(key="run_tab_train").set_value("Config").run())
        commands += [code.value for code in at.code]
    words = ["distil", *trained.members, "--label-weight", "0.2", "--epochs", "3"]
    assert shell_command(*words) in commands
    assert shell_command("average", *trained.members) in commands
