"""The form that starts an ablation: template, datasets, weights files, seeds and variants."""

import dataclasses
import json
from contextlib import suppress
from functools import partial

import streamlit as st

from segcore.config.ablation import Ablation, ablation_from_json
from segcore.errors import SegcoreError
from segcore.formatting import plural
from segcore.ui.shared import session, start_button
from segcore.ui.shared.page_words import on_page
from segcore.workspace.ablations.table import Plan

OWN = "Upload a template"


def show() -> None:
    """Draw the form; starts the ablation where that is asked for."""
    ablation = _template()
    if ablation is None:
        return
    st.caption(f"**{session.plain(ablation.title or ablation.name)}**. {ablation.about}")
    kept_datasets, kept_weights = _kept(ablation.name)
    one, two, three = st.columns([3, 2, 2])
    with one:
        datasets = _ask_datasets(ablation, kept_datasets)
    with two:
        seeds = _ask_seeds(ablation)
    with three:
        rows = st.multiselect(
            "Variants",
            [row.name for row in ablation.rows],
            key=f"study_rows_{ablation.name}",
            placeholder="all",
            help=(
                "Run only these variants, with the baseline and whatever they are compared "
                "with. None selected: all."
            ),
        )
    weights = _ask_weights(ablation, kept_weights)
    workspace = session.workspace()
    try:
        plan = workspace.ablations.plan(
            dataclasses.replace(ablation, seeds=tuple(seeds)), datasets, weights
        )
        progress = workspace.ablations.progress(plan)
    except SegcoreError as error:
        st.info(on_page(str(error)), icon=":material/info:")
        st.button(
            "Start ablation",
            key="study_start",
            disabled=True,
        )
        unsplit = next((name for name in datasets if _lacks_splits(name)), None)
        if unsplit:
            st.page_link(
                "pages/dataset.py",
                label=f"Create splits of {session.plain(unsplit)}",
                icon=":material/arrow_forward:",
                query_params={"dataset": unsplit, "show": "Splits"},
            )
        else:
            st.caption("Give what is missing above, or choose another template.")
        return
    st.caption(
        f"{plural(len(ablation.rows), 'variant')} plus baseline. Models still to train: "
        f"{progress.to_train}. Existing runs are reused."
    )
    start_button.draw(
        "Start ablation",
        "study_start",
        progress.to_train,
        partial(_seconds, plan, rows),
        partial(_start, plan, rows),
    )


def _lacks_splits(name: str) -> bool:
    """Whether a dataset has no splits; a damaged one is complained about elsewhere."""
    with suppress(SegcoreError):
        return not any(session.workspace().datasets.open(name).splits)
    return False


def _seconds(plan: Plan, rows: list[str]) -> float | None:
    """Return how long the trainings that are missing take, one after another; None if unknown."""
    cells = session.workspace().ablations.cells(plan)
    missing = {
        repr(config): config
        for name, own in cells.items()
        if not rows or name in rows
        for cell in own
        if not cell.missing
        for config, run in zip(cell.wanted, cell.runs, strict=True)
        if not run
    }
    return start_button.total_seconds(list(missing.values()))


def _ask_datasets(ablation: Ablation, kept: tuple[str, ...]) -> list[str]:
    """Ask for datasets; those of an earlier start are chosen, or else the current one."""
    known = session.workspace().datasets.names()
    current = st.session_state.get("dataset")
    usual = [name for name in kept if name in known] or (
        [current] if current in known else known[:1]
    )
    return st.multiselect(
        "Datasets",
        known,
        default=usual,
        key=f"study_datasets_{ablation.name}",
        help=(
            "Several datasets, such as the folds of one, are pooled: each pair is then a "
            "dataset and a seed. They must have the same classes."
        ),
    )


def _ask_weights(ablation: Ablation, kept: dict[str, str]) -> dict[str, str]:
    """Ask for the path of each weights file that variants need; return those that are given."""
    weights: dict[str, str] = {}
    columns = st.columns(2)
    for number, name in enumerate(ablation.file_names):
        path = (
            columns[number % 2]
            .text_input(
                f"Weights file: {ablation.files.get(name, name)}",
                value=kept.get(name, ""),
                placeholder="path; empty skips its variants",
                key=f"study_weights_{ablation.name}_{name}",
            )
            .strip()
        )
        weights |= {name: path} if path else {}
    return weights


def _ask_seeds(ablation: Ablation) -> list[int]:
    return st.multiselect(
        "Seeds",
        range(max(10, *ablation.seeds, 0) + 1),
        default=list(ablation.seeds),
        key=f"study_seeds_{ablation.name}",
        help=(
            "Seeds for every variant. Two seeds show only large differences; you can add "
            "more later."
        ),
    )


def _start(plan: Plan, rows: list[str]) -> None:
    """Queue the runs of an ablation, and show it when the page is drawn again."""
    queued = session.workspace().ablations.start(plan, rows)
    session.request("recipe_study", plan.name)
    st.toast(
        f"{plural(len(queued), 'run')} queued"
        if queued
        else "All its runs exist already or are running"
    )


def _template() -> Ablation | None:
    """Let the user choose a template or upload one; None while there is none."""
    ablations = session.workspace().ablations
    started = [name for name in ablations.names() if name.split("--")[0] not in ablations.shipped()]
    shipped = sorted(ablations.shipped(), key=_needs_gpu) if _cpu_only() else ablations.shipped()
    options = [*shipped, *started, OWN]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = session.choose_from(
            "Template",
            options,
            "study_file",
            help="docs/ablations.md describes the format; any template is a good starting point.",
        )
        if chosen != OWN:
            with session.errors_shown():
                ablation = (
                    ablations.open(chosen).ablation if chosen in started else ablations.read(chosen)
                )
            st.download_button(
                "Download template",
                json.dumps(ablation.to_json(), indent=1),
                file_name=f"{ablation.name}.json",
                icon=":material/download:",
                key="study_download",
            )
            return ablation
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


def _cpu_only() -> bool:
    """Return whether this machine has no GPU: the template for a CPU then comes first."""
    return all(device.id == "cpu" for device in session.workspace().runs.devices())


def _needs_gpu(name: str) -> bool:
    return not name.endswith("-cpu")


def _kept(name: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the datasets and weights files that an ablation was started with before."""
    ablations = session.workspace().ablations
    for kept in ablations.names():
        if kept.split("--")[0] == name:
            try:
                plan = ablations.open(kept)
            except SegcoreError:
                continue
            return plan.datasets, plan.weights
    return (), {}
