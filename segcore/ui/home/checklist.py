"""The way through the app as a list that ticks itself; every step leads to the page that does it."""

from dataclasses import dataclass

import streamlit as st

from segcore.ui.shared import session


@dataclass(frozen=True)
class Step:
    """A step: its title, what it is, its page, what it is done with ("data", "run" or nothing), and further words of the link."""

    title: str
    sentence: str
    page: str
    needs: str = ""
    query: tuple[tuple[str, str], ...] = ()


STEPS = {
    "demo": Step(
        "Demo",
        "A made-up dataset with five trained members: see every page before you bring anything.",
        "pages/home.py",
    ),
    "data": Step(
        "Your data",
        "Import a folder or archive of images and masks; what does not fit is listed.",
        "pages/dataset.py",
    ),
    "health": Step(
        "Health",
        "Damaged files, empty masks, copies, leaks between splits: each with its mend.",
        "pages/dataset.py",
        "data",
        (("show", "Health"),),
    ),
    "balance": Step(
        "Balance",
        "Which images to repeat so that rare classes count, and what no repeating can reach.",
        "pages/balance.py",
        "data",
    ),
    "train": Step(
        "Train",
        "Take the suggested plan or choose; it runs in the background and survives the browser.",
        "pages/train.py",
        "data",
    ),
    "watch": Step("Watch", "Live curves, masks by epoch, log, stop and resume.", "pages/runs.py"),
    "look": Step(
        "Look",
        "Image, true mask, predicted mask and CRF mask, all zooming together.",
        "pages/compare.py",
        "run",
    ),
    "judge": Step(
        "Judge",
        "Scores of every class with intervals, and where classes are mistaken for each other.",
        "pages/evaluate.py",
        "run",
    ),
    "merge": Step(
        "Merge",
        "What if two labels were one? Accuracy gained against information lost.",
        "pages/compress.py",
        "run",
    ),
    "report": Step(
        "Report",
        "One file that a reviewer opens offline: the button below the scores of the classes.",
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
        demo = workspace.demo.open()["ensemble"] if done["demo"] else None
    following = next((step for step, ticked in done.items() if not ticked), None)
    st.subheader(
        "The way through",
        anchor=False,
        help="It ticks itself as you go, with data of your own; the first step is the demo's.",
    )
    st.progress(sum(done.values()) / len(done), text=f"{sum(done.values())} of {len(done)} done")
    for name, step in STEPS.items():
        query, page = dict(step.query), step.page
        if step.needs == "data" and names:
            query["dataset"] = names[0]
        elif step.needs == "run" and own:
            query["run"] = own[0].run
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
                st.badge("next", color="primary")
            st.caption(step.sentence)
    st.page_link(
        "pages/guide.py", label="All of it with pictures, in the guide", icon=":material/menu_book:"
    )
