"""Links from a run to the pages that show it, worded alike on every page."""

from collections.abc import Mapping

import streamlit as st

from segcore.ui.shared import session


def train_with(**query: str) -> None:
    """Open the Train page with what a link names, even where the same link was followed before.

    Args:
        query: Of "from_run", "label_map" and "balance_plan" those that the form begins with.
    """
    for name in query:
        st.session_state.pop(f"train_{name}", None)
    st.switch_page("pages/train.py", query_params=query)


def compare_masks(query: Mapping[str, str]) -> None:
    """Link to a run's masks on Compare.

    Args:
        query: What the link says: "run", and "dataset" or "split" where they are known.
    """
    st.page_link(
        "pages/compare.py",
        label="Compare masks",
        icon=":material/view_column:",
        query_params=query,
    )


def evaluate(query: Mapping[str, str]) -> None:
    """Link to a run's scores on Evaluate.

    Args:
        query: As of :func:`compare_masks`, and "stage" where the run has several outputs.
    """
    st.page_link(
        "pages/evaluate.py", label="Evaluate", icon=":material/fact_check:", query_params=query
    )


def predict(query: Mapping[str, str]) -> None:
    """Link to the page on which a run predicts the user's own images.

    Args:
        query: As of :func:`compare_masks`.
    """
    st.page_link(
        "pages/predict.py",
        label="Predict images",
        icon=":material/image_search:",
        query_params=query,
    )


def watch(run: str) -> None:
    """Go to the Runs page and show a run there, whichever was looked at before."""
    session.request("run", run)  # the link alone yields to what was chosen on another page
    st.switch_page("pages/runs.py", query_params={"run": run})
