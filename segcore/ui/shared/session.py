"""What every page starts from: the workspace, the chosen dataset, errors shown as sentences."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

from segcore.errors import SegcoreError
from segcore.labels import LabelSet, color_to_hex
from segcore.text_files import format_rows
from segcore.ui.shared.run_names import called
from segcore.workspace import Workspace
from segcore.workspace.demo import NAME as DEMO

SCORED = ("train", "evaluate", "imported")
"""Kinds of runs that have counts of a split, or may get them."""

CHART = {"displaylogo": False, "displayModeBar": False}
"""Plotly settings of every chart."""


@st.cache_resource(show_spinner=False)
def _open_workspace() -> Workspace:
    return Workspace()


def _enter_by_the_frame() -> None:
    """Run app.py round this page when the server's very first request was a deep link to it.

    Until ``st.navigation`` has run once in a server, Streamlit takes the folder ``pages/`` for the
    app's navigation and runs a page of it bare: no groups, no logo, narrow. Telling it otherwise
    and running again keeps the address.
    """
    if PagesManager.uses_pages_directory:
        PagesManager.uses_pages_directory = False
        st.rerun()


def workspace() -> Workspace:
    """Return the workspace of this app, opened once for all sessions."""
    _enter_by_the_frame()
    with errors_shown():
        return _open_workspace()


@contextmanager
def errors_shown() -> Iterator[None]:
    """Show a mistake that the user can mend as a sentence, and end the page there."""
    try:
        yield
    except SegcoreError as error:
        st.error(str(error), icon=":material/error:")
        st.stop()


def header(title: str, question: str) -> None:
    """Write a page's title and the question it answers."""
    st.title(title, anchor=False)
    st.caption(question)


def empty(sentence: str, page: str, label: str) -> None:
    """Say what is missing, offer the page that mends it, and end the page."""
    with st.container(border=True):
        st.markdown(sentence)
        st.page_link(page, label=label, icon=":material/arrow_forward:")
    st.stop()


def own_datasets() -> list[str]:
    """Return the names of the user's datasets: all but the demo's."""
    return [name for name in workspace().datasets.names() if name != DEMO]


def choose_dataset() -> str:
    """Let the user choose a dataset; ends the page with a way on where there is none."""
    names = workspace().datasets.names()
    if not names:
        empty(
            "There is no dataset yet. Import your images and masks, or open the demo.",
            "pages/home.py",
            "Go to Start",
        )
    return choose_from(
        "Dataset",
        names,
        "dataset",
        help="Datasets of this workspace. Import more on the Dataset page.",
    )


def choose_run(kinds: Sequence[str] = SCORED, *, label: str = "Run", key: str = "run") -> str:
    """Let the user choose a finished run; ends the page with a way on where there is none."""
    names = finished_runs(kinds)
    if not names:
        empty(
            ("There is no finished run yet. Train a model, or open the demo, which includes five."),
            "pages/home.py",
            "Go to Start",
        )
    return choose_model(label, names, key)


def choose_model(label: str, names: Sequence[str], key: str, *, help: str | None = None) -> str:
    """Let the user choose one of some runs, each by what it is called; an ensemble, which has a run a split, stands once."""
    shown = once_a_question(names)
    asked = st.query_params.get(key)
    if (
        asked in shown and called(asked) != asked
    ):  # a link names the run; from then on the address holds what it is called
        st.session_state[key] = shown[asked]
        del st.query_params[key]
    elif st.session_state.get(key) in shown:
        st.session_state[key] = shown[st.session_state[key]]
    options = list(dict.fromkeys(shown.values()))
    _drop_unknown(key, options)
    return str(
        st.selectbox(
            label,
            options,
            format_func=called,
            key=key,
            bind="query-params",
            persist_state="session",
            help=help,
        )
    )


def once_a_question(names: Sequence[str]) -> dict[str, str]:
    """Return, for each of some runs, the one that stands for it: an ensemble has a run a split, of which the first made is shown."""
    first: dict[str, str] = {}
    for name in reversed(names):
        first.setdefault(name.rsplit("--", 1)[0], name)
    return {name: first[name.rsplit("--", 1)[0]] for name in names}


def finished_runs(kinds: Sequence[str] = ("train",), dataset: str | None = None) -> list[str]:
    """Return the ids of finished runs of some kinds, newest first."""
    rows = workspace().runs.rows()
    return [
        r.run
        for r in rows
        if r.kind in kinds and r.status.state == "finished" and dataset in (None, r.dataset)
    ]


def choose_split(splits: Sequence[str], *, default: str = "test", key: str = "split") -> str:
    """Let the user choose one of the splits; the link keeps it."""
    options = list(splits)
    _drop_unknown(key, options)
    start = default if default in options else options[0]
    return str(
        st.segmented_control(
            "Split", options, default=start, key=key, bind="query-params", required=True
        )
    )


def choose_from(label: str, options: Sequence[str], key: str, *, help: str | None = None) -> str:
    """Let the user choose one of some names; the link keeps it, and so does a change of page."""
    _drop_unknown(key, options)
    return str(
        st.selectbox(
            label, list(options), key=key, bind="query-params", persist_state="session", help=help
        )
    )


def _drop_unknown(key: str, options: Sequence[str]) -> None:
    if st.session_state.get(key) not in (None, *options):
        del st.session_state[key]


def choose_image(images: Sequence[str], key: str, label: str) -> str:
    """Let the user choose one of many images; :func:`step` moves on from it."""
    names = list(images)
    moved = st.session_state.pop(f"{key}_moved", None)
    if moved in names:
        st.session_state[key] = moved
    _drop_unknown(key, names)
    help = "Type to search. The keys n and p go to the next and previous image."
    return str(st.selectbox(label, names, key=key, bind="query-params", help=help))


def step(images: Sequence[str], key: str, by: int) -> None:
    """Move the choice of :func:`choose_image` by some places and run the page again."""
    names = list(images)
    st.session_state[f"{key}_moved"] = names[(names.index(st.session_state[key]) + by) % len(names)]
    st.rerun()


def hex_colors(label_set: LabelSet) -> list[str]:
    """Return the classes' colours as ``#rrggbb``, in index order."""
    return [color_to_hex(c.color) for c in label_set.classes]


def csv_bytes(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Return rows as a CSV file, UTF-8 with a header line."""
    names = list(rows[0]) if rows else []
    return format_rows([names, *([row[name] for name in names] for row in rows)]).encode()


def plain(text: str) -> str:
    """Return a text of the user's that is safe inside Markdown: nothing in it is read as markup or HTML."""
    return re.sub(r"([\\`*_{}\[\]()<>#+!|$:~&-])", r"\\\1", text)
