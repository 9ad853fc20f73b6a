"""What holds for every page: it opens in any workspace, leads on, and never ends in a traceback."""

import shutil

import pytest

from segcore.ui.shared import frame

WAY_ON = {"home": "pages/dataset.py", "train": "pages/home.py", "runs": "pages/train.py"}
"""Where an empty page leads; the dataset page is the place to begin, all others lead to the start."""


def test_in_an_empty_workspace_it_leads_on(page, empty_workspace, open_alone) -> None:
    opened = open_alone(page)
    assert not opened.at.error
    if page == "dataset":
        assert [b.label for b in opened.at.button] == ["Import dataset"]
    else:
        assert WAY_ON.get(page, "pages/home.py") in opened.links


def test_a_link_to_what_is_gone_opens_with_what_is_there(page, trained, open_page, read) -> None:
    gone = {
        "run": "deleted-1",
        "dataset": "deleted",
        "split": "deleted",
        "sample": "deleted",
        "stage": "deleted",
        "labels": "99",
    }
    at = open_page(page, **gone)
    assert not at.error
    assert read.title(at)
    assert at.sidebar.caption[0].value == f"Workspace `{trained.workspace.folder}`"
    assert at.selectbox(key="dataset").value == "tiny"


def test_it_opens_for_somebody_who_may_only_look(page, guest, open_page, read) -> None:
    at = open_page(page)
    assert not at.error and read.title(at)


@pytest.mark.parametrize(
    ("place", "old"),
    [(place, name) for place, names in frame.OLD_LINKS.items() for name in names],
)
def test_choices_in_old_links_are_translated(place, old, trained, open_page) -> None:
    for before, now in frame.OLD_LINKS[place][old].items():
        if now in ("merged", "disagreement", "difference") or old == "labels":
            continue  # offered only with a label map, an ensemble or two models
        at = open_page(place, run=trained.ensemble, split="test", **{old: before})
        assert not at.error
        shown = at.session_state[old]
        assert shown == [now] if old in frame.SEVERAL else shown == now


def test_a_link_to_the_study_page_opens_the_ablation(trained, open_page, read) -> None:
    at = open_page("study", recipe_study="unknown")
    assert read.title(at) == "Ablation"


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


DAMAGES = {
    spoil_data_set: ("dataset", "compare"),
    remove_data_set: ("home", "evaluate"),
    remove_pixels: ("dataset", "compare", "predict"),
    spoil_maps_and_plans: ("balance", "compare", "train"),
    spoil_statistics: ("dataset", "balance"),
    spoil_configs: ("runs", "home", "evaluate"),
    spoil_statuses: ("runs", "home"),
    spoil_results: ("compare", "evaluate", "compress", "ensemble"),
    remove_predictions: ("compare", "evaluate", "ensemble"),
}
"""The pages that read what is damaged."""


def answers(damage, name, trained, open_alone) -> None:
    damage(trained)
    opened = open_alone(name)  # which fails the test on a traceback
    for message in opened.at.error:
        assert message.value.rstrip().endswith(".")
        assert "Traceback" not in message.value
        assert "Error" not in message.value.split()[0]


@pytest.mark.parametrize(
    ("damage", "name"),
    [(damage, name) for damage, names in DAMAGES.items() for name in names],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_damage_is_told_in_a_sentence(damage, name, trained, open_alone) -> None:
    answers(damage, name, trained, open_alone)


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_damage_ends_no_other_page_either(damage, page, trained, open_alone) -> None:
    if page not in DAMAGES[damage]:
        answers(damage, page, trained, open_alone)


def test_a_workspace_that_cannot_be_opened_is_told_in_a_sentence(
    tmp_path, monkeypatch, open_alone
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SEGCORE_WORKSPACE", str(tmp_path / "file"))
    (message,) = open_alone("home").at.error
    assert "choose another with --workspace" in message.value
