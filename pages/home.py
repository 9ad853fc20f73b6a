"""Where do I stand, what is next?"""

import streamlit as st

from segcore.ui.home import checklist
from segcore.ui.runs import queue, table
from segcore.ui.shared import login, run_links, session, tables
from segcore.ui.shared.run_names import middle

workspace = session.workspace()
session.header(
    "Segscope",
    "Train, ensemble, inspect and evaluate semantic segmentation models on your own images.",
)

opened = st.session_state.pop("opened_demo", None)
if opened:  # in a run of its own: a switch at the end of a long one can lose the page
    session.request("dataset", "demo")
    st.switch_page("pages/compare.py", query_params={"run": opened})


def open_demo() -> None:
    """Draw the demo with a progress bar; the next run of the page then goes to Compare."""
    bar = st.progress(0.0, text="Drawing scenes …")

    def progress(done: int, total: int, what: str) -> None:
        bar.progress(done / total, text=f"Drawing scene {done} of {total}")

    with session.errors_shown():
        demo = workspace.demo.open(progress)
    st.session_state["opened_demo"] = demo.ensemble or ""
    st.rerun()


def train_another() -> None:
    """Queue one more member of the demo's ensemble and go to monitor it."""
    with session.errors_shown():
        (run,) = workspace.demo.train_further()
    run_links.watch(run)


def links(query: dict[str, str]) -> None:
    """Draw links to the pages that show a model.

    Args:
        query: Parameters of the links: the run.
    """
    for page, label, icon in (
        ("pages/compare.py", "Compare masks", ":material/view_column:"),
        ("pages/evaluate.py", "Evaluate", ":material/fact_check:"),
        ("pages/compress.py", "Merge labels", ":material/compress:"),
    ):
        st.page_link(page, label=label, icon=icon, query_params=query)


with session.errors_shown():
    rows = workspace.datasets.rows()
    runs = workspace.runs.rows()
own = set(session.own_datasets())
finished = [
    r
    for r in runs
    if r.dataset in own and r.status.state == "finished" and r.kind in session.SCORED
]

if finished:
    latest = finished[0].dataset
    trained = [r for r in finished if r.dataset == latest]
    kinds = (*session.SCORED, "predict")
    own_runs = [r for r in runs if r.dataset == latest and r.kind in kinds]
    best = table.best_score(own_runs, workspace.mask_changes.since(own_runs))
    with st.container(border=True):
        st.markdown(
            f"**Continue: {session.plain(latest)}**, {len(trained)} "
            f"{'run' if len(trained) == 1 else 'runs'}{best}."
        )
        with st.container(horizontal=True):
            links({"run": trained[0].run, "dataset": latest})
else:
    with st.container(border=True):
        text, action = st.columns([3, 1], vertical_alignment="center", gap="large")
        if workspace.demo.is_open():
            demo = workspace.demo.opened()
            text.markdown(
                "**The demo is open**: a synthetic land-cover dataset with two pairs of "
                "near-duplicate labels, and an ensemble of five small U-Nets."
            )
            with text.container(horizontal=True):
                links({"run": demo.ensemble or "", "dataset": "demo"})
            if action.button(
                "Train another model",
                icon=":material/model_training:",
                width="stretch",
                **login.editors_only(help="On this machine, takes about a minute."),
            ):
                train_another()
        else:
            text.markdown(
                "**Try it on sample data first.** The demo is a synthetic land-cover dataset with "
                "five trained models: image, ground truth, ensemble prediction and CRF side by "
                "side, scores, and the label-compression curve. Nothing is downloaded."
            )
            if action.button(
                "Open demo",
                type="primary",
                icon=":material/play_arrow:",
                width="stretch",
                **login.editors_only(),
            ):
                open_demo()

left, right = st.columns(2, gap="large")
with left:
    st.subheader("Datasets", anchor=False)
    if rows:
        tables.draw(
            [
                {"dataset": d.name, "samples": d.num_samples, "classes": d.num_classes}
                for d in rows
                if not d.problem
            ],
            alt="The datasets of this workspace",
        )
        for damaged in (d for d in rows if d.problem):
            st.warning(
                f"`{damaged.name}`: {session.plain(damaged.problem)}", icon=":material/warning:"
            )
    else:
        st.caption("None yet.")
with right:
    st.subheader("Latest runs", anchor=False)
    follow = sum(map(len, queue.predictions_after({r.run: r for r in runs}).values()))
    queued = sum(r.status.state == "queued" for r in runs) - follow
    begun = sorted(
        (r for r in table.without_dependents(runs) if r.status.state != "queued"),
        key=lambda r: -(r.status.finished or r.status.started or r.status.created or 0.0),
    )
    recent = sorted(begun, key=lambda r: not r.status.is_active)[:8]
    if recent:
        tables.draw(
            [
                {
                    "run": middle(r.run),
                    "state": table.shown_state(r.status),
                    "mean IoU": r.status.mean_iou,
                    "scored on": r.scored_on,
                }
                for r in recent
            ],
            column_config={
                "mean IoU": table.COLUMNS["mean IoU"] | {"help": "See scored on"},
                "scored on": table.COLUMNS["scored on"],
            },
            alt="The latest runs of this workspace",
        )
    elif not queued:
        st.caption("None yet.")
    if queued:
        st.page_link("pages/runs.py", label=f"{queued} queued", icon=":material/hourglass_top:")

checklist.show()
