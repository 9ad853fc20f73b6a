"""The results of an ablation: progress, verdicts, differences, score and cost."""

import streamlit as st

from segcore import formatting
from segcore.errors import SegcoreError
from segcore.ui.ablation import charts
from segcore.ui.ensemble.charts import gains
from segcore.ui.shared import manual, session, tables
from segcore.workspace.ablations.rows import (
    BORNE_OUT,
    RowResult,
    csv_table,
    markdown_table,
    range_by_fold,
)
from segcore.workspace.ablations.table import Plan, Progress, Table, ablation_html, compare_datasets

POLL_SECONDS = 5
VERDICTS = {"helps": "▲ helps", "hurts": "▼ hurts", "cannot tell": "· not significant", "": ""}


def show(name: str) -> None:
    """Draw an ablation; it updates itself while its runs are in progress."""
    ablations = session.workspace().ablations
    with session.errors_shown():
        plan = ablations.open(name)
        cells = ablations.cells(plan)
        progress = ablations.progress(plan, cells)
    st.session_state["study_progress_read"] = progress
    st.fragment(session.guarded(_progress), run_every=POLL_SECONDS if progress.pending else None)(
        plan, progress
    )
    with session.errors_shown(), st.spinner("Scoring"):
        table = ablations.table(plan, cells)
    known = [row for row in table.rows if row.score is not None]
    if not known:
        st.info("No scores yet. The baseline is scored first.", icon=":material/hourglass_top:")
        return
    _numbers(table)
    _charts(table)
    _table(table)
    _beside(table)
    _downloads(plan, table)


def _progress(plan: Plan, before: Progress) -> None:
    """Show how far the ablation is; redraw the page when a score was added."""
    now = st.session_state.pop(
        "study_progress_read", None
    ) or session.workspace().ablations.progress(plan)
    if (now.done, bool(now.pending), now.broken) != (
        before.done,
        bool(before.pending),
        before.broken,
    ):
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center", key="study_progress"):
        waits = (
            f", {formatting.plural(len(now.pending), 'run')} queued or running"
            if now.pending
            else ""
        )
        st.progress(now.done / max(now.total, 1), text=f"{now.done} of {now.total} scores{waits}")
        if now.pending:
            if st.button(
                "Stop",
                icon=":material/stop:",
                key="study_stop",
                help="Finished runs are kept. Continue resumes the rest.",
            ):
                with session.errors_shown():
                    for run in now.pending:
                        session.workspace().runs.stop(run)
                st.rerun()
        elif now.done < now.total and st.button(
            "Continue",
            icon=":material/resume:",
            key="study_go_on",
            help="Queues what is missing and retries failed runs.",
        ):
            with session.errors_shown():
                session.workspace().ablations.start(plan)
            st.rerun()
    for run in now.broken[:3]:
        cause = session.workspace().runs.open(run).status().cause
        st.warning(f"{session.plain(run)}: {session.plain(cause)}", icon=":material/warning:")


def _numbers(table: Table) -> None:
    base = table.rows[0]
    judged = [row for row in table.rows if row.verdict]
    one, two, three, four = st.columns(4)
    low, high = base.interval
    sure = "" if low is None or high is None else formatting.interval(low, high)
    one.metric(
        "Baseline mean IoU",
        formatting.percent(base.score),
        sure or None,
        delta_color="off",
        delta_arrow="off",
        border=True,
        height="stretch",
        help=manual.see(
            (
                "Mean over the baseline's runs of the mean IoU, each computed from the summed "
                "counts of all images. Below: its 95 % interval over images and seeds."
            ),
            "ablations#reading-the-table",
        ),
    )
    for column, verdict, title in (
        (two, "helps", "Variants that help"),
        (three, "hurts", "Variants that hurt"),
        (four, "cannot tell", "Not significant"),
    ):
        column.metric(
            title,
            sum(row.verdict == verdict for row in judged),
            border=True,
            height="stretch",
            help=manual.see(
                (
                    "By the 95 % interval of the difference: entirely above 0, entirely below 0, or "
                    "containing 0."
                ),
                "ablations#reading-the-table",
            ),
        )
    against = [row.row for row in judged if row.agreement == "contradicts"]
    if against:
        st.warning(
            f"Contradicts the expectation: {session.plain(', '.join(against))}.",
            icon=":material/priority_high:",
        )
    st.caption(f"{table.protocol} Data: {', '.join(table.plan.datasets)}.")


def _charts(table: Table) -> None:
    rows = [row for row in table.rows if row.difference is not None]
    left, right = st.columns([3, 2], gap="large")
    if rows:
        with left:
            st.markdown(
                "**Difference from the baseline**",
                help=(
                    "Compared with the baseline, or with the variant that the table names. Lines "
                    "are 95 % intervals."
                ),
            )
            names = [f"{row.row}" for row in rows]
            figure = gains(
                names,
                [row.difference for row in rows],
                [row.difference_interval for row in rows],
                "points of mean IoU",
            )
            st.plotly_chart(
                figure,
                key="study_gains",
                config=session.CHART,
                alt="Difference of each variant with its interval",
            )
    if any(row.seconds for row in table.rows):
        with right:
            st.markdown(
                "**Score and cost**",
                help="Training time only, on this machine, with its other load at the time.",
            )
            figure = charts.score_and_cost(table.rows)
            st.plotly_chart(
                figure,
                key="study_costs",
                config=session.CHART,
                alt="Mean IoU of each variant against its training time",
            )


def _table(table: Table) -> None:
    tables.draw(
        [_cells(row) for row in table.rows],
        height=min(900, 38 + 35 * len(table.rows)),
        column_config={
            "mean IoU": st.column_config.NumberColumn(
                format=tables.PERCENT, help="Mean over the pairs"
            ),
            "points": st.column_config.NumberColumn(
                format="%+.1f", help="Difference from the variant it is compared with"
            ),
            "row": st.column_config.TextColumn(pinned=True),
            "by fold": st.column_config.TextColumn(
                help="Least and greatest difference of one dataset or fold, seeds averaged"
            ),
            "its mean IoU": st.column_config.NumberColumn(
                format=tables.PERCENT,
                help="Mean of what the variant is compared with, over the variant's own pairs",
            ),
            "interval": st.column_config.TextColumn(
                help=(
                    "95 % interval of the difference, over images and seeds, and over folds from "
                    "three on; for an ensemble over "
                    "images only"
                )
            ),
            "training, s": st.column_config.NumberColumn(format="%.0f"),
            "memory, GiB": st.column_config.NumberColumn(
                format="%.1f", help="Peak memory during training"
            ),
            "parameters, M": st.column_config.NumberColumn(
                format="%.1f", help="Estimated from the catalog"
            ),
            "note": st.column_config.TextColumn(width="large"),
        },
        alt="All variants of the ablation",
    )
    with st.expander("How reliable is this?", icon=":material/help:"):
        for sentence in table.sentences:
            st.markdown(f"- {session.plain(sentence)}")


def _beside(table: Table) -> None:
    """Compare the ablation with the same one on other data."""
    ablations = session.workspace().ablations
    own = table.plan.ablation.name
    others = [
        name for name in ablations.names() if name != table.plan.name and name.split("--")[0] == own
    ]
    if not others:
        return
    chosen = st.multiselect(
        "Compare with the same ablation on other data",
        others,
        key=f"study_beside_{table.plan.name}",
        placeholder="none",
    )
    if not chosen:
        return
    with session.errors_shown():
        lines = compare_datasets(
            [table, *(ablations.table(ablations.open(name)) for name in chosen)]
        )
    tables.draw(
        [
            {"row": line.row}
            | {
                f"{name}, {what}": value
                for name, one in line.on.items()
                for what, value in (("points", one.points), ("verdict", one.verdict))
            }
            for line in lines
        ],
        column_config={
            f"{name}, points": st.column_config.NumberColumn(format="%+.1f")
            for name in (table.plan.name, *chosen)
        },
        alt="Differences of each variant on each dataset",
    )


def _cells(row: RowResult) -> tables.Row:
    low, high = row.difference_interval
    known = row.difference is not None
    return {
        "row": row.row,
        "verdict": VERDICTS[row.verdict] or ("" if row.state == "finished" else row.state),
        "mean IoU": None if row.score is None else 100 * row.score,
        "points": formatting.in_points(row.difference),
        "interval": formatting.points_interval(low, high)
        if known and low is not None and high is not None
        else "",
        "by fold": range_by_fold(row.folds, row.fold_range),
        "against": row.against if known else "",
        "its mean IoU": None if row.other_score is None else 100 * row.other_score,
        "expected": row.said,
        "confirmed": BORNE_OUT[row.agreement],
        "pairs": len(row.pairs) or None,
        "training, s": row.seconds,
        "memory, GiB": None if row.memory is None else row.memory / 2**30,
        "parameters, M": None if row.parameters is None else row.parameters / 1e6,
        "note": " ".join(part for part in (row.cause, row.note) if part),
    }


def _downloads(plan: Plan, table: Table) -> None:
    workspace, name = session.workspace(), plan.ablation.name
    try:
        facts = workspace.reports.facts([run for row in table.rows for run in row.runs][:1])
    except SegcoreError:
        facts = {}
    with st.container(horizontal=True, key="study_files"):
        for label, text, suffix, kind in (
            ("Report (HTML)", ablation_html(table, facts), "html", "text/html"),
            ("Table (CSV)", csv_table(table.rows), "csv", "text/csv"),
            ("Table (Markdown)", markdown_table(table.rows), "md", "text/markdown"),
        ):
            st.download_button(
                label,
                text,
                file_name=f"{name}.{suffix}",
                mime=kind,
                icon=":material/download:",
                key=f"study_{suffix}",
            )
