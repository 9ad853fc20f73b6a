"""Predictions of another tool become a run with the same scores that its masks have anywhere else."""

import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from segcore import cli
from segcore.errors import SegcoreError
from segcore.evaluation.counts.confusion import count_confusion
from segcore.light_worker.members import find_members, scored_samples
from segcore.workspace.predictions.imported import HowToImport


@pytest.fixture
def theirs(trained, tmp_path):
    """The first member's masks of test as another tool would have written them: class ids, flat, with a word added."""
    folder = tmp_path / "their masks"
    folder.mkdir()
    ids = np.array(trained.workspace.datasets.open("tiny").label_set.class_ids, np.uint8)
    for sample in trained.samples["test"]:
        mask = trained.workspace.scenes.prediction(trained.members[0], "test", sample)
        Image.fromarray(ids[mask]).save(folder / f"{sample.rsplit('/')[-1]}_pred.png")
    return folder


def test_an_import_scores_as_the_run_it_was_written_by(trained, theirs) -> None:
    workspace = trained.workspace
    report = workspace.imports.import_("tiny", theirs, "other")
    assert (report.run, report.missing, report.extra, report.refused) == ("other", [], [], [])
    ids, counts = workspace.scores.counts("other", "test")
    own_ids, own = workspace.scores.counts(trained.members[0], "test")
    assert ids == own_ids
    np.testing.assert_array_equal(counts, own)
    assert (
        workspace.scores.report("other", "test").to_json()
        == workspace.scores.report(trained.members[0], "test").to_json()
    )
    compared = workspace.reports.compare("other", trained.members[0], "test")
    assert (compared.difference.value, compared.reasons) == (0, ())
    assert [s.id for s in workspace.scenes.predicted_samples("other", "test")] == trained.samples[
        "test"
    ]
    assert workspace.merges.what_if("other", "test").to_json()["path"]
    row = next(r for r in workspace.runs.rows() if r.run == "other")
    assert (row.kind, row.status.state, row.dataset) == ("imported", "finished", "tiny")


def test_probabilities_are_kept_and_an_archive_is_taken(trained, tmp_path) -> None:
    workspace, sample = trained.workspace, trained.samples["test"][0]
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        for name in trained.samples["test"]:
            probabilities = workspace.scenes.probabilities(trained.members[0], "test", name)
            np.save(tmp_path / "p.npy", probabilities)
            archive.write(tmp_path / "p.npy", f"out/{name.rsplit('/')[-1]}.npy")
    workspace.imports.import_("tiny", tmp_path / "p.zip", "soft")
    kept = workspace.scenes.probabilities("soft", "test", sample)
    np.testing.assert_allclose(
        kept, workspace.scenes.probabilities(trained.members[0], "test", sample), atol=0.01
    )
    assert workspace.rankings.offered("soft", "test") == [
        "order",
        "mean_iou",
        "class_iou",
        "error",
        "entropy",
    ]
    assert np.isfinite(workspace.scenes.unsureness("soft", "test", sample)[0])


def test_what_does_not_fit_is_reported_and_only_left_out_when_asked(trained, theirs) -> None:
    workspace = trained.workspace
    files = sorted(theirs.iterdir())
    files[0].unlink()
    Image.fromarray(np.zeros((5, 7), np.uint8)).save(files[1])
    Image.fromarray(np.zeros((5, 7), np.uint8)).save(theirs / "stranger.png")
    (theirs / "notes.txt").write_text("not looked at")
    report = workspace.imports.check("tiny", theirs)
    assert (report.missing, report.extra) == ([trained.samples["test"][0]], ["stranger.png"])
    assert [r.file for r in report.refused] == [files[1].name]
    assert "32 x 48" in report.refused[0].why
    with pytest.raises(SegcoreError, match=r"1 missing .* 1 refused .* 1 files of no image"):
        workspace.imports.import_("tiny", theirs, "other")
    assert "other" not in workspace.runs.ids()
    workspace.imports.import_("tiny", theirs, "other", HowToImport(partial=True))
    assert workspace.runs.open("other").config.left_out == 2
    assert workspace.scores.counts("other", "test")[0] == [trained.samples["test"][2]]
    reasons = workspace.reports.compare("other", trained.members[0], "test").reasons
    assert any("numbers of images" in reason for reason in reasons)
    assert not list(workspace.runs.folder.glob(".import*"))


def test_an_ignored_class_is_no_answer(trained, theirs) -> None:
    workspace, sample = trained.workspace, trained.samples["test"][0]
    void = workspace.datasets.open("tiny").label_set.ignored
    path = sorted(theirs.iterdir())[0]
    mask = np.array(Image.open(path))
    mask[3, 3] = void[0].id if void else 200
    Image.fromarray(mask).save(path)
    (refused,) = workspace.imports.check("tiny", theirs).refused
    assert refused.sample == sample


@pytest.mark.parametrize("name", ["../evil", "a/b", ".hidden", "", "a--test", "x" * 90])
def test_an_unsafe_name_makes_nothing(trained, theirs, name) -> None:
    with pytest.raises(SegcoreError, match="Expected a name"):
        trained.workspace.imports.import_("tiny", theirs, name)


def test_a_path_that_climbs_out_of_an_archive_is_refused(trained, tmp_path) -> None:
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("../../scene_0.png", b"x")
    with pytest.raises(SegcoreError, match="inside the archive"):
        trained.workspace.imports.import_("tiny", tmp_path / "evil.zip", "other")
    assert "other" not in trained.workspace.runs.ids()


def test_the_shell_imports_and_tells(trained, theirs, capsys) -> None:
    where = ["--workspace", str(trained.workspace.folder)]
    cli.main(["import-predictions", "tiny", str(theirs), "--check", *where])
    assert "3 of 3 images" in capsys.readouterr().out
    cli.main(["import-predictions", "tiny", str(theirs), "--name", "shell", "--json", *where])
    told = json.loads(capsys.readouterr().out)
    assert (
        told["mean_iou"] == trained.workspace.scores.report("shell", "test").to_json()["mean_iou"]
    )
    with pytest.raises(SystemExit):
        cli.main(["import-predictions", "tiny", str(theirs), "--name", "shell", *where])
    assert "which exists" in capsys.readouterr().err


def test_counts_are_those_of_the_masks(trained, theirs) -> None:
    workspace = trained.workspace
    workspace.imports.import_("tiny", theirs, "other")
    ids, counts = workspace.scores.counts("other", "test")
    for name, matrix in zip(ids, counts, strict=True):
        mask = workspace.scenes.prediction("other", "test", name)
        np.testing.assert_array_equal(
            matrix, count_confusion(workspace.scenes.truth("tiny", name), mask, 4, 255)
        )


def save_soft(trained, folder, splits):
    """The first member's probabilities, one .npy an image."""
    folder.mkdir()
    for split in splits:
        for name in trained.samples[split]:
            planes = trained.workspace.scenes.probabilities(trained.members[0], split, name)
            (folder / name).parent.mkdir(exist_ok=True)
            np.save(folder / f"{name}.npy", planes)
    return folder


def test_one_imported_model_holds_several_splits_and_is_a_member_of_an_ensemble(
    trained, tmp_path
) -> None:
    workspace = trained.workspace
    first, second = trained.members
    soft = save_soft(trained, tmp_path / "soft", ["validation", "test"])
    for split in ("test", "validation"):
        report = workspace.imports.import_("tiny", soft, "soft", HowToImport(split, partial=True))
        assert report.fits == trained.samples[split]
        assert workspace.scores.counts("soft", split)[0] == trained.samples[split]
        np.testing.assert_array_equal(
            workspace.scores.counts("soft", split)[1], workspace.scores.counts(first, split)[1]
        )
    with pytest.raises(SegcoreError, match="a split that 'soft' does not hold yet"):
        workspace.imports.import_("tiny", soft, "soft")
    assert "soft" in workspace.ensembles.candidates("tiny")
    assert workspace.ensembles.splits(["soft", second])[-2:] == ["validation", "test"]
    evaluated = workspace.runs.ensemble(["soft", second], "test")
    with_first = workspace.runs.ensemble([first, second], "test")
    members = find_members(workspace.runs.open(evaluated), "tiny", ["soft", second], "test")
    own = find_members(workspace.runs.open(with_first), "tiny", [first, second], "test")
    for sample in scored_samples(members):
        for theirs, ours in zip(members.read(sample), own.read(sample), strict=True):
            if theirs.shape == ours.shape:
                np.testing.assert_allclose(theirs, ours, atol=0.02)
    assert workspace.runs.members(evaluated) == ("soft", second)
    assert workspace.scenes.probabilities(evaluated, "test", trained.samples["test"][0]).ndim == 3
    with pytest.raises(SegcoreError, match="'soft' is an import, which holds predictions alone"):
        workspace.predictions.model(evaluated)


def test_an_import_of_masks_or_of_another_split_cannot_be_a_member(
    trained, theirs, tmp_path
) -> None:
    workspace, second = trained.workspace, trained.members[1]
    workspace.imports.import_("tiny", theirs, "other")
    assert "other" not in workspace.ensembles.candidates("tiny")
    with pytest.raises(SegcoreError, match="3 have none, for example"):
        workspace.runs.ensemble(["other", second], "test")
    with pytest.raises(SegcoreError, match="predictions of 'validation' in the import 'other'"):
        workspace.runs.ensemble(["other", second], "validation")


def test_names_are_matched_by_a_rule_of_the_user(trained, theirs) -> None:
    workspace = trained.workspace
    for number, file in enumerate(sorted(theirs.iterdir())):
        stem = file.name.removesuffix("_pred.png")
        file.rename(theirs / f"run7x{stem}y{number}.png")
    assert workspace.imports.check("tiny", theirs).fits == []
    how = HowToImport(match=r"(t\w*?\d+|\d+)")
    report = workspace.imports.check("tiny", theirs, how)
    assert len(report.fits) + len(report.missing) + len(report.refused) >= 3
    with pytest.raises(SegcoreError, match="correct --match"):
        workspace.imports.check("tiny", theirs, HowToImport(match="(nothing like it)"))


def test_measuring_one_split_does_not_ask_for_another(trained, tmp_path, capsys) -> None:
    soft = save_soft(trained, tmp_path / "soft", ["test"])
    trained.workspace.imports.import_("tiny", soft, "soft")
    place = ["--workspace", str(trained.workspace.folder)]
    cli.main(["measure", "soft", "--split", "test", *place])
    assert "3 images of test with probabilities on disk" in capsys.readouterr().out
