"""What holds for every page: it opens in any workspace, leads on where something is missing, and never ends in a traceback."""

import shutil
import sys

import pytest

WAY_ON = {"home": "pages/dataset.py", "train": "pages/home.py", "runs": "pages/train.py"}
"""Where an empty page leads; the dataset page is itself the place to begin, all others lead to the start."""


def test_in_an_empty_workspace_it_leads_on(page, empty_workspace, open_alone) -> None:
    opened = open_alone(page)
    assert not opened.at.error
    if page == "dataset":
        assert [b.label for b in opened.at.button] == ["Import"] and opened.at.expander[
            0
        ].proto.expanded
    else:
        assert WAY_ON.get(page, "pages/home.py") in opened.links


def test_in_an_empty_workspace_through_the_frame(page, empty_workspace, open_page) -> None:
    at = open_page(page)
    assert at.title[0].value
    assert not at.error


def test_the_frame_names_the_workspace(page, workspace, open_page) -> None:
    at = open_page(page)
    assert [c.value for c in at.sidebar.caption] == [f"Workspace `{workspace.folder}`"]


def test_with_data_and_no_run(page, open_alone) -> None:
    assert not open_alone(page).at.error


def test_with_results_alone_and_through_the_frame(page, trained, open_alone, open_page) -> None:
    alone = open_alone(page).at
    assert not alone.error
    framed = open_page(page)
    assert not framed.error
    assert [m.value for m in framed.metric] == [m.value for m in alone.metric]
    assert [len(d.value) for d in framed.dataframe] == [len(d.value) for d in alone.dataframe]


def test_a_link_to_what_is_gone_opens_with_what_is_there(page, trained, open_page) -> None:
    gone = {
        "run": "deleted-1",
        "dataset": "deleted",
        "split": "deleted",
        "sample": "deleted",
        "stage": "deleted",
        "labels": "99",
    }
    assert not open_page(page, **gone).error


def spoil_data_set(trained) -> None:
    (trained.workspace.datasets.folder / "tiny" / "dataset.json").write_text("{")


def remove_data_set(trained) -> None:
    shutil.rmtree(trained.workspace.datasets.folder / "tiny")


def remove_pixels(trained) -> None:
    for kind in ("images", "masks"):
        shutil.rmtree(trained.workspace.datasets.folder / "tiny" / kind)


def spoil_configs(trained) -> None:
    for path in trained.workspace.runs.folder.glob("*/config.json"):
        path.write_text("{")


def spoil_statuses(trained) -> None:
    for path in trained.workspace.runs.folder.glob("*/status.json"):
        path.write_text("{")


def spoil_results(trained) -> None:
    for pattern in ("*/counts/**/*.npz", "*/probabilities/**/*.prob", "*/masks/**/*.mask"):
        for path in trained.workspace.runs.folder.glob(pattern):
            path.write_bytes(path.read_bytes()[:40])


def spoil_maps_and_plans(trained) -> None:
    for kind in ("label_maps", "plans"):
        folder = trained.workspace.datasets.folder / "tiny" / kind
        folder.mkdir()
        (folder / "spoilt.json").write_text("{")


def spoil_statistics(trained) -> None:
    trained.workspace.datasets.statistics("tiny")
    (file,) = (trained.workspace.datasets.folder / "tiny").glob("statistics.*")
    file.write_bytes(file.read_bytes()[:40])


def remove_predictions(trained) -> None:
    for path in trained.workspace.runs.folder.glob("*--*"):
        shutil.rmtree(path)


DAMAGES = [
    spoil_data_set,
    remove_data_set,
    remove_pixels,
    spoil_maps_and_plans,
    spoil_statistics,
    spoil_configs,
    spoil_statuses,
    spoil_results,
    remove_predictions,
]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda d: d.__name__)
def test_damage_is_told_in_a_sentence(page, damage, trained, open_alone) -> None:
    damage(trained)
    opened = open_alone(page)  # which fails the test on a traceback
    for message in opened.at.error:
        assert message.value.rstrip().endswith(".")
        assert "Traceback" not in message.value
        assert "Errors" not in message.value.split()[0]


def test_a_workspace_that_cannot_be_opened_is_told_in_a_sentence(
    page, tmp_path, monkeypatch, open_alone
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SEGCORE_WORKSPACE", str(tmp_path / "file"))
    (message,) = open_alone(page).at.error
    assert "choose another with --workspace" in message.value


def test_no_page_has_tensorflow_in_its_process(trained, open_page) -> None:
    if "tensorflow" in sys.modules:
        pytest.skip("another test of this process has imported TensorFlow; run tests/pages alone")
    for page in ("home", "train", "compare"):
        open_page(page)
    assert "tensorflow" not in sys.modules and "keras" not in sys.modules
