"""A search: status, best trial, charts, all trials, and links from a trial."""

import streamlit as st

from segcore.catalog import RUN_STATES
from segcore.formatting import change, duration, percent
from segcore.runs.folder.status import ACTIVE, QUEUED_OR_ACTIVE
from segcore.ui.runs.detail import BADGES
from segcore.ui.shared import manual, run_links, session, tables
from segcore.ui.tune import charts
from segcore.ui.tune.names import TRIAL_STATES, choice, setting, settings
from segcore.workspace.searches import Search, TrialRow

POLL_SECONDS = 2


def show(run: str) -> None:
    """Draw a search; it updates while it is active."""
    with session.errors_shown():
        active = session.workspace().searches.open(run).status.state in QUEUED_OR_ACTIVE
    st.fragment(session.guarded(_show), run_every=POLL_SECONDS if active else None)(run, active)


def _show(run: str, was_active: bool) -> None:
    with session.errors_shown():
        search = session.workspace().searches.open(run)
    if was_active and search.status.state not in QUEUED_OR_ACTIVE:
        st.rerun()
    _head(search)
    _numbers(search)
    if not search.trials:
        st.info("The first trial has not started yet.", icon=":material/hourglass_top:")
        return
    _charts(search)
    _table(search)
    _use(search)


def _head(search: Search) -> None:
    status, runs = search.status, session.workspace().runs
    color, icon = BADGES[status.state]
    with st.container(horizontal=True, vertical_alignment="center", key="study_head"):
        st.badge(RUN_STATES[status.state].title, color=color, icon=icon)  # type: ignore[arg-type]
        if status.state in QUEUED_OR_ACTIVE and st.button(
            "Stop",
            icon=":material/stop:",
            key="study_stop",
            help="Running trials save a checkpoint and end; resuming continues them.",
        ):
            with session.errors_shown():
                runs.stop(search.run)
            st.rerun()
        if status.state in ("failed", "interrupted") and st.button(
            "Resume",
            icon=":material/resume:",
            key="study_resume",
            help="Finished trials are kept; the others continue from their checkpoints.",
        ):
            with session.errors_shown():
                runs.resume(search.run)
            st.rerun()
        st.page_link(
            "pages/runs.py",
            label="Log and config",
            icon=":material/monitoring:",
            query_params={"run": search.run},
        )
    if status.cause:
        st.warning(status.cause, icon=":material/info:")
    if status.state in ACTIVE:
        left = f", about {duration(status.seconds_left)} left" if status.seconds_left else ""
        st.progress(
            min(max(status.progress, 0.0), 1.0), text=f"{status.message or 'Starting'}{left}"
        )
        if status.is_silent():
            st.warning(
                (
                    "No sign of life for three minutes: the process may hang. Stop it, then resume "
                    "it."
                ),
                icon=":material/warning:",
            )


def _numbers(search: Search) -> None:
    best = search.best
    one, two, three, four = st.columns(4)
    one.metric(
        "Best validation mean IoU",
        percent(best.score if best else None),
        _gain(search),
        border=True,
        height="stretch",
        help=manual.see(
            (
                "The highest of all trials. Trial 1 has the fixed values that the search started "
                "from, if its space contains them."
            ),
            "data-measures#hyperparameter-search",
        ),
    )
    two.metric(
        "Trials ended",
        f"{len(search.trials) - search.count('running')} of {search.config.planned}",
        f"{search.count('running')} running" if search.count("running") else None,
        delta_color="off",
        delta_arrow="off",
        border=True,
        height="stretch",
        help=manual.see(
            "Trials that finished, were pruned or failed, of those planned.",
            "data-measures#hyperparameter-search",
        ),
    )
    three.metric(
        "Pruned",
        search.count("pruned"),
        border=True,
        height="stretch",
        help=manual.see("Poor trials that ended early.", "data-measures#hyperparameter-search"),
    )
    four.metric(
        "Failed",
        search.count("failed"),
        border=True,
        height="stretch",
        help=manual.see(
            "The table gives the cause; the search continues without them.",
            "data-measures#hyperparameter-search",
        ),
    )
    if best:
        st.markdown(
            f"**Trial {best.trial}** is the best: "
            f"{session.plain(settings(best.values, search.config.space.names))}."
        )


def _gain(search: Search) -> str | None:
    """Say what the best trial gained over the values that the search started from."""
    best, first = search.best, search.trials[0] if search.trials else None
    if best is None or first is None or best is first or first.state != "complete":
        return None
    if not search.config.first_values:
        return None
    gain = change((best.percent - first.percent) / 100)
    return gain and f"{gain} over trial 1"


def _charts(search: Search) -> None:
    best = search.best
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Score by trial**")
        st.plotly_chart(
            charts.history(search.trials, search.config.planned),
            key="study_history",
            config=session.CHART,
            alt="Score of each trial, and the best so far",
        )
    with right:
        st.markdown("**Score by epoch**")
        figure = charts.epochs(search.trials, best.trial if best else None)
        st.plotly_chart(
            figure,
            key="study_epochs",
            config=session.CHART,
            alt="Validation mean IoU of each trial by epoch",
        )
    if search.count("complete") < 2:
        return
    left, right = st.columns([5, 3], gap="large")
    with left:
        st.markdown(
            "**Parallel coordinates**",
            help="Each line is a finished trial, the best on top. Hover for its values.",
        )
        figure = charts.parallel(search.trials, search.config.space.names)
        st.plotly_chart(
            figure,
            key="study_parallel",
            config=session.CHART,
            alt="Each finished trial as a line through its settings to its score",
        )
    with right:
        st.markdown(
            "**Importance**",
            help="How much the better half of the finished trials deviates from a uniform spread "
            "over the space (PED-ANOVA: Watanabe, Bansal, Hutter, IJCAI 2023). With few trials "
            "only a hint.",
        )
        if search.importances:
            st.plotly_chart(
                charts.importances(search.importances),
                key="study_importance",
                config=session.CHART,
                alt="Share of each setting in the score",
            )
        else:
            st.caption("Needs five finished trials.")


def _table(search: Search) -> None:
    best = search.best
    tables.draw(
        [
            _cells(row, search, best is not None and row.trial == best.trial)
            for row in search.trials
        ],
        height=min(420, 38 + 35 * len(search.trials)),
        column_config={
            "mean IoU": st.column_config.NumberColumn(
                format="percent",
                help="Best on the validation split; of a pruned trial, until it ended",
            ),
            "cause": st.column_config.TextColumn(width="large"),
            "learning rate": st.column_config.NumberColumn(format="scientific"),
        },
        alt="All trials",
    )


def _cells(row: TrialRow, search: Search, is_best: bool) -> tables.Row:
    doing = row.doing or row.state
    values = {
        setting(name).lower(): row.values.get(name)
        if name in ("learning_rate", "batch_size")
        else choice(name, row.values.get(name, "–"))
        for name in search.config.space.names
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


def _use(search: Search) -> None:
    """Draw links from a trial, the best first, to the Train page and to its run."""
    rows = {str(row.trial): row for row in search.trials if row.run}
    if not rows:
        return
    if search.best:
        rows = {"best": search.best, **rows}
    with st.container(horizontal=True, vertical_alignment="bottom", key="study_use"):
        row = rows[
            session.choose_from(
                "Trial",
                list(rows),
                "trial",
                help="Open its values on the Train page, or its run.",
            )
        ]
        query = {"dataset": search.config.dataset, "from_run": row.run}
        st.page_link(
            "pages/train.py",
            label="Use as training config",
            icon=":material/model_training:",
            query_params=query,
        )
        st.page_link(
            "pages/runs.py",
            label="Curves and log",
            icon=":material/monitoring:",
            query_params={"run": row.run},
        )
        if row.state == "complete":
            run_links.compare_masks({"run": row.run})
