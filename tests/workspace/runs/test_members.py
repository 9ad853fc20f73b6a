"""Members that differ by seed, fold or architecture: what each run records, and that their mean works from page and shell."""

import dataclasses
import json

import numpy as np
import pytest

from segcore.catalog import MEMBER_ARCHITECTURES
from segcore.cli import main
from segcore.config import CRFSearchConfig, ModelConfig, RecipeConfig, TrainConfig
from segcore.errors import SegcoreError
from segcore.evaluation.counts.confusion import count_confusion
from segcore.evaluation.counts.scores import mean_iou
from segcore.labels import LabelMap
from segcore.light_worker.evaluation import evaluate_run
from segcore.postprocess.dense_crf import is_available
from segcore.postprocess.ensemble import resize_probabilities
from segcore.runs.queue import jobs

CONFIG = TrainConfig(
    "tiny", ModelConfig("unet", "tiny", "none"), RecipeConfig(epochs=3), (32, 64), seed=40
)
BY_FOLD = dataclasses.replace(CONFIG, members_by="fold")
BY_ARCHITECTURE = dataclasses.replace(CONFIG, members_by="architecture")


def finish(workspace, runs: list[str]) -> dict[tuple[str, str], np.ndarray]:
    """Leave the runs as workers would: a network, and probabilities and counts of the test split; return the former by run and sample."""
    said = {}
    for number, run in enumerate(runs):
        folder = workspace.runs.open(run)
        folder.model_path.write_bytes(b"")
        folder.write_status(state="finished", finished=1.0)
        dataset = workspace.datasets.open(folder.config.dataset)
        predictions = workspace.runs.open(workspace.runs.predict(run, "test"))
        rng, counts = np.random.default_rng(number), []
        for sample in dataset.select("test"):
            mask = dataset.read_mask(sample)
            logits = rng.normal(0, 1.5, (16, 24, 4)) + 2.0 * (mask[::2, ::2, None] == np.arange(4))
            made = (np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)).astype(np.float32)
            predictions.write_probabilities("test", sample.id, made, mask.shape)
            stored, size = predictions.read_probabilities("test", sample.id)
            said[run, sample.id] = resize_probabilities(stored, size)
            counts.append(count_confusion(mask, said[run, sample.id].argmax(-1), 4, 255))
        predictions.write_counts(
            "test", "prediction", [s.id for s in dataset.select("test")], np.stack(counts)
        )
        predictions.write_status(
            state="finished", started=2.0, finished=3.0, mean_iou=float(mean_iou(np.sum(counts, 0)))
        )
    return said


def queued(workspace) -> list[str]:
    return (
        [job.run for job in jobs.waiting(workspace.folder)]
        if (workspace.folder / "queue.sqlite").exists()
        else []
    )


def test_members_by_fold_each_learn_on_their_own_fold(workspace, started) -> None:
    runs = workspace.runs.train(BY_FOLD, 3)
    assert queued(workspace) == runs
    group = runs[0].rsplit("-", 1)[0]
    assert group.startswith("tiny-folds-unet-tiny-")
    for member, run in enumerate(runs):
        expected = dataclasses.replace(
            BY_FOLD, dataset=f"tiny-fold-{member + 1}", member=member, group=group, seed=40 + member
        )
        assert workspace.runs.open(run).config == expected
    validated = [
        s.id
        for n in (1, 2, 3)
        for s in workspace.datasets.open(f"tiny-fold-{n}").select("validation")
    ]
    assert len(validated) == len(set(validated)) == 9
    made = (workspace.datasets.folder / "tiny-fold-1" / "dataset.json").stat().st_mtime_ns
    workspace.runs.train(
        dataclasses.replace(BY_FOLD, model=ModelConfig("fpn", "tiny", "none")), 3
    )  # another recipe, the same folds
    assert (workspace.datasets.folder / "tiny-fold-1" / "dataset.json").stat().st_mtime_ns == made


@pytest.mark.parametrize("config", [CONFIG, BY_FOLD, BY_ARCHITECTURE], ids=lambda c: c.members_by)
def test_the_mean_of_members_works_for_all_three(workspace, started, capsys, config) -> None:
    runs = workspace.runs.train(config, 3)
    said = finish(workspace, runs)
    ensembles = workspace.ensembles
    assert ensembles.candidates("tiny") == runs
    assert [g.members for g in ensembles.groups("tiny")] == [tuple(runs)]
    run = ensembles.combine(runs, "test")
    assert workspace.runs.open(run).config.dataset == "tiny"
    evaluate_run(workspace.runs.open(run))
    workspace.runs.open(run).write_status(state="finished", started=4.0, finished=5.0, progress=1.0)
    dataset = workspace.datasets.open("tiny")
    ids, counts = workspace.runs.open(run).read_counts("test", "ensemble")
    for name, matrix in zip(ids, counts, strict=True):
        mean = np.mean([said[member, name] for member in runs], axis=0)
        np.testing.assert_allclose(
            workspace.scenes.probabilities(run, "test", name), mean, atol=1e-5
        )
        np.testing.assert_array_equal(
            matrix,
            count_confusion(dataset.read_mask(dataset.sample(name)), mean.argmax(-1), 4, 255),
        )
    against = ensembles.against_members(run, "test")
    assert against.ensemble == pytest.approx(float(mean_iou(counts.sum(0))))
    assert against.comparison.reasons == () and against.comparison.difference.value > 0
    main(["ensemble", *runs, "--workspace", str(workspace.folder), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert (
        told["ensemble"]["mean_iou"] == against.ensemble
        and [m["run"] for m in told["members"]] == runs
    )


@pytest.mark.skipif(not is_available(), reason="pydensecrf is not installed")
def test_members_by_fold_are_not_scored_where_one_has_learned(workspace, started) -> None:
    runs = workspace.runs.train(BY_FOLD, 3)
    finish(workspace, runs)
    ensembles = workspace.ensembles
    assert ensembles.splits(runs) == ["test"]
    assert ensembles.splits(runs[:1]) == [
        "train",
        "validation",
        "test",
    ]  # alone it has a validation split of its own
    combined = ensembles.combine(runs, "test")
    before = workspace.runs.ids()
    for ask in (
        lambda: ensembles.combine(runs, "validation"),
        lambda: ensembles.score_subsets(runs, "train"),
        lambda: workspace.runs.predict_any(combined, "validation"),
        lambda: workspace.crf.start(CRFSearchConfig("tiny", tuple(runs))),
    ):
        with pytest.raises(
            SegcoreError,
            match=(
                r"no member was trained on, received '(validation|train)': .* combine .* on "
                r"'test'"
            ),
        ):
            ask()
        assert workspace.runs.ids() == before
    dataset = workspace.datasets.open("tiny")
    dataset.with_splits({s.id: s.split for s in dataset.samples if s.id != "test/scene_2"}).save()
    with pytest.raises(SegcoreError, match="splits of tiny were changed"):
        ensembles.combine(runs, "test")


def test_members_by_seed_may_be_scored_anywhere(trained) -> None:
    assert trained.workspace.ensembles.splits(trained.members) == ["train", "validation", "test"]


def test_members_by_architecture_take_their_turn_after_the_chosen_one(workspace, started) -> None:
    chosen = dataclasses.replace(BY_ARCHITECTURE, model=ModelConfig("fpn", "tiny", "none"))
    runs = workspace.runs.train(chosen, 5)
    configs = [workspace.runs.open(run).config for run in runs]
    expected = ["fpn", *(name for name in MEMBER_ARCHITECTURES if name != "fpn")][:5]
    assert [c.model.architecture for c in configs] == expected
    assert {c.model.encoder for c in configs} == {"tiny"} and [c.seed for c in configs] == [
        40,
        41,
        42,
        43,
        44,
    ]
    assert runs[0].startswith("tiny-architectures-tiny-")
    off_the_list = dataclasses.replace(BY_ARCHITECTURE, model=ModelConfig("segnet", "tiny", "none"))
    assert (
        workspace.launch.members(off_the_list, 3)
        == "SegNet, U-Net, DeepLab v3+; each over Tiny, with its own seed."
    )


@pytest.mark.parametrize(
    ("config", "members", "sentence"),
    [
        (BY_ARCHITECTURE, len(MEMBER_ARCHITECTURES) + 1, f"ask for {len(MEMBER_ARCHITECTURES)}"),
        (BY_FOLD, 1, "let them differ by seed"),
        (BY_FOLD, 10, "10 samples"),
        (
            dataclasses.replace(BY_FOLD, validation_split="test"),
            3,
            "train on train and validate on validation",
        ),
    ],
)
def test_what_cannot_be_told_apart_is_refused_and_leaves_nothing(
    workspace, started, config, members, sentence
) -> None:
    with pytest.raises(SegcoreError, match=sentence):
        workspace.runs.train(config, members)
    assert (
        workspace.runs.ids() == []
        and queued(workspace) == []
        and workspace.datasets.names() == ["tiny"]
    )


def test_folds_know_the_label_map_and_the_plan(workspace, started) -> None:
    dataset = workspace.datasets.open("tiny")
    workspace.runs.train(BY_FOLD, 3)  # the folds are there before map and plan are
    dataset.save_label_map(LabelMap(((0, 1), (2,), (3,)), "merged"))
    workspace.datasets.save_plan(
        "tiny", "fair", workspace.datasets.plan_balance("tiny", "train", "pixel", 3)
    )
    runs = workspace.runs.train(
        dataclasses.replace(BY_FOLD, label_map="merged", balance_plan="fair"), 3
    )
    for run in runs:
        fold = workspace.datasets.open(workspace.runs.open(run).config.dataset)
        assert fold.load_label_map("merged").groups == ((0, 1), (2,), (3,))
        assert fold.load_plan("fair") == dataset.load_plan("fair")
    workspace.datasets.save_plan(
        "tiny", "fair", workspace.datasets.plan_balance("tiny", "train", "count", 2)
    )
    (again, *_) = workspace.runs.train(dataclasses.replace(BY_FOLD, balance_plan="fair"), 3)
    fold = workspace.datasets.open(workspace.runs.open(again).config.dataset)
    assert fold.load_plan("fair") == dataset.load_plan("fair")


def test_a_clone_of_a_member_is_one_network(workspace, started) -> None:
    runs = workspace.runs.train(BY_FOLD, 3)
    assert workspace.configs.clone(runs[2]) == dataclasses.replace(CONFIG, dataset="tiny-fold-3")
    workspace.configs.save("five", BY_FOLD)
    assert workspace.configs.load("five") == BY_FOLD  # a saved config keeps what was chosen
