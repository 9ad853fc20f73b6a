"""Where do I stand, what is next?"""

import streamlit as st

from segcore.ui.home import checklist
from segcore.ui.runs import table
from segcore.ui.shared import session, tables

workspace = session.workspace()
session.header(
    "Segscope",
    ("Train, ensemble, inspect and evaluate semantic segmentation models on your own images."),
)


def open_demo() -> None:
    """Draw the demo with a progress bar, then go and look at it."""
    bar = st.progress(0.0, text="Drawing scenes …")

    def progress(done: int, total: int, what: str) -> None:
        bar.progress(done / total, text=f"Drawing scene {done} of {total}")

    with session.errors_shown():
        demo = workspace.demo.open(progress)
    st.switch_page("pages/compare.py", query_params={"run": demo.ensemble or ""})


def train_further() -> None:
    """Queue one more member of the demo's ensemble and go to watch it."""
    with session.errors_shown():
        (run,) = workspace.demo.train_further()
    st.switch_page("pages/runs.py", query_params={"run": run})


with st.container(border=True):
    text, action = st.columns([3, 1], vertical_alignment="center", gap="large")
    if workspace.demo.is_open():
        with session.errors_shown():
            demo = workspace.demo.open()
        text.markdown(
            "**The demo is open**: a synthetic land-cover dataset with two pairs of "
            "near-duplicate labels, and an ensemble of five small U-Nets."
        )
        with text.container(horizontal=True):
            query = {"run": demo.ensemble or ""}
            st.page_link(
                "pages/compare.py",
                label="Compare masks",
                icon=":material/view_column:",
                query_params=query,
            )
            st.page_link(
                "pages/evaluate.py",
                label="Evaluate",
                icon=":material/fact_check:",
                query_params=query,
            )
            st.page_link(
                "pages/compress.py",
                label="Merge labels",
                icon=":material/compress:",
                query_params=query,
            )
        if action.button(
            "Train another model",
            icon=":material/model_training:",
            width="stretch",
            help="On this machine, takes about a minute.",
        ):
            train_further()
    else:
        text.markdown(
            "**Try it on sample data first.** The demo is a synthetic land-cover dataset "
            "with five trained models: image, ground truth, ensemble prediction and CRF "
            "side by side, scores, and the label-compression curve. Nothing is downloaded."
        )
        if action.button(
            "Open demo", type="primary", icon=":material/play_arrow:", width="stretch"
        ):
            open_demo()

with session.errors_shown():
    rows = workspace.datasets.rows()

checklist.show()

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
    runs = workspace.runs.rows()
    waiting = sum(r.status.state == "queued" for r in runs)
    begun = sorted(
        (r for r in runs if r.status.state != "queued"),
        key=lambda r: -(r.status.finished or r.status.started or r.status.created or 0.0),
    )
    recent = sorted(begun, key=lambda r: r.status.state not in table.ACTIVE)[:8]
    if recent:
        tables.draw(
            [
                {
                    "run": r.run,
                    "state": table.state_title(r.status.state),
                    "mean IoU": r.own_size_mean_iou,
                    "in training": r.training_mean_iou,
                }
                for r in recent
            ],
            column_config={
                "mean IoU": st.column_config.NumberColumn(
                    format="percent", help="Of the predicted split, each image at its own size"
                ),
                "in training": st.column_config.NumberColumn(
                    format="percent",
                    help="Best mean IoU of the validation split, at the training size",
                ),
            },
            alt="The latest runs of this workspace",
        )
    elif not waiting:
        st.caption("None yet.")
    if waiting:
        st.page_link("pages/runs.py", label=f"{waiting} queued", icon=":material/hourglass_top:")
