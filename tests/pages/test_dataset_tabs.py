"""The dataset page's tabs: each shows what the workspace measured, and what it changes is changed on disk."""

import dataclasses
import re
import shutil
from dataclasses import replace

import pytest

from segcore.labels import LabelSet
from segcore.ui.dataset import classes_tab
from segcore.ui.shared import dataset_scans, session

TABS = (
    "Images",
    "Class balance",
    "Co-occurrence and location",
    "Image statistics",
    "Health",
    "Splits",
    "Classes",
)


def button(at, label: str):
    return next(b for b in at.button if b.label == label)


def test_a_link_opens_a_tab_and_an_unknown_one_the_first(open_page, read) -> None:
    at = open_page("dataset", dataset="tiny", show="Image statistics")
    assert len(read.figure(at, "brightness")["data"]) == 3
    at = open_page("dataset", dataset="tiny", show="Nonsense")
    assert read.scene(at, "browse")


@pytest.mark.parametrize("tab", TABS)
def test_every_tab_opens_for_every_split(open_page, tab) -> None:
    for part in ("all", "test"):
        at = open_page("dataset", dataset="tiny", show=tab, part=part)
        assert not at.error and at.session_state["show"] == tab


@pytest.mark.parametrize("tab", TABS)
def test_every_tab_opens_without_splits_and_masks(workspace, open_page, tab) -> None:
    dataset = workspace.datasets.open("tiny")
    bare = [dataclasses.replace(s, mask=None, mask_digest="", split="") for s in dataset.samples]
    dataclasses.replace(dataset, samples=tuple(bare)).save()
    at = open_page("dataset", dataset="tiny", show=tab)
    assert not at.exception and at.session_state["show"] == tab


def test_places_are_of_the_chosen_class_and_split(workspace, open_page, read) -> None:
    at = open_page(
        "dataset", dataset="tiny", show="Co-occurrence and location", part="test", place="roof"
    )
    instances = workspace.datasets.instances("tiny", "test")
    assert len(read.figure(at, "places")["data"]) == 1
    table = next(d.value for d in at.dataframe if "components" in d.value.columns)
    assert list(table["components"]) == instances.counts.sum(0).tolist()


def test_a_large_data_set_is_measured_when_asked_and_once(open_page, monkeypatch) -> None:
    monkeypatch.setattr(dataset_scans, "AT_ONCE", 0)
    at = open_page("dataset", dataset="tiny", show="Health")
    assert not [d for d in at.dataframe if "mend" in d.value.columns]
    button(at, "Check the dataset").click().run()
    assert not at.exception and "Check the dataset" not in [b.label for b in at.button]
    again = open_page("dataset", dataset="tiny", show="Health")
    assert "Check the dataset" not in [b.label for b in again.button]


def test_a_leak_is_shown_and_its_mend_is_a_click_away(workspace, open_page) -> None:
    dataset = workspace.datasets.open("tiny")
    twin = dataset.image_path(dataset.sample("train/scene_0")).read_bytes()
    dataset.image_path(dataset.sample("test/scene_0")).write_bytes(twin)
    at = open_page("dataset", dataset="tiny", show="Health")
    assert any("byte for byte" in m.value and "different splits" in m.value for m in at.markdown)
    button(at, "Create grouped splits").click().run()
    assert (
        at.session_state["show"] == "Splits" and at.selectbox(key="split_method").value == "grouped"
    )


def test_shift_between_two_splits(workspace, open_page, read) -> None:
    at = open_page(
        "dataset", dataset="tiny", show="Splits", shift_first="train", shift_second="test"
    )
    shift = workspace.datasets.shift("tiny", "train", "test")
    shown = read.metrics(at)
    assert (
        shown["Difference"] == f"{shift.distance:.4f}"
        and shown["p-value"] == f"{shift.p_value:.3f}"
    )
    assert sorted(read.figure(at, "shift")["data"][0]["x"]) == pytest.approx(
        sorted(100 * d for d in shift.differences)
    )


def test_splits_are_proposed_then_kept(workspace, open_page) -> None:
    at = open_page("dataset", dataset="tiny", show="Splits")
    before = workspace.datasets.open("tiny").fingerprint
    at.number_input(key="split_validation").set_value(25)
    at.number_input(key="split_test").set_value(25)
    button(at, "Preview splits").click().run()
    assert not at.exception and workspace.datasets.open("tiny").fingerprint == before
    button(at, "Save splits").click().run()
    assert not at.exception and not at.error
    dataset = workspace.datasets.open("tiny")
    assert [len(dataset.select(s)) for s in ("train", "validation", "test")] == [
        6,
        3,
        3,
    ] and dataset.fingerprint != before


def test_the_method_suits_each_dataset_and_one_that_tears_groups_apart_warns(
    workspace, open_page
) -> None:
    dataset = workspace.datasets.open("tiny")
    tiles = [dataclasses.replace(s, group=f"Tile {n // 3}") for n, s in enumerate(dataset.samples)]
    shutil.copytree(dataset.folder, dataset.folder.parent / "tiles")
    dataclasses.replace(
        dataset, name="tiles", folder=dataset.folder.parent / "tiles", samples=tuple(tiles)
    ).save()
    at = open_page("dataset", dataset="tiny", show="Splits")
    assert at.selectbox(key="split_method").value == "stratified"
    at.query_params["dataset"] = "tiles"
    at.query_params["show"] = "Splits"
    at.switch_page("pages/dataset.py").run()
    assert at.selectbox(key="split_method").value == "grouped"
    for tab in ("Classes", "Splits"):
        at.query_params["show"] = tab
        at.switch_page("pages/dataset.py").run()
    assert at.selectbox(key="split_method").value == "grouped", "after a look at another tab"
    button(at, "Preview splits").click().run()
    assert not at.exception and not at.warning
    at.selectbox(key="split_method").set_value("random")
    button(at, "Preview splits").click().run()
    assert at.selectbox(key="split_method").value == "random"
    assert "lie in several splits" in at.warning[0].value


def test_shares_above_a_whole_are_refused(open_page) -> None:
    at = open_page("dataset", dataset="tiny", show="Splits")
    at.number_input(key="split_validation").set_value(60)
    at.number_input(key="split_test").set_value(60)
    button(at, "Preview splits").click().run()
    assert "received train -20 %, validation 60 %, test 60 %" in at.error[0].value


def test_colours_that_stay_apart_are_a_click_away(workspace, open_page) -> None:
    at = open_page("dataset", dataset="tiny", show="Classes")
    assert button(at, "Save classes").disabled
    button(at, "Use colour-blind-safe colours").click().run()
    assert not at.exception
    assert workspace.datasets.open("tiny").label_set.classes[0].color == (0, 114, 178)
    assert button(at, "Use colour-blind-safe colours").disabled


def test_an_import_that_broke_off_is_told_and_thrown_away(workspace, open_page, tmp_path) -> None:
    def stop(done, total, what):
        if what == "importing":
            raise KeyboardInterrupt

    source = workspace.datasets.export("tiny", tmp_path / "out")
    with pytest.raises(KeyboardInterrupt):
        workspace.datasets.import_(source, "halfway", progress=stop)
    at = open_page("dataset", dataset="tiny", **{"import": "dataset"})
    assert any("import of **halfway** stopped" in m.value for m in at.markdown)
    at.button(key="throw_away_halfway").click().run()
    assert not at.exception and not any("stopped after" in m.value for m in at.markdown)
    assert not list(workspace.datasets.folder.glob(".halfway*"))


def test_a_colour_is_picked_and_kept(workspace, open_page) -> None:
    at = open_page("dataset", dataset="tiny", show="Classes")
    name = workspace.datasets.open("tiny").label_set.class_names[1]
    at.selectbox(key="color_of").select(name).run()
    at.color_picker[0].pick("#123456").run()
    at.button(key="use_color").click().run()
    assert not at.exception
    assert [
        c.color for c in workspace.datasets.open("tiny").label_set.classes if c.name == name
    ] == [(0x12, 0x34, 0x56)]


def test_an_import_is_looked_at_first_and_a_set_exported(workspace, open_page, tmp_path) -> None:
    at = open_page("dataset", dataset="tiny", **{"import": "dataset"})
    at.text_input(key="export_folder").set_value(str(tmp_path / "out")).run()
    at.button(key="export").click().run()
    assert not at.exception and (tmp_path / "out" / "classes.csv").is_file()
    next(t for t in at.text_input if t.label == "Folder or archive").set_value(
        str(tmp_path / "out")
    ).run()
    button(at, "Preview").click().run()
    assert any("12 images" in m.value and "train 6" in m.value for m in at.markdown)
    assert workspace.datasets.names() == ["tiny"]


def test_a_missing_folder_is_told_in_a_sentence(open_page, tmp_path) -> None:
    at = open_page("dataset", dataset="tiny", **{"import": "dataset"})
    next(t for t in at.text_input if t.label == "Folder or archive").set_value(
        str(tmp_path / "none")
    ).run()
    button(at, "Preview").click().run()
    assert not at.exception and at.error
    assert button(at, "Preview") and not at.get("progress")  # the form is still there, and the page
    assert any("**tiny**" in m.value for m in at.markdown)


def test_a_damaged_label_map_is_told_below_the_classes(workspace, open_page) -> None:
    folder = workspace.datasets.folder / "tiny" / "label_maps"
    folder.mkdir()
    (folder / "spoilt.json").write_text("{")
    at = open_page("dataset", dataset="tiny", show="Classes")
    assert "spoilt" in at.warning[0].value and button(at, "Use colour-blind-safe colours")


def test_folds_are_written_as_data_sets_and_a_change_of_splits_is_undone(
    workspace, open_page, made_up
) -> None:
    at = open_page("dataset", dataset="tiny", show="Splits")
    before = workspace.datasets.open("tiny").fingerprint
    at.button_group(key="split_kind").set_value("K-fold").run()
    at.number_input(key="split_folds").set_value(3)
    button(at, "Preview splits").click().run()
    assert not at.exception and workspace.datasets.names() == ["tiny"]
    button(at, "Save 3 folds").click().run()
    assert not at.exception and workspace.datasets.names() == [
        "tiny",
        "tiny-fold-1",
        "tiny-fold-2",
        "tiny-fold-3",
    ]
    assert workspace.datasets.open("tiny-fold-2").splits == ["train", "validation", "test"]
    assert list(
        next(d.value for d in at.dataframe if "fold" in d.value.columns)["fold"]
    ) == workspace.splits.folds_of("tiny")
    workspace.datasets.make_splits("tiny", "random", {"train": 0.5, "test": 0.5}, 3)
    at.run()
    button(at, "Undo splits").click().run()
    assert workspace.datasets.open("tiny").fingerprint != before  # asked first
    at.button(key="confirm_undo_splits").click().run()
    assert not at.exception and workspace.datasets.open("tiny").fingerprint == before


def test_undoing_splits_that_runs_were_trained_on_warns_first(trained, open_page) -> None:
    trained.workspace.datasets.make_splits("tiny", "random", {"train": 0.5, "test": 0.5}, 3)
    at = open_page("dataset", dataset="tiny", show="Splits")
    button(at, "Undo splits").click().run()
    words = " ".join(m.value for m in at.markdown)
    assert (
        "were trained on the current splits" in words
        and "Every sample gets its split of before" in words
    )


def test_a_grouped_preview_names_the_groups(workspace, open_page, read) -> None:
    dataset = workspace.datasets.open("tiny")
    samples = tuple(replace(s, group=f"Tile {i // 3 + 1}") for i, s in enumerate(dataset.samples))
    replace(dataset, samples=samples).save()
    at = open_page("dataset", dataset="tiny", show="Splits")
    assert at.selectbox(key="split_method").value == "grouped"  # what suits these images
    read.check(at.selectbox(key="split_method").set_value("stratified").run())
    assert "split_groups" not in {box.key for box in at.selectbox}
    read.check(at.selectbox(key="split_method").set_value("grouped").run())
    assert at.selectbox(key="split_groups").options[0] == "Auto-detect: folders"
    read.check(button(at, "Preview splits").click().run())
    lines = next(m.value for m in at.markdown if "**train**: " in m.value).split("  \n")
    assert sorted(name for line in lines for name in re.findall(r"Tile \d", line)) == [
        f"Tile {t}" for t in range(1, 5)
    ]
    assert lines[2].startswith("**test**: Tile") and "25.0 % of the images, 15 % asked" in lines[2]
    assert any("A single group in validation, test" in c.value for c in at.caption)
    read.check(button(at, "Save splits").click().run())
    assert at.selectbox(key="shift_groups").value == "folder"


def test_classes_are_merged_step_by_step_and_taken_back(workspace, open_page) -> None:
    at = open_page("dataset", dataset="tiny", show="Classes")
    names = workspace.datasets.open("tiny").label_set.class_names
    for pair in (names[:2], names[1:3]):  # the second step takes the first along
        at.text_input(key="map_name").set_value("coarse")
        at.multiselect(key="map_classes").set_value(pair)
        button(at, "Merge classes").click().run()
        assert not at.exception and not at.error
    assert workspace.datasets.open("tiny").load_label_map("coarse").groups == ((0, 1, 2), (3,))
    at.button(key="undo_coarse").click().run()
    assert workspace.datasets.open("tiny").load_label_map("coarse").groups == ((0, 1), (2,), (3,))
    at.button(key="undo_coarse").click().run()
    assert not at.exception and workspace.datasets.open("tiny").label_maps() == {}
    button(at, "Merge classes").click().run()
    assert "two or more classes" in at.error[0].value


def test_classes_named_by_their_colour_ask_for_a_name(workspace, open_page) -> None:
    dataset = workspace.datasets.open("tiny")
    first, *rest = dataset.label_set.classes
    named = (dataclasses.replace(first, name="#8429f6"), *rest)
    labels = dataclasses.replace(dataset.label_set, classes=named)
    dataclasses.replace(dataset, label_set=labels).save()
    at = open_page("dataset", dataset="tiny", show="Classes")
    assert "have no declared class: \\#8429f6." in at.info[0].value
    assert any("1 class named by a colour" in c.value for c in at.caption)


def edit_classes(monkeypatch, **changed: dict) -> None:
    """Let the table of classes come back with other cells, by class name."""
    monkeypatch.setattr(
        classes_tab,
        "_editor",
        lambda rows, key: [{**row, **changed.get(row["name"], {})} for row in rows],
    )


def test_a_name_given_twice_leaves_the_buttons_and_label_maps(open_page, monkeypatch) -> None:
    edit_classes(monkeypatch, road={"name": "roof"})
    at = open_page("dataset", dataset="tiny", show="Classes")
    assert "once" in at.error[0].value and button(at, "Save classes").disabled
    assert any("Label maps" in s.value for s in at.subheader)


def test_names_that_differ_in_case_only_are_warned_of(open_page, monkeypatch) -> None:
    edit_classes(monkeypatch, road={"name": "Roof"})
    at = open_page("dataset", dataset="tiny", show="Classes")
    (words,) = [w.value for w in at.warning]
    assert "Roof" in words and "differ in case or spaces only" in words
    assert not button(at, "Save classes").disabled


def test_rewriting_masks_says_that_the_users_own_files_stay(open_page, monkeypatch) -> None:
    edit_classes(monkeypatch, road={"ignored": True})
    at = open_page("dataset", dataset="tiny", show="Classes")
    assert "Your own files stay as they are" in at.warning[0].value
    assert button(at, "Save classes").disabled and "to save" in at.checkbox[0].label


def test_an_ignored_class_shows_its_share_of_the_pixels(workspace, open_page, monkeypatch) -> None:
    dataset = workspace.datasets.open("tiny")
    before = workspace.datasets.statistics("tiny")
    pixels = dict(zip(dataset.label_set.class_ids, before.pixels, strict=True))
    gone, *kept = dataset.label_set.classes
    workspace.datasets.relabel("tiny", LabelSet(tuple(kept), (*dataset.label_set.ignored, gone)))
    shown = []
    monkeypatch.setattr(classes_tab, "_editor", lambda rows, key: shown.extend(rows) or rows)
    open_page("dataset", dataset="tiny", show="Classes")
    everything = before.pixels.sum() + before.ignored.sum()
    (row,) = [row for row in shown if row["id"] == gone.id]
    assert row["ignored"] and row["share"] == pytest.approx(100 * pixels[gone.id] / everything)


def test_a_long_list_of_images_is_searched(workspace, open_page, read) -> None:
    dataset = workspace.datasets.open("tiny")
    many = [
        dataclasses.replace(s, id=f"{s.id}-{n:04d}") for s in dataset.samples for n in range(250)
    ]
    dataclasses.replace(dataset, samples=tuple(many)).save()
    at = open_page("dataset", dataset="tiny", sample="test/scene_2-0249")
    assert len(at.selectbox(key="sample").options) == session.LISTED_IMAGES
    assert at.selectbox(key="sample").value == "test/scene_2-0249"
    read.check(at.text_input(key="named").set_value("-0007").run())
    assert len(at.selectbox(key="sample").options) == 12


def test_a_dataset_is_deleted_after_a_question(trained, open_page, read) -> None:
    at = open_page("dataset", dataset="tiny")
    read.check(at.button(key="delete_dataset").click().run())
    words = " ".join(m.value for m in at.markdown)
    assert "cannot be undone" in words and f"{len(trained.workspace.runs.ids())} runs stay" in words
    read.check(at.button(key="cancel_delete_dataset").click().run())
    assert trained.workspace.datasets.names() == ["tiny"]
    read.check(at.button(key="delete_dataset").click().run())
    read.check(at.button(key="confirm_delete_dataset").click().run())
    assert trained.workspace.datasets.names() == [] and trained.workspace.runs.ids()
