"""The form that starts a study of recipes: which study, on which datasets, with which weights files and seeds."""

import dataclasses
import json

import streamlit as st

from segcore.config.ablation import Ablation, ablation_from_json
from segcore.errors import SegcoreError
from segcore.ui.shared import session

OWN = "Upload a template"


def show() -> None:
    """Draw the form; starts the study where that is asked for."""
    study = _study()
    if study is None:
        return
    if study.about:
        st.caption(study.about)
    workspace, kept = session.workspace(), _kept(study.name)
    known = workspace.datasets.names()
    elsewhere = st.session_state.get("dataset")
    usual = [name for name in kept[0] if name in known] or (
        [elsewhere] if elsewhere in known else known[:1]
    )
    left, right = st.columns([3, 2], gap="large")
    with left:
        datasets = st.multiselect(
            "Datasets",
            known,
            default=usual,
            key=f"study_datasets_{study.name}",
            help=(
                "Several datasets, such as the folds of one, are pooled: each pair is then a "
                "dataset and a seed. They must have the same classes."
            ),
        )
        weights: dict[str, str] = {}
        for name in study.file_names:
            path = st.text_input(
                f"Weights file: {study.files.get(name, name)}",
                value=kept[1].get(name, ""),
                placeholder="path on this machine; leave empty to skip the variants that need it",
                key=f"study_weights_{study.name}_{name}",
            ).strip()
            weights |= {name: path} if path else {}
    with right:
        seeds = st.multiselect(
            "Seeds",
            range(max(10, *study.seeds, 0) + 1),
            default=list(study.seeds),
            key=f"study_seeds_{study.name}",
            help=(
                "Seeds for every variant. Two seeds show only large differences; you can add "
                "more later."
            ),
        )
        rows = st.multiselect(
            "Variants",
            [row.name for row in study.rows],
            key=f"study_rows_{study.name}",
            placeholder="all",
            help=(
                "Run only these variants, with the baseline and whatever they are compared "
                "with. None selected: all."
            ),
        )
    try:
        plan = workspace.ablations.plan(
            dataclasses.replace(study, seeds=tuple(seeds)), datasets, weights
        )
        progress = workspace.ablations.progress(plan)
    except SegcoreError as error:
        st.info(str(error), icon=":material/info:")
        return
    st.caption(
        f"{len(study.rows)} variants plus baseline. Models still to train: "
        f"{progress.to_train}. Existing runs are reused."
    )
    if st.button("Start ablation", icon=":material/play_arrow:", type="primary", key="study_start"):
        with session.errors_shown():
            queued = workspace.ablations.start(plan, rows)
        st.session_state["recipe_study"] = plan.name
        st.toast(
            f"{len(queued)} runs queued" if queued else "All its runs exist already or are running"
        )
        st.rerun()


def _study() -> Ablation | None:
    """Let the user choose a study that comes along, one of this workspace, or a file; None while there is none."""
    shelf = session.workspace().ablations
    started = [name for name in shelf.names() if name.split("--")[0] not in shelf.shipped()]
    options = [*shelf.shipped(), *started, OWN]
    chosen = session.choose_from(
        "Template",
        options,
        "study_file",
        help="docs/ablations.md describes the format; any template is a good starting point.",
    )
    if chosen != OWN:
        with session.errors_shown():
            study = shelf.open(chosen).study if chosen in started else shelf.read(chosen)
        st.download_button(
            "Download template",
            json.dumps(study.to_json(), indent=1),
            file_name=f"{study.name}.json",
            icon=":material/download:",
            key="study_download",
        )
        return study
    given = st.file_uploader("Ablation template", type="json", key="study_upload")
    if given is None:
        return None
    with session.errors_shown():
        try:
            return ablation_from_json(json.loads(given.getvalue()))
        except ValueError as error:
            raise SegcoreError(
                "Expected an ablation as JSON, received something else: see docs/ablations.md "
                "for the format."
            ) from error


def _kept(name: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the datasets and weights files that a study of that name was started with, those of the first of several."""
    shelf = session.workspace().ablations
    for kept in shelf.names():
        if kept.split("--")[0] == name:
            try:
                plan = shelf.open(kept)
            except SegcoreError:
                continue
            return plan.datasets, plan.weights
    return (), {}
