"""One network from several: configs that leak nothing, one sentence for what cannot be, one interval."""

import dataclasses
import json
import time

import numpy as np
import pytest
from PIL import Image

from segcore.cli import main
from segcore.config import (
    AveragingConfig,
    DistillationConfig,
    TrainConfig,
    config_from_json,
    to_json,
)
from segcore.errors import SegcoreError
from segcore.light_worker.evaluation import evaluate_run
from segcore.runs.machine import disk
from segcore.workspace.ensembles.network_verdict import ALONE


@pytest.fixture(autouse=True)
def small_splits_have_intervals(monkeypatch):
    monkeypatch.setattr("segcore.evaluation.counts.bootstrap.MINIMUM", 3)


def write_config(trained, member, **changes):
    """Give a made-up member another config."""
    run = trained.workspace.runs.open(member)
    config = dataclasses.replace(run.config, **changes)
    document = json.loads((run.folder / "config.json").read_text())
    disk.write_json(run.folder / "config.json", {**document, "config": to_json(config)})
    return config


def of_model(config, **changes):
    return dataclasses.replace(config.model, **changes)


@pytest.fixture
def distilled(trained, made_up, started):
    """A made-up student of both members that predicted test; its id."""
    config = trained.workspace.one_networks.student(trained.members)
    run = made_up.write("student-1", config, mean_iou=0.4)
    made_up.predict("student-1", "test", 5)
    for name, size in (("student-1", 3_000), *((m, 2_000) for m in trained.members)):
        trained.workspace.runs.open(name).model_path.write_bytes(bytes(size))
    milliseconds = dict(zip(("student-1", *trained.members), (10.0, 12.0, 14.0), strict=True))
    run.write_json("speed", {"format": 1, "milliseconds": milliseconds, "device": "CPU"})
    return run.id


@pytest.fixture
def carry_out_ensemble(trained):
    """Combine members in this process as a worker would; return the run's id."""

    def work(run):
        folder, now = trained.workspace.runs.open(run), time.time()
        evaluate_run(folder)
        folder.write_status(state="finished", started=now, finished=now + 1, progress=1.0)
        return run

    return work


def test_a_student_is_its_first_teacher_but_for_what_is_said(trained):
    first = trained.workspace.runs.open(trained.members[0]).config
    student = trained.workspace.one_networks.student(
        trained.members, {"architecture": "linknet", "epochs": 3}, 0.25
    )
    assert student.distillation == DistillationConfig(trained.members, 0.25)
    assert (student.model.architecture, student.recipe.epochs) == ("linknet", 3)
    back = dataclasses.replace(student, model=first.model, recipe=first.recipe, distillation=None)
    assert back == dataclasses.replace(first, member=0, group="")
    assert config_from_json(json.loads(json.dumps(to_json(student)))) == student


def test_an_ensemble_names_its_members(trained):
    networks = trained.workspace.one_networks
    assert networks.members([trained.ensemble]) == trained.members
    run = trained.workspace.runs.open(trained.ensemble)
    document = json.loads((run.folder / "config.json").read_text())
    document["config"]["rule"] = "geometric"
    disk.write_json(run.folder / "config.json", document)
    with pytest.raises(SegcoreError, match="Expected an ensemble that averages"):
        networks.members([trained.ensemble])


def test_a_student_waits_for_its_teachers_predictions_and_is_asked_once(trained, started):
    networks, runs = trained.workspace.one_networks, trained.workspace.runs
    config = networks.student(trained.members)
    run = networks.distil(config)
    status = runs.open(run).status()
    assert status.state == "queued"
    assert set(status.after) == {f"{member}--train" for member in trained.members}
    assert runs.open(run).config == config and networks.distil(config) == run
    assert networks.made_of(trained.members) == [run] == networks.made_of(trained.members[::-1])
    assert networks.made_of(trained.members[:1]) == []
    assert networks.sources(run) == trained.members
    other = networks.distil(dataclasses.replace(config, seed=7))
    assert other != run and networks.distil(config, "ours") == "ours"
    with pytest.raises(SegcoreError, match="'ours', which is taken"):
        networks.distil(dataclasses.replace(config, seed=7), "ours")


def add_unlabelled(workspace, folder, *names):
    folder.mkdir()
    for name in names:
        Image.fromarray(np.zeros((32, 48, 3), np.uint8)).save(folder / f"{name}.png")
    workspace.pool.add("tiny", folder)


def test_a_student_waits_for_its_teachers_on_unlabelled_images_too(trained, started, tmp_path):
    networks, runs = trained.workspace.one_networks, trained.workspace.runs
    with pytest.raises(SegcoreError, match="Expected unlabelled images in 'tiny', found none"):
        networks.student(trained.members, unlabelled=True)
    add_unlabelled(trained.workspace, tmp_path / "some", "one", "two")
    plain, config = (networks.student(trained.members, unlabelled=u) for u in (False, True))
    assert config.distillation == DistillationConfig(trained.members, unlabelled=True)
    run = networks.distil(config)
    splits = ("train", "unlabelled")
    assert set(runs.open(run).status().after) == {
        f"{m}--{s}" for m in trained.members for s in splits
    }
    assert networks.distil(config) == run != networks.distil(plain)
    add_unlabelled(trained.workspace, tmp_path / "more", "three")
    assert networks.distil(config) != run  # other images, another student


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"train_split": "validation"}, "one dataset and split, received the train_split"),
        ({"validation_split": "test"}, "one dataset and split, received the validation_split"),
        ({"submodels": "one_vs_rest"}, "Expected training runs over all classes"),
    ],
    ids=["train split", "validation split", "submodel"],
)
def test_teachers_that_saw_other_images_are_refused(trained, changes, sentence):
    write_config(trained, trained.members[1], **changes)
    with pytest.raises(SegcoreError, match=sentence):
        trained.workspace.one_networks.student(trained.members)


@pytest.mark.parametrize("field", ["train_split", "validation_split", "label_map"])
def test_a_student_trains_where_its_teachers_trained(trained, field):
    with pytest.raises(SegcoreError, match=f"the teachers' {field}"):
        trained.workspace.one_networks.student(trained.members, {field: "test"})


def test_images_that_changed_their_split_are_no_lesson(trained):
    """A teacher's test image that is a training image now would be learned from its own answer."""
    datasets, member = trained.workspace.datasets, trained.members[1]
    before = datasets.open("tiny").fingerprint
    folder = trained.workspace.runs.open(member).folder
    disk.write_json(folder / "environment.json", {"format": 1, "starts": [{"fingerprint": before}]})
    trained.workspace.one_networks.student(trained.members)
    dataset = datasets.open("tiny")
    splits = {s.id: s.split for s in dataset.samples} | {"test/scene_0": "train"}
    dataset.with_splits(splits).save()
    with pytest.raises(SegcoreError, match=f"that '{member}' was trained on, received one whose"):
        trained.workspace.one_networks.student(trained.members)


def test_an_average_needs_a_shared_start(trained, started):
    networks, (one, two) = trained.workspace.one_networks, trained.members
    config = networks.check_average(trained.members)  # both began with seed 0
    assert config.averaging == AveragingConfig(trained.members)
    assert (config.model.weights, config.recipe.freeze_epochs) == ("none", 0)
    write_config(trained, two, seed=1)
    with pytest.raises(
        SegcoreError,
        match=r"share a start, and these began from other random weights \(seeds 0, 1\)",
    ):
        networks.average(trained.members)
    first = trained.workspace.runs.open(one).config
    write_config(trained, two, model=of_model(first, architecture="linknet"), seed=0)
    with pytest.raises(SegcoreError, match="only within one network and input size, and these are"):
        networks.average(trained.members)
    with pytest.raises(SegcoreError, match="two or more members"):
        networks.average([one])
    assert networks.made_of(trained.members) == []


def test_members_that_continued_one_run_share_its_start(trained, made_up, started):
    networks, runs = trained.workspace.one_networks, trained.workspace.runs
    source = made_up.train("source-1")
    source.model_path.write_bytes(b"a network")
    first = runs.open(trained.members[0]).config
    warm = of_model(first, weights=str(source.model_path))
    for seed, member in enumerate(trained.members):
        write_config(trained, member, model=warm, seed=seed)
    run = networks.average(trained.members)
    assert isinstance(runs.open(run).config, TrainConfig) and networks.made_of(trained.members) == [
        run
    ]
    encoder_alone = source.model_path.with_name("encoder.npz")
    encoder_alone.write_bytes(b"weights")
    for seed, member in enumerate(trained.members):
        write_config(trained, member, model=of_model(first, weights=str(encoder_alone)), seed=seed)
    with pytest.raises(SegcoreError, match="other random weights in the decoder"):
        networks.check_average(trained.members)


def test_the_verdict_is_that_of_the_scores(trained, distilled, carry_out_ensemble):
    verdicts, scores = trained.workspace.network_verdicts, trained.workspace.scores
    waited = verdicts.prepare(distilled, "test")
    ensemble = carry_out_ensemble(waited[1])
    assert verdicts.is_ready(distilled, "test") and not verdicts.is_calibrated(distilled, "test")
    first = verdicts.verdict(distilled, "test")
    assert [row.ece for row in first.rows] == [None] * 3
    verdicts.calibrate(distilled, "test")
    verdict = verdicts.verdict(distilled, "test")
    mine, whole, best = verdict.rows
    assert (mine.run, whole.run, best.role) == (distilled, ensemble, "best member")
    for row in verdict.rows:
        measured = trained.workspace.pixel_metrics.cached(row.run, "test").measures.confidence()
        assert row.ece == measured.ece and 0 < row.ece < 1
        assert row.mean_iou == scores.report(row.run, "test").interval()
    assert (
        verdict.against_ensemble.difference
        == scores.compare(distilled, ensemble, "test").difference
    )
    assert verdict.against_best.difference == scores.compare(distilled, best.run, "test").difference
    assert (mine.milliseconds, whole.milliseconds) == (10.0, 26.0)
    assert (mine.megabytes, whole.megabytes, best.megabytes) == (0.003, 0.004, 0.002)
    assert verdict.against_ensemble.difference.how() in verdict.sentences[0]


def test_the_best_member_is_chosen_by_validation_not_by_test(
    trained, distilled, carry_out_ensemble
):
    worse = min(
        trained.members,
        key=lambda m: trained.workspace.scores.report(m, "test").interval().value,
    )
    trained.workspace.runs.open(worse).write_status(mean_iou=0.9)
    carry_out_ensemble(trained.workspace.network_verdicts.prepare(distilled, "test")[1])
    verdict = trained.workspace.network_verdicts.verdict(distilled, "test")
    assert verdict.rows[2].run == worse and verdict.chosen_on == "validation"


def test_an_average_of_one_says_that_it_is_the_best_member(trained, made_up, carry_out_ensemble):
    config = trained.workspace.one_networks.check_average(trained.members)
    run = made_up.write("soup-1", config)
    made_up.predict("soup-1", "test", 0)
    best = max(trained.members, key=lambda m: trained.workspace.runs.open(m).status().mean_iou)
    carry_out_ensemble(trained.workspace.network_verdicts.prepare("soup-1", "test")[1])
    for kept, alone in (([best], True), ([*trained.members], False)):
        run.write_json("averaging", {"format": 1, "kept": kept, "members": []})
        verdict = trained.workspace.network_verdicts.verdict("soup-1", "test")
        assert verdict.kept == tuple(kept) and (verdict.sentences[1] == ALONE) == alone


def test_other_runs_have_no_verdict(trained):
    with pytest.raises(SegcoreError, match="Expected a student or an average"):
        trained.workspace.network_verdicts.verdict(trained.members[0], "test")


def shell(trained, capsys, *words):
    main([*words, "--workspace", str(trained.workspace.folder)])
    return capsys.readouterr().out


def test_the_shell_starts_students_and_averages(trained, started, capsys, tmp_path):
    add_unlabelled(trained.workspace, tmp_path / "some", "one")
    out = shell(
        trained,
        capsys,
        "distil",
        *trained.members,
        "--epochs",
        "3",
        "--label-weight",
        "0.2",
        "--unlabelled",
        "--json",
    )
    config = trained.workspace.runs.open(json.loads(out)["run"]).config
    assert config.recipe.epochs == 3
    assert config.distillation == DistillationConfig(trained.members, 0.2, True)
    assert config.model.encoder == "tiny"
    out = shell(trained, capsys, "distil", trained.ensemble, "--architecture", "linknet")
    assert "Started tiny-linknet-tiny-student-" in out
    out = shell(trained, capsys, "average", *trained.members, "--name", "soup")
    assert "Started soup" in out
    assert trained.workspace.runs.open("soup").config.averaging.members == trained.members


def test_the_shell_prints_the_card(trained, distilled, carry_out_ensemble, capsys, monkeypatch):
    carry_out_ensemble(trained.workspace.network_verdicts.prepare(distilled, "test")[1])
    trained.workspace.runs.open(distilled).write_status(state="finished")
    monkeypatch.setattr(
        "segcore.workspace.ensembles.one_network.OneNetworks.distil", lambda *a: distilled
    )
    words = ("distil", *trained.members, "--wait")
    page = trained.workspace.network_verdicts
    printed = shell(trained, capsys, *words)
    verdict = page.verdict(distilled, "test")
    for row in verdict.rows:
        assert row.run in printed and f"{row.ece:.4f}" in printed
    assert verdict.sentences[1] in printed and "scored best on validation" in printed
    assert json.loads(shell(trained, capsys, *words, "--json")) == json.loads(
        json.dumps(verdict.to_json())
    )


def test_the_shell_refuses_in_one_sentence(trained, started, capsys):
    write_config(trained, trained.members[1], seed=1)
    with pytest.raises(SystemExit) as end:
        shell(trained, capsys, "average", *trained.members)
    assert end.value.code == 2 and "share a start" in capsys.readouterr().err


def test_a_copy_of_a_student_trains_on_labels(trained, made_up, started):
    config = trained.workspace.one_networks.student(trained.members)
    made_up.write("student-1", config)
    copied = trained.workspace.configs.clone("student-1")
    assert copied.distillation is None and copied.recipe == config.recipe
    with pytest.raises(SegcoreError, match="Expected a config that trains on labels"):
        trained.workspace.runs.train(config)
