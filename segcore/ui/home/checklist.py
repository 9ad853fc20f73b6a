"""Getting started as a checklist that ticks itself; every step links to its page."""

from dataclasses import dataclass

import streamlit as st

from segcore.ui.shared import session


@dataclass(frozen=True)
class Step:
    """A step: title, sentence, page, what it needs ("data", "run" or ""), further query."""

    title: str
    sentence: str
    page: str
    needs: str = ""
    query: tuple[tuple[str, str], ...] = ()


STEPS = {
    "demo": Step(
        "Demo",
        (
            "A synthetic dataset with five trained models: try every page before you import "
            "anything."
        ),
        "pages/home.py",
    ),
    "data": Step(
        "Your data",
        "Import a folder or archive of images and masks; problems are listed.",
        "pages/dataset.py",
        query=(("import", "dataset"),),
    ),
    "health": Step(
        "Health",
        ("Corrupt files, empty masks, duplicates and leakage between splits, each with a fix."),
        "pages/dataset.py",
        "data",
        (("show", "Health"),),
    ),
    "splits": Step(
        "Splits",
        "Images to train on, to choose by and to test on; whole groups stay together.",
        "pages/dataset.py",
        "data",
        (("show", "Splits"),),
    ),
    "balance": Step(
        "Balance",
        "Which images to oversample for rare classes, and how far oversampling can go.",
        "pages/balance.py",
        "data",
    ),
    "train": Step(
        "Train",
        (
            "Use the recommended configuration or your own; training runs in the "
            "background, so you can close the browser."
        ),
        "pages/train.py",
        "data",
    ),
    "watch": Step("Monitor", "Live curves, mask history, log, stop and resume.", "pages/runs.py"),
    "look": Step(
        "Compare",
        "Image, ground truth, prediction and CRF side by side, zoomed together.",
        "pages/compare.py",
        "run",
    ),
    "judge": Step(
        "Evaluate",
        ("Scores of every class with confidence intervals, and which classes are confused."),
        "pages/evaluate.py",
        "run",
    ),
    "merge": Step(
        "Merge labels",
        "Which labels could be merged? Accuracy gained against information lost.",
        "pages/compress.py",
        "run",
    ),
    "report": Step(
        "Report",
        "A single HTML file, readable offline (button on Evaluate).",
        "pages/evaluate.py",
        "run",
    ),
}


def show() -> None:
    """Draw the list; the first step that is not done yet is marked as the next."""
    workspace = session.workspace()
    with session.errors_shown():
        done = workspace.checklist.done()
        names = session.own_datasets()
        own = [
            r
            for r in workspace.runs.rows()
            if r.dataset in names and r.status.state == "finished" and r.kind in session.SCORED
        ]
        demo = workspace.demo.opened().ensemble if done["demo"] else None
    following = next((step for step, ticked in done.items() if not ticked), None)
    st.subheader(
        "Getting started",
        anchor=False,
        help=(
            "Steps are ticked as you complete them with your own data; the first step is the demo."
        ),
    )
    st.progress(
        sum(done.values()) / len(done), text=f"{sum(done.values())} of {len(done)} steps complete"
    )
    for name, step in STEPS.items():
        query, page = dict(step.query), step.page
        if step.needs == "data" and names:
            query["dataset"] = names[0]
        elif step.needs == "run" and own:
            query |= {"run": own[0].run, "dataset": own[0].dataset}
        elif name == "demo" and demo:
            page, query = "pages/compare.py", {"run": demo}
        with st.container(horizontal=True, vertical_alignment="center"):
            mark = (
                "check_circle"
                if done[name]
                else "arrow_circle_right"
                if name == following
                else "radio_button_unchecked"
            )
            st.page_link(
                page,
                label=f"**{step.title}**",
                icon=f":material/{mark}:",
                width=160,
                query_params=query or None,
            )
            if name == following:
                st.badge("next", color="green")
            st.caption(step.sentence)
    st.page_link("pages/guide.py", label="Illustrated user guide", icon=":material/menu_book:")
