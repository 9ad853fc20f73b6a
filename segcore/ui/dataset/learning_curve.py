"""The learning curve on the tab Label next: what more labelled images should bring."""

import plotly.graph_objects as go
import streamlit as st

from segcore.data.dataset.dataset import Dataset
from segcore.evaluation.comparison.learning_curve import (
    FARTHEST,
    FEWEST,
    LearningCurve,
    usual_more,
)
from segcore.labels import plural
from segcore.runs.folder.status import QUEUED_OR_ACTIVE
from segcore.ui.shared import manual, run_progress, session
from segcore.ui.shared.charts.layout import ACCENT, QUIET, lay_out
from segcore.ui.shared.dataset_scans import table_behind
from segcore.workspace.learning_curves import CurveRun

SEEDS = 3


def show(dataset: Dataset) -> None:
    """Draw the curve of a run, or offer to train one."""
    st.subheader("Learning curve", anchor=False)
    runs = session.finished_runs(("train",), dataset.name)
    if not runs or not dataset.splits:
        st.caption(
            "Train a network first: a learning curve trains its recipe on parts of its images."
        )
        return
    curves = session.workspace().learning_curves
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    with left:
        run = session.choose_model("Recipe of", runs, "curve_run")
    with right:
        split = session.choose_split(dataset.splits, key="curve_split")
    with session.errors_shown():
        known = curves.runs(run, split)
    if not known:
        _offer(run)
        return
    active = [one.run for one in known if one.state in QUEUED_OR_ACTIVE]
    if active and not run_progress.follow(active, "Training", "curve"):
        return
    if not _scored(run, split, known):
        return
    _curve(run, split, known)


def _offer(run: str) -> None:
    """Offer to train a recipe on parts of its images."""
    curves = session.workspace().learning_curves
    with session.errors_shown():
        usual = curves.sizes(run)
    sizes = st.text_input(
        "Training images",
        ", ".join(map(str, usual)),
        key="curve_sizes",
        help=f"{FEWEST} numbers or more. A larger subset holds the smaller ones.",
    )
    numbers = [int(part) for part in sizes.replace(",", " ").split() if part.isdigit()]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        seeds = int(st.number_input("Seeds", 1, 10, SEEDS, key="curve_seeds", help="1 to 10."))
        if st.button(
            f"Train {plural(len(numbers) * seeds, 'run')}",
            icon=":material/play_arrow:",
            key="curve_start",
            help="The same recipe and epochs on fewer images, in the queue.",
        ):
            with session.errors_shown():
                curves.start(run, numbers, seeds)
            st.rerun()


def _scored(run: str, split: str, known: tuple[CurveRun, ...]) -> bool:
    """Return whether there are enough scores; offer to predict what is missing."""
    missing = [one for one in known if one.state == "finished" and not one.scored]
    waited = [f"{one.run}--{split}" for one in missing]
    there = set(session.workspace().runs.ids())
    if any(name in there for name in waited):
        if not run_progress.follow([n for n in waited if n in there], "Predicting", "curve_split"):
            return False
    elif missing and st.button(
        f"Predict {split} with {plural(len(missing), 'run')}",
        icon=":material/play_arrow:",
        key="curve_predict",
    ):
        with session.errors_shown():
            session.workspace().learning_curves.predict(run, split)
        st.rerun()
    return len({one.size for one in known if one.scored}) >= FEWEST


def _curve(run: str, split: str, known: tuple[CurveRun, ...]) -> None:
    largest = max(one.size for one in known if one.scored)
    more = int(
        st.number_input(
            "More images",
            1,
            (FARTHEST - 1) * largest,
            usual_more(largest),
            key="curve_more",
            help=f"At most {(FARTHEST - 1) * largest}: a curve is not followed beyond twice its data.",
        )
    )
    scores = session.workspace().scores
    stamp = " ".join(scores.stamp(one.run, split) for one in known if one.scored)
    with session.errors_shown():
        curve = _fitted(run, split, more, stamp)
    st.markdown(f"**{curve.sentence}**", help=manual.see("score(n) = a - b n^-c", "label-next"))
    st.plotly_chart(
        _chart(curve, split), key="curve", config=session.CHART, alt="Score by training images"
    )
    rows = [
        {"training images": size, "seed": number, "mean IoU": round(score, 5)}
        for size, own in zip(curve.sizes, curve.scores, strict=True)
        for number, score in enumerate(own)
    ]
    table_behind(rows, f"{run}-learning-curve")


@st.cache_resource(max_entries=16, show_spinner="Fitting …")
def _fitted(run: str, split: str, more: int, stamp: str) -> LearningCurve:
    return session.workspace().learning_curves.curve(run, split, more)


def _chart(curve: LearningCurve, split: str) -> go.Figure:
    """Draw the runs, the fit and its interval; what is predicted is dashed."""
    figure = go.Figure()
    size, value, low, high = curve.line.T
    figure.add_trace(
        go.Scatter(
            x=[*size, *size[::-1]],
            y=[*(100 * high), *(100 * low[::-1])],
            fill="toself",
            line={"width": 0},
            fillcolor=QUIET,
            opacity=0.25,
            name="95 % interval",
            hoverinfo="skip",
        )
    )
    seen = size <= max(curve.sizes)
    for name, part, dash in (("fit", seen, "solid"), ("predicted", ~seen, "dash")):
        figure.add_trace(
            go.Scatter(
                x=size[part],
                y=100 * value[part],
                mode="lines",
                line={"color": ACCENT, "dash": dash},
                name=name,
            )
        )
    figure.add_trace(
        go.Scatter(
            x=[n for n, own in zip(curve.sizes, curve.scores, strict=True) for _ in own],
            y=[100 * score for own in curve.scores for score in own],
            mode="markers",
            marker={"color": ACCENT, "size": 7},
            name="runs",
        )
    )
    lay_out(
        figure,
        380,
        xaxis={"title": {"text": "Training images"}},
        yaxis={"title": {"text": f"Mean IoU on {split}, %"}},
    )
    return figure
