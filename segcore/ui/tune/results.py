"""One study as it goes: best so far, charts, trials, and the way from a trial to the train page."""

from typing import Any

import streamlit as st

from segcore.catalog import RUN_STATES
from segcore.runs.folder.status import ACTIVE, QUEUED_OR_ACTIVE
from segcore.ui.runs.detail import BADGES
from segcore.ui.shared import figures, manual, session, tables
from segcore.ui.tune import charts
from segcore.ui.tune.names import TRIAL_STATES, choice, setting, settings
from segcore.workspace.searches import Search, TrialRow

POLL_SECONDS = 2


def show(run: str) -> None:
    """Draw a study; it follows by itself while it is active."""
    with session.errors_shown():
        active = session.workspace().searches.open(run).status.state in QUEUED_OR_ACTIVE
    st.fragment(_show, run_every=POLL_SECONDS if active else None)(run, active)


def _show(run: str, was_active: bool) -> None:
    with session.errors_shown():
        study = session.workspace().searches.open(run)
    if was_active and study.status.state not in QUEUED_OR_ACTIVE:
        st.rerun()
    _head(study)
    _numbers(study)
    if not study.trials:
        st.info("The first trial has not begun yet.", icon=":material/hourglass_top:")
        return
    _charts(study)
    _table(study)
    _use(study)


def _head(study: Search) -> None:
    status, runs = study.status, session.workspace().runs
    color, icon = BADGES[status.state]
    with st.container(horizontal=True, vertical_alignment="center", key="study_head"):
        st.badge(RUN_STATES[status.state].title, color=color, icon=icon)  # type: ignore[arg-type]
        if status.state in QUEUED_OR_ACTIVE and st.button(
            "Stop",
            icon=":material/stop:",
            key="study_stop",
            help="Trials under way save a checkpoint and end; resuming takes them up again.",
        ):
            with session.errors_shown():
                runs.stop(study.run)
            st.rerun()
        if status.state in ("failed", "interrupted") and st.button(
            "Resume",
            icon=":material/resume:",
            key="study_resume",
            help="Finished trials are kept; the others go on from their checkpoints.",
        ):
            with session.errors_shown():
                runs.resume(study.run)
            st.rerun()
        st.page_link(
            "pages/runs.py",
            label="Its log and config",
            icon=":material/monitoring:",
            query_params={"run": study.run},
        )
    if status.cause:
        st.warning(status.cause, icon=":material/info:")
    if status.state in ACTIVE:
        left = (
            f", about {figures.duration(status.seconds_left)} left" if status.seconds_left else ""
        )
        st.progress(
            min(max(status.progress, 0.0), 1.0), text=f"{status.message or 'Starting'}{left}"
        )
        if status.is_silent():
            st.warning(
                (
                    "Its process has not written for three minutes: it may hang. Stop it, then "
                    "resume it."
                ),
                icon=":material/warning:",
            )


def _numbers(study: Search) -> None:
    best, first = study.best, study.trials[0] if study.trials else None
    one, two, three, four = st.columns(4)
    gain = None
    if (
        best
        and first
        and study.config.first_values
        and first.state == "complete"
        and best is not first
    ):
        gain = f"{best.percent - first.percent:+.2f} on trial 1"
    one.metric(
        "Best validation mean IoU",
        figures.percent(best.score if best else None),
        gain,
        border=True,
        height="stretch",
        help=manual.see(
            (
                "The highest that any trial reached. Trial 1 has the settings that the study "
                "began with, where they lie in its space."
            ),
            "data-measures#searching-settings",
        ),
    )
    two.metric(
        "Trials ended",
        f"{len(study.trials) - study.count('running')} of {study.config.planned}",
        f"{study.count('running')} under way" if study.count("running") else None,
        delta_color="off",
        delta_arrow="off",
        border=True,
        height="stretch",
        help=manual.see(
            "Trials that finished, were ended early or failed, of those planned.",
            "data-measures#searching-settings",
        ),
    )
    three.metric(
        "Ended early",
        study.count("pruned"),
        border=True,
        height="stretch",
        help=manual.see(
            "Poor trials that gave their time to others.", "data-measures#searching-settings"
        ),
    )
    four.metric(
        "Failed",
        study.count("failed"),
        border=True,
        height="stretch",
        help=manual.see(
            "The table says why; the study goes on without them.",
            "data-measures#searching-settings",
        ),
    )
    if best:
        st.markdown(
            f"**Trial {best.trial}** is the best so far: "
            f"{session.plain(settings(best.values, study.config.space.names))}."
        )


def _charts(study: Search) -> None:
    best = study.best
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Trials in order**")
        st.plotly_chart(
            charts.history(study.trials, study.config.planned),
            key="study_history",
            config=session.CHART,
            alt="Score of each trial, and the best so far",
        )
    with right:
        st.markdown("**Epoch by epoch**")
        figure = charts.epochs(study.trials, best.trial if best else None)
        st.plotly_chart(
            figure,
            key="study_epochs",
            config=session.CHART,
            alt="Validation mean IoU of each trial by epoch",
        )
    if study.count("complete") < 2:
        return
    left, right = st.columns([5, 3], gap="large")
    with left:
        st.markdown(
            "**From settings to score**",
            help="Each line is a finished trial, the best on top. Point at one for its settings.",
        )
        figure = charts.parallel(study.trials, study.config.space.names)
        st.plotly_chart(
            figure,
            key="study_parallel",
            config=session.CHART,
            alt="Each finished trial as a line through its settings to its score",
        )
    with right:
        st.markdown(
            "**What mattered**",
            help="How far the values of the better half of the finished trials lie from an even "
            "spread over the space, by PED-ANOVA "
            "(Watanabe, Bansal, Hutter, IJCAI 2023). With few trials take it as a hint.",
        )
        if study.importances:
            st.plotly_chart(
                charts.importances(study.importances),
                key="study_importance",
                config=session.CHART,
                alt="Share of each setting in the score",
            )
        else:
            st.caption("Told from five finished trials on.")


def _table(study: Search) -> None:
    best = study.best
    tables.draw(
        [_cells(row, study, best is not None and row.trial == best.trial) for row in study.trials],
        height=min(420, 38 + 35 * len(study.trials)),
        column_config={
            "mean IoU": st.column_config.NumberColumn(
                format="percent",
                help="Best on the validation split; of a trial that ended early, until then",
            ),
            "cause": st.column_config.TextColumn(width="large"),
            "learning rate": st.column_config.NumberColumn(format="scientific"),
        },
        alt="All trials",
    )


def _cells(row: TrialRow, study: Search, is_best: bool) -> dict[str, Any]:
    doing = row.doing or row.state
    values = {
        setting(name).lower(): row.values.get(name)
        if name in ("learning_rate", "batch_size")
        else choice(name, row.values.get(name, "–"))
        for name in study.config.space.names
    }
    return {
        "trial": row.trial,
        "state": ("★ " if is_best else "")
        + (TRIAL_STATES[row.state] if doing != "queued" else RUN_STATES["queued"].title),
        "mean IoU": row.score,
        "epochs": len(row.scores),
        **values,
        "run": row.run,
        "cause": row.cause,
    }


def _use(study: Search) -> None:
    """Offer one trial, the best first, as the beginning of a training, and its run."""
    rows = {str(row.trial): row for row in study.trials if row.run}
    if not rows:
        return
    if study.best:
        rows = {"best": study.best, **rows}
    with st.container(horizontal=True, vertical_alignment="bottom", key="study_use"):
        row = rows[
            session.choose_from(
                "Trial",
                list(rows),
                "trial",
                help="Take its settings to the train page, or look at its run.",
            )
        ]
        query = {"dataset": study.config.dataset, "from_run": row.run}
        st.page_link(
            "pages/train.py",
            label="Use as training config",
            icon=":material/model_training:",
            query_params=query,
        )
        st.page_link(
            "pages/runs.py",
            label="Its curves and log",
            icon=":material/monitoring:",
            query_params={"run": row.run},
        )
        if row.state == "complete":
            st.page_link(
                "pages/compare.py",
                label="Look at its masks",
                icon=":material/view_column:",
                query_params={"run": row.run},
            )
