"""The CRF on a split: search, verdict, gains by class and distance, check elsewhere."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from segcore import formatting
from segcore.catalog import CRF_OBJECTIVES
from segcore.config import CRFSearchConfig
from segcore.evaluation.metrics.report import plain
from segcore.ui.compare import panels
from segcore.ui.ensemble import charts, crf_image, selection
from segcore.ui.ensemble.selection import Choice
from segcore.ui.shared import manual, run_links, run_progress, session, tables
from segcore.workspace.ensembles.results import CRFSearchResult, StepScores


def show(choice: Choice, split: str, splits: list[str]) -> None:
    """Draw the search over a split and its result."""
    workspace = session.workspace()
    st.subheader(f"CRF search on {split}", anchor=False)
    missing = panels.crf_missing(workspace)
    if missing:
        st.warning(missing, icon=":material/info:")
        return
    selection.keep_test(split, splits)
    run = _search(choice, split)
    if not run or not run_progress.follow([run], "Searching", "crf"):
        return
    with session.errors_shown():
        result = workspace.crf.search(run)
    if result.is_stale:
        st.warning("Predictions changed; run the search again.", icon=":material/warning:")
    _verdict(result)
    _charts(result)
    _alternatives(result, choice)
    _apply(result, run, splits)


def _search(choice: Choice, split: str) -> str | None:
    """Ask for a search, start it where that is asked for, and return the run to show, if any.

    That is the search of these very settings, or else the latest one over the same members.
    """
    crf = session.workspace().crf
    one, two, three = st.columns([2, 3, 2], vertical_alignment="bottom")
    with session.errors_shown():
        config = _ask(choice, split, one, two)
        run = crf.search_run(config)
    if three.button(
        "Search again" if run else "Search CRF parameters",
        type="secondary" if run else "primary",
        icon=":material/travel_explore:",
        key="crf_search",
        width="stretch",
    ):
        with session.errors_shown():
            crf.start(config)
        st.rerun()
    if run:
        return run
    st.caption(
        "The temperature is fitted first; then random candidates are narrowed down by "
        "successive halving, always compared with no CRF and with plain filters. The "
        "search runs in the background and can be stopped and resumed."
    )
    older = [r for r in crf.searches(choice.members) if r.endswith(f"--{split}")]
    if not older:
        return None
    st.caption(f"Showing the latest search over these members, {older[0]}.")
    return older[0]


def _ask(
    choice: Choice, split: str, left: DeltaGenerator, right: DeltaGenerator
) -> CRFSearchConfig:
    """Ask for the number of candidates and the objective.

    Raises:
        SegcoreError: The members cannot be searched together.
    """
    with left:
        candidates = int(
            st.number_input(
                "Candidates",
                0,
                200,
                24,
                key="crf_candidates",
                help="Number of random CRFs in addition to the default one.",
            )
        )
    with right:
        objective = st.segmented_control(
            "Objective",
            list(CRF_OBJECTIVES),
            default="mean_iou",
            format_func=lambda o: CRF_OBJECTIVES[o].title,
            key="crf_objective",
            required=True,
        )
    return CRFSearchConfig(
        choice.dataset,
        choice.members,
        split,
        choice.rule,
        choice.weights,
        candidates=candidates,
        objective=str(objective),
    )


def _verdict(result: CRFSearchResult) -> None:
    cards = st.columns(4)
    off, crf = result.off, result.crf
    rows = (
        ("Mean IoU with best CRF", off.mean_iou, crf.mean_iou, crf.mean_iou_gain),
        ("Boundary IoU with best CRF", off.boundary_iou, crf.boundary_iou, crf.boundary_iou_gain),
    )
    for card, (title, without, score, gain) in zip(cards, rows, strict=False):
        card.metric(
            title,
            formatting.percent(score),
            None if plain(gain.value) is None else formatting.points(gain.value),
            border=True,
            height="stretch",
            help=manual.see(
                f"Without CRF: {formatting.percent(without)}. "
                + (
                    f"{100 * gain.level:g} % interval "
                    f"{formatting.points_interval(gain.low, gain.high)}."
                    if gain.is_known
                    else ""
                ),
                "metrics#ensembles-and-the-crf",
            ),
        )
    cards[2].metric(
        "Recommended",
        "off" if result.recommends_off else "best CRF",
        border=True,
        height="stretch",
        help=manual.see(
            "No CRF, unless a candidate scores higher on the objective over all images.",
            "metrics#ensembles-and-the-crf",
        ),
    )
    cards[3].metric(
        "Temperature",
        f"{result.temperature:.2f}",
        border=True,
        height="stretch",
        help=manual.see(
            (
                "What the logits are divided by, fitted to the lowest log loss. Above 1: the "
                "ensemble was over-confident."
            ),
            "metrics#near-borders-and-probabilities",
        ),
    )
    for sentence in result.sentences:
        st.info(sentence, icon=":material/gavel:")
    st.caption(f"From {result.num_samples} images of {result.split}.")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Best CRF: {charts.describe(result.parameters)}.")
        st.button(
            "Show on image",
            on_click=crf_image.take_parameters,
            args=(result.parameters,),
            key="crf_take",
            icon=":material/visibility:",
        )


def _charts(result: CRFSearchResult) -> None:
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**By class**")
        classes = result.classes
        figure = charts.gains(
            [c.name for c in classes],
            [plain(c.gain.value) for c in classes],
            [c.gain.ends() for c in classes],
            "change in IoU, pp",
        )
        st.plotly_chart(
            figure,
            key="crf_classes",
            config=session.CHART,
            alt="Change in IoU of each class, with its interval",
        )
    with right:
        st.markdown("**By distance to a true boundary**")
        figure = charts.changes_by_distance(result.distances)
        st.plotly_chart(
            figure,
            key="crf_distances",
            config=session.CHART,
            alt="Pixels fixed and broken by distance to a true boundary",
        )


def _alternatives(result: CRFSearchResult, choice: Choice) -> None:
    st.markdown("**Alternatives**")
    _beside(result, choice)
    with st.expander("Show every candidate against no CRF, on the same images"):
        figure = charts.candidate_gains(result)
        st.plotly_chart(
            figure,
            key="crf_candidates_chart",
            config=session.CHART,
            alt="Gain of each candidate over no CRF",
        )


def _beside(result: CRFSearchResult, choice: Choice) -> None:
    rows: list[dict[str, float | str | None]] = [
        _row("No CRF", result.off),
        _row("Best CRF", result.crf),
        *(_row(a.title, a.scores) for a in result.alternatives),
    ]
    with session.errors_shown():
        layered = session.workspace().crf.layered(choice.dataset, result.split)
    rows += [
        {"post-processing": f"CRF as a layer: {run}", "mean IoU": score}
        for run, score in layered.items()
    ]
    share = st.column_config.NumberColumn
    tables.draw(
        rows,
        column_config={
            "mean IoU": share(format="percent", help=manual.MEAN_IOU),
            "boundary IoU": share(
                format="percent", help="IoU of the pixels near the contours only."
            ),
            "gain": st.column_config.TextColumn(
                "gain in mean IoU, pp", help="With its 95 % interval, paired by image"
            ),
            "boundary gain": st.column_config.TextColumn(
                "gain in boundary IoU, pp", help="With its 95 % interval, paired by image"
            ),
        },
        alt="The CRF compared with plain filters",
    )


def _row(title: str, scores: StepScores) -> dict[str, float | str | None]:
    written = {}
    for name, gain in (
        ("gain", scores.mean_iou_gain),
        ("boundary gain", scores.boundary_iou_gain),
    ):
        written[name] = "" if title == "No CRF" or plain(gain.value) is None else gain.points()
    return {
        "post-processing": title,
        "mean IoU": scores.mean_iou,
        "boundary IoU": scores.boundary_iou,
        **written,
    }


def _apply(result: CRFSearchResult, run: str, splits: list[str]) -> None:
    workspace = session.workspace()
    others = [s for s in splits if s != result.split]
    if not others:
        return
    st.subheader("Check on another split", anchor=False)
    one, two, three = st.columns([2, 3, 2], vertical_alignment="bottom")
    with one:
        split = session.choose_split(others, key="apply_split", label="Apply to")
    with two:
        titles = {
            "none": "no filter",
            **{str(i): a.title for i, a in enumerate(result.alternatives)},
        }
        beside = st.selectbox(
            "Also score", list(titles), format_func=lambda k: titles[k], key="apply_filter"
        )
    plain = None if beside == "none" else result.alternatives[int(str(beside))].filter
    with session.errors_shown():
        applied = workspace.crf.applied(run, split, filter=plain)
    with three:
        label = f"Apply to {split}" if not applied else "Apply again"
        if st.button(
            label,
            type="secondary" if applied else "primary",
            icon=":material/play_arrow:",
            key="apply_crf",
            width="stretch",
        ):
            with session.errors_shown():
                workspace.crf.apply(run, split, filter=plain)
            st.rerun()
    if not applied or not run_progress.follow([applied], "Applying", "apply"):
        return
    for stage in ("crf", "filter") if plain else ("crf",):
        with session.errors_shown():
            verdict = workspace.crf.verdict(applied, split, stage).sentence
        if stage == "filter" and plain:
            verdict = verdict.replace("The CRF", plain.describe(), 1)
        (st.success if "helps" in verdict else st.error if "hurts" in verdict else st.info)(
            f"On {split}: {verdict}", icon=":material/gavel:"
        )
    with st.container(horizontal=True):
        query = {"run": applied, "split": split}
        run_links.compare_masks(query)
        run_links.evaluate({**query, "stage": "crf"})
