"""The demo: brought in whole, once."""

import shutil

import pytest

from segcore.data.synthetic import make_synthetic
from segcore.errors import SegcoreError
from segcore.workspace import Workspace, demo


def listing(folder):
    return {p.relative_to(folder): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def few_scenes(monkeypatch, tmp_path):
    """The demo's set with a few scenes, drawn once for this test."""
    calls = []

    def draw(folder, seed, progress=None):
        calls.append(folder)
        return make_synthetic(
            folder, seed=seed, counts={"train": 2, "validation": 1, "test": 1}, progress=progress
        )

    monkeypatch.setattr(demo, "make_synthetic", draw)
    return calls


@pytest.fixture
def assets(trained, tmp_path, monkeypatch):
    """Members to bring in: the made-up runs stand for the trained ones."""
    folder = tmp_path / "assets"
    names = [*trained.members, *(f"{m}--test" for m in trained.members), trained.ensemble]
    for name in names:
        shutil.copytree(trained.workspace.runs.folder / name, folder / "runs" / name)
    monkeypatch.setattr(demo, "ASSETS", folder)
    monkeypatch.setattr(demo, "MEMBERS", len(trained.members))
    return folder


def test_opening_brings_data_set_and_runs_and_twice_changes_nothing(
    tmp_path, few_scenes, assets, trained
) -> None:
    workspace = Workspace(tmp_path / "fresh")
    assert not workspace.demo.is_open()
    told = workspace.demo.open()
    assert told.dataset == "demo" and workspace.demo.is_open()
    assert told.runs == tuple(trained.members)
    assert told.ensemble == trained.ensemble
    assert set(workspace.runs.ids()) == {p.name for p in (assets / "runs").iterdir()}
    before = listing(workspace.folder)
    assert workspace.demo.open() == told
    assert listing(workspace.folder) == before
    assert len(few_scenes) == 1


def test_a_copy_that_was_cut_is_taken_up_again(tmp_path, few_scenes, assets, trained) -> None:
    workspace = Workspace(tmp_path / "fresh")
    cut = workspace.runs.folder / f".{trained.members[0]}.partial"
    cut.mkdir(parents=True)
    (cut / "config.json").write_text("{")
    workspace.demo.open()
    assert not cut.exists()
    assert workspace.runs.open(trained.members[0]).metrics()


def test_without_its_members_the_demo_says_how_to_make_them(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(demo, "ASSETS", tmp_path / "nothing")
    workspace = Workspace(tmp_path / "fresh")
    with pytest.raises(SegcoreError, match="demo --rebuild"):
        workspace.demo.open()
    assert workspace.datasets.names() == [] and workspace.runs.ids() == []


def test_a_further_member_is_like_the_five_but_for_its_seed(
    workspace, monkeypatch, few_scenes, started
) -> None:
    demo.make_synthetic(workspace.datasets.folder / "demo", 0)
    first, second = workspace.demo.train_further()[0], workspace.demo.train_further()[0]
    configs = [workspace.runs.open(run).config for run in (first, second)]
    assert configs[0].seed != configs[1].seed
    assert configs[0].recipe == configs[1].recipe == demo.CONFIG.recipe


def test_it_is_rebuilt_only_where_there_is_none(workspace, few_scenes, tmp_path) -> None:
    demo.make_synthetic(workspace.datasets.folder / "demo", 0)
    with pytest.raises(SegcoreError, match="without the demo"):
        workspace.demo.rebuild(tmp_path / "target")


def test_the_demo_that_comes_with_segscope_opens_complete(tmp_path) -> None:
    if not (demo.ASSETS / "runs").is_dir():
        pytest.skip("DEMO ABSENT: assets/demo has not been made (make demo-assets)")
    workspace = Workspace(tmp_path / "fresh")
    told = workspace.demo.open()
    assert len(told.runs) == demo.MEMBERS and told.ensemble
    dataset = workspace.datasets.open("demo")
    assert dataset.splits == ["train", "validation", "test"]
    assert 10 <= dataset.label_set.num_classes <= 14
    result = workspace.scores.ensemble(told.ensemble).to_json()
    assert (
        result["crf"]["num_samples"]
        == result["ensemble"]["num_samples"]
        == len(dataset.select("test"))
    )
    sample = workspace.scenes.predicted_samples(told.ensemble, "test")[0]
    truth = workspace.scenes.truth("demo", sample.id)
    assert workspace.scenes.probabilities(told.ensemble, "test", sample.id).shape[:2] == truth.shape
    assert workspace.scenes.crf_mask(told.ensemble, "test", sample.id).shape == truth.shape
    assert all(
        workspace.scores.has_counts(run, "validation") for run in (*told.runs, told.ensemble)
    )
    assert all(row.status.state == "finished" for row in workspace.runs.rows())
    size = sum(p.stat().st_size for p in demo.ASSETS.rglob("*") if p.is_file())
    assert size < 12_000_000
