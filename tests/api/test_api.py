"""The notebook's own block runs on real networks; runs are worked off in this process to spare starting two more."""

import dataclasses
import inspect
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import segcore.api
from segcore.api import learning
from segcore.api.balancing import latest_plan
from segcore.api.params import KEYS, settings
from segcore.catalog import ARCHITECTURES, CLASSIC_NAMES, LOSSES, loss_terms
from segcore.config import ModelConfig
from segcore.data.balance.planner import earth_mover_distance
from segcore.errors import SegcoreError
from segcore.light_worker.__main__ import work as light_work
from segcore.models.build import load_network
from segcore.runs.folder.run_folder import RunFolder
from segcore.training.work import work
from segcore.workspace.runs.runs import jobs

pytestmark = pytest.mark.tensorflow

ROOT = Path(__file__).resolve().parents[2]
BLOCK = """
from segcore.api import *
full_count, dist_df_count = mlos(params, "Count", write_balance=True)
write_segment_data(params, "train", True)
model = Train_Model(params, loss_func=jaccard_distance, reduce_map=False)
results = Predict_Model(params, model, test=True, ensemble=False)
labels = pd.read_csv(params["label_scores"], sep=";")
eval_df = evaluate(model, params, ensemble=False)
"""
COLUMNS = ["id", "name", "support", "iou", "dice", "precision", "recall", "iou_low", "iou_high"]


@pytest.fixture
def params(workspace, tmp_path) -> dict:
    model = {"architecture": "lraspp", "encoder": "tiny", "weights": "none", "size": [32, 64]}
    recipe = {"epochs": 1, "batch_size": 3, "augmentation": "light", "device": "cpu"}
    return {
        "dataset": "tiny",
        "workspace": str(workspace.folder),
        "label_scores": str(tmp_path / "out" / "scores.csv"),
        **model,
        **recipe,
    }


@pytest.fixture
def at_once(monkeypatch) -> list[str]:
    """A queue that works its runs off the moment they are submitted, by the workers' own functions."""
    worked: list[str] = []

    def submit(workspace, runs, **_) -> None:
        for run in runs:
            folder = RunFolder(Path(workspace) / "runs" / run)
            folder.write_status(started=time.time())
            ended = (
                light_work(folder, 1) if folder.config.kind == "evaluate" else work(folder.folder)
            )
            assert ended == 0, folder.status().cause
            worked.append(run)

    monkeypatch.setattr(jobs, "submit", submit)
    monkeypatch.setattr(jobs, "refresh", lambda workspace: [])
    return worked


def test_the_block_runs(params, workspace, at_once) -> None:
    names = {"params": params}
    exec(compile(BLOCK, "block", "exec"), names)
    run = names["model"].runs[0]
    config = RunFolder(workspace.runs.folder / run).config
    assert (config.recipe.loss, config.balance_plan, config.label_map) == (
        "jaccard_distance",
        "mlos_count",
        "",
    )
    assert at_once == [run, f"{run}--test"]

    # the count table and its distribution
    table, shares = names["full_count"], names["dist_df_count"]
    statistics = workspace.datasets.statistics("tiny").select("train")
    np.testing.assert_array_equal(table.drop(columns="repeats"), statistics.present)
    repeated = table.drop(columns="repeats").mul(table["repeats"], axis=0).sum()
    np.testing.assert_allclose(shares["after"], repeated / repeated.sum())
    assert shares.attrs["after"] == pytest.approx(earth_mover_distance(shares["after"].to_numpy()))

    # what was written: the copies of the plan, other splits as they were
    written = workspace.datasets.open("tiny-written")
    assert len(written.select("train")) == table["repeats"].sum()
    assert {s.split: s.height for s in written.samples} == {
        "train": 32,
        "validation": 32,
        "test": 32,
    }
    assert {s.width for s in written.select("train")} == {64}

    # scores: what the file holds, what the table holds, what the counts say
    labels, scored = names["labels"], names["eval_df"]
    assert list(labels.columns) == COLUMNS == list(scored.columns)
    pd.testing.assert_frame_equal(labels, scored, check_exact=True)
    dataset, results = workspace.datasets.open("tiny"), names["results"]
    hits = unions = 0
    assert len(results) == 3
    for sample, predicted in results.items():
        true = dataset.read_mask(dataset.sample(sample))
        seen = true != 255
        hits += ((predicted == 0) & (true == 0)).sum()
        unions += (((predicted == 0) | (true == 0)) & seen).sum()
        np.testing.assert_allclose(results.probabilities(sample).sum(-1), 1, atol=1e-3)
    assert scored["iou"][0] == pytest.approx(hits / unions, abs=1e-6)
    assert scored.attrs["num_samples"] == 3 and "test" in scored.attrs["statement"]

    network = names["model"].network()
    assert network.input_shape[1:] == (32, 64, 3) and network.output_shape[-1] == 4
    assert list(names["model"].history().index) == [1]


def test_members_learn_a_reduced_label_set_and_are_combined(params, workspace, at_once) -> None:
    params |= {"members": 2, "merge": [["road", "roof"]], "label_map": "built"}
    model = segcore.api.train_model(params, "dice + 0.5*focal", reduce_map=True)
    scored = segcore.api.evaluate(model, params, ensemble=True, test=False)
    assert len(model.runs) == 2 and at_once[-1].endswith("--validation")
    assert len(scored) == 3 and scored.attrs["split"] == "validation"
    configs = [RunFolder(workspace.runs.folder / run).config for run in model.runs]
    assert [(c.seed, c.label_map, c.recipe.loss) for c in configs] == [
        (0, "built", "dice + 0.5*focal"),
        (1, "built", "dice + 0.5*focal"),
    ]


def test_a_failed_run_says_why(params, workspace, monkeypatch) -> None:
    def submit(workspace, runs, **_) -> None:
        for run in runs:
            RunFolder(Path(workspace) / "runs" / run).write_status(
                state="failed", cause="The disk is full: make room."
            )

    monkeypatch.setattr(jobs, "submit", submit)
    monkeypatch.setattr(jobs, "refresh", lambda workspace: [])
    with pytest.raises(SegcoreError, match=r"The disk is full: make room\."):
        segcore.api.train_model(params)


def test_writing_again_replaces_only_what_was_written(params, workspace) -> None:
    segcore.api.mlos(params, "pixel", write_balance=True)
    balanced = segcore.api.write_segment_data(params, "train", True)
    plain = segcore.api.write_segment_data(params)
    assert len(plain.select("train")) == 6 < len(balanced.select("train"))
    assert latest_plan(settings(params)) == "mlos_pixel"
    before = workspace.datasets.open("tiny").fingerprint
    with pytest.raises(SegcoreError, match="set 'written' in params"):
        segcore.api.write_segment_data({**params, "written": "tiny"})
    assert workspace.datasets.open("tiny").fingerprint == before


def test_without_a_plan_there_is_nothing_to_balance_by(params) -> None:
    with pytest.raises(SegcoreError, match="write_balance=True"):
        segcore.api.write_segment_data(params, "train", True)
    with pytest.raises(SegcoreError, match="'merge'"):
        segcore.api.train_model(params, reduce_map=True)


def test_params_come_from_files_and_wrong_keys_are_named(params, tmp_path) -> None:
    (tmp_path / "p.json").write_text(json.dumps(params))
    (tmp_path / "p.yaml").write_text(
        "\n".join(f"{key}: {json.dumps(value)}" for key, value in params.items())
    )
    assert (
        segcore.api.read_params(tmp_path / "p.json")
        == segcore.api.read_params(tmp_path / "p.yaml")
        == params
    )
    (tmp_path / "bad.yaml").write_text("dataset: tiny\nepoch: 3\n")
    with pytest.raises(SegcoreError, match="'epoch': did you mean 'epochs'"):
        segcore.api.read_params(tmp_path / "bad.yaml")
    (tmp_path / "worse.yaml").write_text("dataset: [tiny\n")
    with pytest.raises(SegcoreError, match=r"worse\.yaml"):
        segcore.api.read_params(tmp_path / "worse.yaml")
    (tmp_path / "code.yaml").write_text("dataset: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(SegcoreError, match=r"code\.yaml"):
        segcore.api.read_params(tmp_path / "code.yaml")
    with pytest.raises(SegcoreError, match="'dataset'"):
        segcore.api.mlos({"workspace": params["workspace"]})
    with pytest.raises(SegcoreError, match="rule 'means': did you mean 'mean'"):
        segcore.api.mlos({**params, "rule": "means"})


def test_a_classic_name_says_architecture_and_encoder(params) -> None:
    def model(**given):
        return settings({k: v for k, v in params.items() if k != "encoder"} | given).config.model

    for name, (architecture, encoder) in CLASSIC_NAMES.items():
        found = model(architecture=name, weights="none", size=[64, 64])
        wanted = (name, ModelConfig.encoder) if name in ARCHITECTURES else (architecture, encoder)
        assert (found.architecture, found.encoder) == wanted
    with pytest.raises(SegcoreError, match="leave one of the two out"):
        model(architecture="vgg_unet", encoder="tiny")
    with pytest.raises(SegcoreError, match="did you mean 'unet'"):
        model(architecture="unett")


def test_a_network_is_read_by_what_knows_its_layers() -> None:
    """Without the import a fresh notebook, in which nothing was trained, would know no layer of ours."""
    assert learning.load_network is load_network


def test_every_key_is_documented() -> None:
    text = (ROOT / "docs" / "notebook-api.md").read_text()
    assert [key for key in KEYS if f"`{key}`" not in text] == []
    assert len(KEYS) == len(set(KEYS))  # flattened, no key has two meanings


def test_losses_add_up() -> None:
    made = segcore.api.dice + 0.5 * (segcore.api.focal + 0.2 * segcore.api.boundary)
    assert loss_terms(str(made)) == [(1, "dice"), (0.5, "focal"), (pytest.approx(0.1), "boundary")]
    exported = {
        name
        for name in segcore.api.__all__
        if isinstance(getattr(segcore.api, name), segcore.api.Loss)
    }
    assert exported == set(LOSSES)
    with pytest.raises(SegcoreError, match="did you mean 'dice'"):
        segcore.api.Loss("dize")
    dice, focal = segcore.api.dice, segcore.api.focal
    assert dice * 2 == 2 * dice == segcore.api.Loss("2*dice")
    assert dice / 2 == np.float32(0.5) * dice == dice * np.float64(0.5) == 0.5 * dice
    assert dice + "focal" == dice + focal and "dice" + focal == dice + focal
    for refused in (
        lambda: dice + 1,
        lambda: 1 + dice,
        lambda: dice - focal,
        lambda: 1 - dice,
        lambda: dice * dice,
        lambda: dice * 0,
        lambda: -2 * dice,
        lambda: dice * "2",
        lambda: dice / 0,
        lambda: dice / focal,
        lambda: dice * float("inf"),
        lambda: -dice,
    ):
        with pytest.raises(SegcoreError, match="Expected"):
            refused()


def test_yaml_numbers_lists_and_plans_are_read_as_people_write_them(params, tmp_path) -> None:
    (tmp_path / "p.yaml").write_text("dataset: tiny\nlearning_rate: 1e-3\nweight_decay: 2.5E-4\n")
    assert segcore.api.read_params(tmp_path / "p.yaml") == {
        "dataset": "tiny",
        "learning_rate": 0.001,
        "weight_decay": 0.00025,
    }
    with pytest.raises(SegcoreError, match=r"received '1e-3': write for .*, without quotes"):
        settings({**params, "learning_rate": "1e-3"})
    with pytest.raises(SegcoreError, match=r"epochs, received 10.0: write for example 8\.$"):
        settings({**params, "epochs": 1e1})
    with pytest.raises(SegcoreError, match=r"size, received 256: write for example \[256, 256\]"):
        settings({**params, "size": 256})
    for mode in (None, 3):
        with pytest.raises(SegcoreError, match="'Count' or 'Pixel'"):
            segcore.api.mlos(params, mode)
    segcore.api.mlos(params, "Count", write_balance=True)
    assert latest_plan(settings(params)) == "mlos_count"
    assert latest_plan(settings({**params, "balance_plan": "none"})) == ""


def test_a_missing_dataset_creates_no_workspace(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEGCORE_WORKSPACE", raising=False)
    with pytest.raises(SegcoreError, match="set 'source' to import it"):
        settings({"dataset": "cam"})
    assert list(tmp_path.iterdir()) == []


def test_the_old_names_are_the_new_ones() -> None:
    assert (
        segcore.api.Train_Model is segcore.api.train_model
        and segcore.api.Predict_Model is segcore.api.predict_model
    )
    assert list(inspect.signature(segcore.api.evaluate).parameters)[:3] == [
        "model",
        "params",
        "ensemble",
    ]
    assert dataclasses.is_dataclass(segcore.api.TrainedModel)
