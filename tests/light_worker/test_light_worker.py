"""Evaluate runs: the same numbers serially, in a pool, in a process, and after a stop."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from segcore.config import EvaluateConfig, ModelConfig, PredictConfig, TrainConfig
from segcore.data.dataset.dataset import Dataset, Sample, digest_mask
from segcore.errors import SegcoreError
from segcore.evaluation.counts.confusion import count_confusion
from segcore.evaluation.counts.scores import mean_iou
from segcore.labels import LabelClass, LabelMap, LabelSet
from segcore.light_worker import evaluation
from segcore.light_worker.answers import HANDLERS
from segcore.light_worker.evaluation import count_sample, evaluate_run, plan_tasks
from segcore.light_worker.pool import open_pool
from segcore.postprocess import dense_crf
from segcore.postprocess.dense_crf import DenseCRF, is_available
from segcore.postprocess.ensemble import combine_to_size
from segcore.postprocess.parameters import CRFParameters
from segcore.runs.dispatch.warm_process import WarmProcess
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.queue.stopping import Stopped

ROOT = Path(__file__).resolve().parents[2]
CLASSES = 4
SAMPLES = ["scene 1/a", "scene 1/b", "c", "d", "e"]
CRF = CRFParameters(bilateral_width=20, iterations=2)

needs_pydensecrf = pytest.mark.skipif(not is_available(), reason="pydensecrf is not installed")


def _write_dataset(workspace, label_map=False):
    folder = workspace / "datasets" / "toy"
    rng = np.random.default_rng(0)
    label_set = LabelSet(tuple(LabelClass(i * 10, f"class {i}", (i, i, 0)) for i in range(CLASSES)))
    samples = []
    for number, name in enumerate(SAMPLES):
        size = (40 + number, 50 - number)  # every image of its own size
        mask = np.kron(rng.integers(0, CLASSES, (6, 6)), np.ones((9, 9), np.uint8))[
            : size[0], : size[1]
        ].astype(np.uint8)
        image = (mask[..., None] * [50, 30, 10] + rng.integers(0, 20, (*size, 3))).astype(np.uint8)
        mask[:3] = label_set.ignore_index
        for kind, pixels in (("images", image), ("masks", mask)):
            path = folder / kind / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), pixels)
        has_mask = name != "e"
        digest = digest_mask(mask) if has_mask else ""
        samples.append(
            Sample(
                name,
                f"images/{name}.png",
                f"masks/{name}.png" if has_mask else None,
                "test",
                *size,
                "",
                digest,
            )
        )
    dataset = Dataset(folder, "toy", label_set, tuple(samples)).save()
    if label_map:
        dataset.save_label_map(LabelMap(((0, 1), (2,), (3,)), "merged"))
    return dataset


def _write_members(
    workspace, dataset, classes=CLASSES, label_map="", grids=((10, 12), (10, 12), (20, 24))
):
    rng = np.random.default_rng(1)
    for number, grid in enumerate(grids):
        name = f"toy-{number + 1}"
        train = TrainConfig(
            "toy", ModelConfig("unet", "tiny", "none"), size=(32, 32), label_map=label_map
        )
        RunFolder.create(workspace / "runs", name, train)
        predict = RunFolder.create(workspace / "runs", f"{name}--test", PredictConfig("toy", name))
        predict.write_status(state="finished", finished=float(number))
        for sample in dataset.samples:
            mask = dataset.read_mask(sample) if sample.mask else np.zeros(grid, np.uint8)
            mask = cv2.resize(mask, grid[::-1], interpolation=cv2.INTER_NEAREST)
            sure = np.eye(classes)[np.minimum(mask, classes - 1)]
            p = rng.dirichlet(np.full(classes, 0.5), grid) + sure
            predict.write_probabilities(
                "test",
                sample.id,
                (p / p.sum(-1, keepdims=True)).astype(np.float32),
                (sample.height, sample.width),
            )
    return tuple(f"toy-{n + 1}" for n in range(len(grids)))


@pytest.fixture
def workspace(tmp_path):
    dataset = _write_dataset(tmp_path)
    _write_members(tmp_path, dataset)
    return tmp_path


def _create(workspace, name="both--test", **changes):
    config = EvaluateConfig(
        "toy", changes.pop("members", ("toy-1", "toy-2", "toy-3")), **{"crf": None, **changes}
    )
    return RunFolder.create(workspace / "runs", name, config)


def _expected(workspace, dataset, sample, crf=None, rule="mean"):
    parts = [
        RunFolder(workspace / "runs" / f"toy-{n}--test").read_probabilities("test", sample.id)[0]
        for n in (1, 2, 3)
    ]
    p = combine_to_size(parts, (sample.height, sample.width), rule)
    p = DenseCRF(crf).refine(p, dataset.read_image(sample)) if crf else p
    return p.argmax(-1).astype(np.uint8)


@pytest.mark.parametrize("rule", ["mean", "geometric", "majority"])
def test_counts_are_those_of_the_plain_steps(workspace, rule):
    run, dataset = _create(workspace, rule=rule), Dataset.open(workspace / "datasets" / "toy")
    evaluate_run(run)
    ids, counts = run.read_counts("test", "ensemble")
    assert ids == SAMPLES[:4] and run.stages("test") == [
        "ensemble"
    ]  # the sample without a mask is not scored
    for name, matrix in zip(ids, counts, strict=True):
        sample = dataset.sample(name)
        expected = count_confusion(
            dataset.read_mask(sample),
            _expected(workspace, dataset, sample, rule=rule),
            CLASSES,
            255,
        )
        np.testing.assert_array_equal(matrix, expected)
    assert run.status().mean_iou == pytest.approx(float(mean_iou(counts.sum(0))))


@needs_pydensecrf
def test_the_crf_stage_writes_a_mask_of_every_sample_and_counts_it(workspace):
    run, dataset = _create(workspace, crf=CRF), Dataset.open(workspace / "datasets" / "toy")
    evaluate_run(run)
    assert run.stages("test") == ["crf", "ensemble"]
    counts = dict(zip(*run.read_counts("test", "crf"), strict=True))
    for sample in dataset.samples:
        mask = run.read_mask("test", "crf", sample.id)
        np.testing.assert_array_equal(mask, _expected(workspace, dataset, sample, CRF))
        if sample.mask:
            np.testing.assert_array_equal(
                counts[sample.id], count_confusion(dataset.read_mask(sample), mask, CLASSES, 255)
            )


@needs_pydensecrf
def test_a_pool_of_two_gives_what_one_process_gives(workspace):
    serial, parallel = (
        _create(workspace, "serial--test", crf=CRF),
        _create(workspace, "parallel--test", crf=CRF),
    )
    evaluate_run(serial)
    with open_pool(2) as pool:
        evaluate_run(parallel, pool)
    for stage in ("ensemble", "crf"):
        for one, two in zip(
            serial.read_counts("test", stage), parallel.read_counts("test", stage), strict=True
        ):
            np.testing.assert_array_equal(one, two)
    for name in SAMPLES:
        np.testing.assert_array_equal(
            serial.read_mask("test", "crf", name), parallel.read_mask("test", "crf", name)
        )


def test_members_of_merged_labels_are_scored_on_merged_masks(tmp_path):
    dataset = _write_dataset(tmp_path, label_map=True)
    members = _write_members(tmp_path, dataset, classes=3, label_map="merged")
    run = _create(tmp_path, members=members)
    evaluate_run(run)
    ids, counts = run.read_counts("test", "ensemble")
    assert counts.shape == (4, 3, 3)
    for name, matrix in zip(ids, counts, strict=True):
        merged = dataset.load_label_map("merged").apply(
            dataset.read_mask(dataset.sample(name)), dataset.label_set
        )
        np.testing.assert_array_equal(matrix.sum(1), [(merged == c).sum() for c in range(3)])


def test_a_run_that_was_cut_goes_on_where_it_was(workspace, monkeypatch):
    whole = _create(workspace, "whole--test")
    evaluate_run(whole)
    run, asked = _create(workspace), []
    with pytest.raises(Stopped):
        evaluate_run(run, should_stop=lambda: len(asked) >= 2 or asked.append(1))
    assert run.stages("test") == []  # half a split is not a result
    worked = []
    monkeypatch.setattr(
        evaluation, "count_sample", lambda task: worked.append(task.sample.id) or count_sample(task)
    )
    evaluate_run(run)
    assert worked == SAMPLES[2:]
    for one, two in zip(
        run.read_counts("test", "ensemble"), whole.read_counts("test", "ensemble"), strict=True
    ):
        np.testing.assert_array_equal(one, two)


def test_what_was_counted_from_older_predictions_is_counted_again(workspace, monkeypatch):
    run, asked = _create(workspace), []
    with pytest.raises(Stopped):
        evaluate_run(run, should_stop=lambda: len(asked) >= 2 or asked.append(1))
    RunFolder(workspace / "runs" / "toy-2--test").write_status(finished=99.0)
    worked = []
    monkeypatch.setattr(
        evaluation, "count_sample", lambda task: worked.append(task.sample.id) or count_sample(task)
    )
    evaluate_run(run)
    assert worked == SAMPLES


@needs_pydensecrf
def test_a_crf_mask_on_disk_is_not_made_again(workspace, monkeypatch):
    run, asked = _create(workspace, crf=CRF), []
    with pytest.raises(Stopped):
        evaluate_run(run, should_stop=lambda: len(asked) >= 3 or asked.append(1))
    (run.checkpoints / "journal.bin").unlink()  # only masks are left
    refined = []
    monkeypatch.setattr(
        DenseCRF, "refine", lambda self, p, image: refined.append(image.shape[:2]) or p
    )
    evaluate_run(run)
    assert refined == [(43, 47), (44, 46)]


def test_each_task_is_small_and_knows_only_its_sample(workspace):
    tasks = plan_tasks(_create(workspace))
    assert [t.sample.id for t in tasks] == SAMPLES and all(
        len(t.dataset.samples) == 1 for t in tasks
    )


def test_refusals_are_sentences(workspace, monkeypatch):
    with pytest.raises(SegcoreError, match="of kind 'predict'"):
        plan_tasks(RunFolder(workspace / "runs" / "toy-1--test"))
    with pytest.raises(SegcoreError, match=r"[Uu]nknown split"):
        plan_tasks(_create(workspace, "a", split="tset"))
    with pytest.raises(SegcoreError, match="training runs or imports as members"):
        plan_tasks(_create(workspace, "b", members=("toy-1--test",)))
    (workspace / "runs" / "toy-3--test" / "probabilities" / "test" / "c.prob").unlink()
    with pytest.raises(SegcoreError, match="c"):
        evaluate_run(_create(workspace, "c"))
    monkeypatch.setattr(dense_crf, "densecrf", None)
    with pytest.raises(SegcoreError, match=r"pip install .*\[crf\]"):
        plan_tasks(_create(workspace, "d", crf=CRF))


def test_members_of_another_number_of_classes_are_refused(tmp_path):
    dataset = _write_dataset(tmp_path)
    members = _write_members(tmp_path, dataset, classes=3)
    with pytest.raises(SegcoreError, match="Expected 4 classes"):
        evaluate_run(_create(tmp_path, members=members))


def _process(folder, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-P", "-m", "segcore.light_worker", *arguments, str(folder)]
    return subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
    )


@needs_pydensecrf
def test_as_a_process_it_finishes_and_says_so(workspace):
    run = _create(workspace, crf=CRF)
    process = _process(run.folder)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    status = run.status()
    assert (status.state, status.progress, status.pid) == ("finished", 1.0, process.pid)
    assert status.finished and status.heartbeat and 0 < status.mean_iou <= 1


def test_as_a_process_it_fails_with_the_sentence(workspace):
    run = _create(workspace, split="tset")
    process = _process(run.folder, "--workers", "1")
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 1 and "Traceback" not in errors
    assert run.status().state == "failed" and "split" in run.status().cause


@needs_pydensecrf
def test_a_signal_interrupts_it_and_it_can_go_on(workspace):
    run = _create(workspace, crf=CRFParameters(iterations=100, spatial_width=0.1))
    process = _process(run.folder, "--workers", "2")
    until = time.monotonic() + 300
    while run.status().state != "running" and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=300)
    assert run.status().state in ("interrupted", "finished")
    evaluate_run(run)
    assert run.stages("test") == ["crf", "ensemble"]


@needs_pydensecrf
def test_the_warm_process_answers_as_the_class_does(workspace):
    rng = np.random.default_rng(0)
    coarse = rng.dirichlet(np.ones(3), (15, 20)).astype(np.float32)
    image = rng.integers(0, 256, (30, 40, 3), np.uint8)
    full = combine_to_size([coarse], (30, 40))
    with WarmProcess() as answerer:
        assert answerer.ask("ping") == ({"crf": True}, {})
        arrays = {"probabilities": coarse, "image": image}
        values, found = answerer.ask(
            "crf", arrays, parameters={"iterations": 3}, return_probabilities=True
        )
        refined = DenseCRF(CRFParameters(iterations=3)).refine(full, image)
        np.testing.assert_allclose(found["probabilities"], refined, atol=1e-6)
        np.testing.assert_array_equal(found["mask"], found["probabilities"].argmax(-1))
        assert values["changed"] == pytest.approx((refined.argmax(-1) != full.argmax(-1)).mean())
        assert answerer.ask("crf", arrays, preview=True)[0]["preview"] is True
        for bad in ({"iterations": 1000}, {"iteration": 3}):
            with pytest.raises(SegcoreError, match="iterations"):
                answerer.ask("crf", arrays, parameters=bad)
        with pytest.raises(SegcoreError, match="send probabilities and image"):
            answerer.ask("crf", {"image": image})


def test_the_answers_are_the_documented_ones():
    assert set(HANDLERS) == {"ping", "crf", "scribble", "cut", "object"}


def test_its_process_loads_neither_tensorflow_nor_the_app():
    code = (
        "import sys, segcore.light_worker.__main__; print(sorted({'tensorflow', 'keras', "
        "'streamlit'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.strip() == "[]"
