"""Every method of a workspace's parts either only reads, or refuses a viewer and is noted."""

import inspect
import string

import pytest

from segcore import acting
from segcore.acting import Person
from segcore.config import TrainConfig
from segcore.errors import SegcoreError
from segcore.workspace import Workspace
from segcore.workspace.history import History
from segcore.workspace.rights import note_in, writes

VIEWER, EDITOR = Person("bert@example.org", "viewer"), Person("anna@example.org")

READS = {
    "datasets": (
        "appearance check_is_there copies counts_by_sample drawn_by health holding ignored_pixels instances "
        "interrupted_imports interval_groups names open plan_balance repeated rows shift split_choice statistics"
    ),
    "runs": (
        "backends check check_classes check_split dataset_of derived devices engines ids is_current kin members "
        "newest on_split open prediction_of refresh refusal resolve rows saved_as splits_of wait"
    ),
    "bands": "channels display figures",
    "pool": "images",
    "label_next": "members suggest unpredicted",
    "proposals": "available cut fill find",
    "tags": "counts matching of",
    "splits": "crops fold_scores folds_of history report trained_on",
    "queue": "cluster_workers rows worker",
    "schedulers": "installed report template",
    "annotations": "bytes_of notes trash",
    "launch": "augmented conflicts estimate image_range image_size members plan_mismatch suggest",
    "throughput": "epoch_images epoch_seconds expected status wait",
    "doctor": "kept last notice refusal start_where_unchecked verdict",
    "configs": "clone command load names parse search_command",
    "monitor": ("bands best_epoch is_current label_set mask_history masks_at starts table usage"),
    "exports": "missing",
    "scores": (
        "choice chosen_here compare counts coverage drawn_by ensemble "
        "evaluate_folders has_counts holder label_set plan_test report sample_ids seen stages "
        "stamp usual_stage"
    ),
    "probability_storage": "check_room estimate has_any stored",
    "scenes": (
        "crf_mask dataset_of disagreement has_probabilities image label_map_of "
        "predicted_samples prediction probabilities require_crf stored_mask truth unsureness"
    ),
    "masks": ("difference edited edited_since history open proposal proposers version"),
    "recounts": "outdated scored_masks",
    "mask_changes": "since",
    "learning_curves": "curve runs sizes",
    "retrainings": "gain of work",
    "rankings": "fixed_broken mask offered order unsureness",
    "pixel_metrics": (
        "borders cached cached_scaled fitted learned measure samples scaled suspects suspicion"
    ),
    "fixes": "regions stamp work_list",
    "robustness": "corruptions example result stamp started",
    "reports": (
        "brightness compare document facts grouping page predicted reliability repetitions reports "
        "sizes spread"
    ),
    "merges": "confused_pairs examples hierarchy judge label_map null_band saved what_if",
    "tiers": "can_sum compare is_summed retrained summed_mask",
    "ensembles": (
        "against_members candidates combined groups is_stale mixed_views names predicted splits subsets "
        "subsets_run unnamed_twin"
    ),
    "one_networks": "check_average made_of members sources student",
    "network_verdicts": "calibrate is_calibrated is_ready verdict",
    "crf": (
        "applied layered member_probabilities refine scene search search_run searches stored "
        "verdict"
    ),
    "predictions": (
        "answer_folder can_predict close crf_mask display exported is_predicted key label_set learned_bands model "
        "predict predict_all probabilities raster_look scene_rows shown_image summary "
        "training_scale warm"
    ),
    "scene_predictions": "kept look place_of",
    "back_offs": (
        "answers calibrate files is_calibrated is_counted own_answers own_files report tree unseen"
    ),
    "searches": "ids open",
    "ablations": "cells find names open plan progress read shipped table",
    "demo": "is_open opened",
    "checklist": "done note",
    "history": "actions",
    "batches": "image image_path open shown_path values_path",
}
"""What only looks, or computes what is looked at: a viewer may do it. Anything else has ``@writes``."""


def parts(workspace):
    """The parts of a workspace by name."""
    found = {name: part for name, part in vars(workspace).items() if name != "folder"}
    return found | {"batches": workspace.predictions.batches}


def methods(part):
    """The public methods of a part by name; of each what its class holds."""
    members = inspect.getmembers(type(part), callable)
    return {name: method for name, method in members if not name.startswith("_")}


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    return Workspace(tmp_path_factory.mktemp("workspace"))


def test_every_method_is_declared(empty):
    undeclared, gone = [], []
    for name, part in parts(empty).items():
        own = methods(part)
        reading = set(READS.get(name, "").split())
        writing = {method for method, function in own.items() if hasattr(function, "doing")}
        assert not reading & writing, f"{name}: declared twice"
        undeclared += [f"{name}.{method}" for method in set(own) - reading - writing]
        gone += [f"{name}.{method}" for method in reading - set(own)]
    assert not undeclared, "mark it with @writes, or add it to READS if it only looks"
    assert not gone and not set(READS) - set(parts(empty))


def test_each_writing_method_refuses_a_viewer_before_it_does_anything(empty):
    before = sorted(path for path in empty.folder.rglob("*"))
    for part in parts(empty).values():
        for method, function in methods(part).items():
            if not hasattr(function, "doing"):
                continue
            needed = [
                parameter
                for parameter in inspect.signature(function).parameters.values()
                if parameter.default is parameter.empty and parameter.name != "self"
            ]
            kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
            needed = [parameter for parameter in needed if parameter.kind not in kinds]
            words = {p.name: None for p in needed if p.kind is p.KEYWORD_ONLY}
            places = [None for p in needed if p.kind is not p.KEYWORD_ONLY]
            with (
                acting.acting_as(VIEWER),
                pytest.raises(SegcoreError, match=r"Expected an editor to .* is a viewer"),
            ):
                getattr(part, method)(*places, **words)
    assert sorted(path for path in empty.folder.rglob("*")) == before


def test_what_is_noted_names_parameters_of_the_method(empty):
    for name, part in parts(empty).items():
        for method, function in methods(part).items():
            fields = {
                field
                for _, field, _, _ in string.Formatter().parse(getattr(function, "note", ""))
                if field
            }
            known = {*inspect.signature(function).parameters, "result"}
            assert fields <= known, f"{name}.{method}: {fields - known}"


class Shelf:
    """A part with one method that calls another."""

    def __init__(self, workspace):
        note_in(History(workspace), self)

    @writes("put a book", "Put {book} on the shelf")
    def put(self, book, fail=False):
        if fail:
            raise SegcoreError("The shelf is full: take one away.")

    @writes("put books", "Put {books}: {result}")
    def fill(self, books):
        for book in books:
            self.put(book)
        return "done"

    @writes("put books one by one")
    def each(self, books):
        for book in books:
            self.put(book)

    @writes("sort the shelf", "Sorted the shelf")
    def sort(self, save=True):
        return "sorted"


def test_what_an_editor_did_is_noted_once_and_only_when_it_was_done(tmp_path):
    shelf, history = Shelf(tmp_path), History(tmp_path)
    with acting.acting_as(EDITOR):
        shelf.put(book="Börne")
        with pytest.raises(SegcoreError, match="full"):
            shelf.put("Heine", fail=True)
        shelf.fill([f"b{number}" for number in range(7)])
        shelf.each(["c1", "c2"])
        shelf.put("x" * 300)
    with acting.acting_as(VIEWER):
        assert shelf.sort(save=False) == "sorted", "a look is everyone's"
        with pytest.raises(SegcoreError, match="sort the shelf"):
            shelf.sort()
    lines = [action.what for action in reversed(history.actions())]
    assert lines[:4] == [
        "Put Börne on the shelf",
        "Put b0, b1, b2, b3, b4 and 2 more: done",
        "Put c1 on the shelf",
        "Put c2 on the shelf",
    ]
    assert len(lines) == 5 and len(lines[4]) < 200
    assert {action.who for action in history.actions()} == {"anna@example.org"}
    assert history.actions()[0].call == "Shelf.put"


def test_the_history_is_read_from_its_end_and_survives_damage(tmp_path):
    shelf, history = Shelf(tmp_path), History(tmp_path)
    assert history.actions() == []
    for number in range(1200):
        shelf.put(f"{number}-" + "y" * 80)
    with open(history.path, "ab") as file:
        file.write(b'{"time": 1, "who"\n\xff\n[]\n{"time": "x"}\n')
    shelf.put("last")
    assert history.actions(2)[0].what == "Put last on the shelf"
    assert len(history.actions(5000)) == 1201
    assert [a.what[:7] for a in history.actions(3, "put 11")] == ["Put 119", "Put 119", "Put 119"]
    assert history.actions(3, containing="NOBODY") == []


def test_the_command_line_acts_as_the_user_of_the_machine(workspace):
    workspace.configs.save("mine", TrainConfig("tiny"))
    (action,) = workspace.history.actions(1)
    assert action.what == "Saved the config mine"
    assert action.who == acting.of_this_machine().name
