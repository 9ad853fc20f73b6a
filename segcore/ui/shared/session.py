"""What every page starts from: workspace, current dataset, selectors, errors."""

import html
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any, Literal, ParamSpec

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

from segcore.errors import SegcoreError
from segcore.labels import LabelSet, color_to_hex
from segcore.runs.folder.status import QUEUED_OR_ACTIVE
from segcore.text_files import format_rows
from segcore.ui.shared import login
from segcore.ui.shared.page_words import on_page
from segcore.ui.shared.run_names import called, shown
from segcore.workspace import Workspace
from segcore.workspace.demo import NAME as DEMO

Arguments = ParamSpec("Arguments")

SCORED = ("train", "evaluate", "imported")
"""Kinds of runs that have counts of a split, or may get them."""

LISTED_IMAGES = 400
"""Images that a selector lists at most."""

IMAGE_HELP = "Type to search. The keys n and p go to the next and previous image."

NOTICE = "notice"
"""Key of the place above the page's first line, across its width."""

CHART = {"displaylogo": False, "displayModeBar": False}
"""Plotly settings of every chart."""


@st.cache_resource(show_spinner=False)
def _open_workspace() -> Workspace:
    return Workspace()


def _enter_by_the_frame() -> None:
    """Run app.py around this page when the server's very first request was a deep link to it.

    Until ``st.navigation`` has run once in a server, Streamlit takes the folder ``pages/`` for the
    app's navigation and runs a page of it bare: no groups, no logo, narrow. Telling it otherwise
    and running again keeps the address.
    """
    if PagesManager.uses_pages_directory:
        PagesManager.uses_pages_directory = False
        st.rerun()


def workspace() -> Workspace:
    """Return the workspace of this app, opened once for all sessions, to who may use it."""
    _enter_by_the_frame()
    with errors_shown():
        login.check()
        return _open_workspace()


@contextmanager
def errors_shown() -> Iterator[None]:
    """Show an error that the user can fix as a sentence, and end the page there."""
    try:
        yield
    except SegcoreError as error:
        st.error(on_page(str(error)), icon=":material/error:")
        st.stop()


def guarded(draw: Callable[Arguments, None]) -> Callable[Arguments, None]:
    """Let a part of a page that runs by itself, a fragment, end in a sentence as the page does."""

    @wraps(draw)
    def shown(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        with errors_shown():
            draw(*args, **kwargs)

    return shown


def header(title: str, sentence: str) -> None:
    """Name the page for screen readers; on screen the navigation says it already.

    Args:
        title: The page's title.
        sentence: What the page is for.
    """
    st.html(
        f'<h1 class="page-title">{html.escape(title)}</h1>'
        f'<p class="page-title">{html.escape(sentence)}</p>'
    )
    st.session_state[NOTICE] = st.empty()


def empty(sentence: str, page: str, label: str, **query: str) -> None:
    """Say what is missing, link to the page that provides it, and end the page.

    Args:
        sentence: What is missing.
        page: File of the page.
        label: Text of the link.
        query: What the page opens with.
    """
    with st.container(border=True):
        st.markdown(sentence)
        icon = ":material/arrow_forward:"
        st.page_link(page, label=label, icon=icon, query_params=query or None)
    st.stop()


def own_datasets() -> list[str]:
    """Return the names of the user's datasets: all but the demo's."""
    return [name for name in workspace().datasets.names() if name != DEMO]


# ---- selectors: what the browser shows is what the script computes with


def request(key: str, value: Any) -> None:
    """Set what the selector of a key shows when it is drawn next."""
    st.session_state[f"{key}:requested"] = value


def prepare(key: str, options: Sequence[Any], default: Any = None) -> None:
    """Bring the value of a single-choice selector in line with its options; call it before drawing.

    A value that is no option any more is replaced, never deleted: after a deletion the browser
    would keep showing the old one while the script computes with the default.

    Args:
        key: Key of the selector.
        options: Its options; one or more.
        default: What replaces a value that is no option; the first option by default.
    """
    requested = st.session_state.pop(f"{key}:requested", None)
    if requested in options:
        st.session_state[key] = requested
    elif st.session_state.get(key) not in (None, *options):
        st.session_state[key] = options[0] if default is None else default


def prepare_many(key: str, options: Sequence[Any], default: Sequence[Any] = ()) -> None:
    """Do the same for a multiple choice: values that are no options any more are dropped."""
    requested = st.session_state.pop(f"{key}:requested", None)
    values = st.session_state.get(key) if requested is None else requested
    if values is None:
        return
    kept = [value for value in values if value in options]
    if requested is not None or len(kept) < len(values):
        st.session_state[key] = kept or [value for value in default if value in options]
    if requested is not None:
        st.session_state[f"{key}:asked"] = st.session_state[key]


def settle(key: str, value: Any) -> None:
    """Draw the page once more where a selector did not take a requested value; call it after drawing.

    A selector that is drawn for the first time takes what the link says, whatever was requested.

    Args:
        key: Key of the selector.
        value: What it returned.
    """
    asked = st.session_state.pop(f"{key}:asked", None)
    if asked is not None and asked != value:
        st.session_state[f"{key}:requested"] = asked
        st.rerun()


def prepare_dataset(page: str) -> None:
    """Follow the page's link to a dataset; to be called before the page and its frame name one.

    Args:
        page: Path of the page, "compare".
    """
    state = st.session_state
    state["arrived"], state["last_page"] = state.get("last_page") != page, page
    names = workspace().datasets.names()
    if names:
        _follow_links(names)
        prepare("dataset", names, _usual_dataset(names))


def dataset_switch() -> None:
    """Draw the switch of the dataset, which holds for all pages; nothing where there is none."""
    names = workspace().datasets.names()
    if not names:
        return
    start = _usual_dataset(names)
    st.selectbox(
        "Dataset",
        names,
        index=names.index(start),
        key="dataset",
        bind="query-params",
        persist_state="session",
        help="Holds for all pages. Import more on the Dataset page.",
    )


def _follow_links(names: Sequence[str]) -> None:
    """Switch to the dataset that a link names, itself or by a run; each link is followed once."""
    state = st.session_state
    dataset, run = st.query_params.get("dataset"), st.query_params.get("run")
    if dataset in names and (state["arrived"] or dataset != state.get("followed_dataset")):
        if dataset != state.get("dataset") and "dataset:requested" not in state:
            request("dataset", dataset)
    elif run and run != state.get("followed_run"):
        rows = workspace().runs.rows()
        own = next((r.dataset for r in rows if run in (r.run, called(r.run), shown(r.run))), "")
        if own in names and own != state.get("dataset"):
            request("dataset", own)
    state["followed_dataset"], state["followed_run"] = dataset, run


def arrived() -> bool:
    """Return whether this run of the script is the first on its page since another was shown."""
    return bool(st.session_state.get("arrived"))


def _usual_dataset(names: Sequence[str]) -> str:
    """Return the dataset that is shown before one was chosen: of the newest run, else the first."""
    runs = (r.dataset for r in workspace().runs.rows() if r.dataset in names)
    return next(runs, names[0])


def current_dataset() -> str | None:
    """Return the name of the current dataset; None in a workspace without datasets."""
    names = workspace().datasets.names()
    chosen = st.session_state.get("dataset") or st.query_params.get("dataset")
    return chosen if chosen in names else _usual_dataset(names) if names else None


def choose_dataset() -> str:
    """Return the current dataset; ends the page with a link where the workspace has none."""
    dataset = current_dataset()
    if dataset is None:
        empty(
            "There is no dataset yet. Import your images and masks, or open the demo.",
            "pages/home.py",
            "Go to Start",
        )
    return str(dataset)


def choose_run(kinds: Sequence[str] = SCORED, *, label: str = "Run", key: str = "run") -> str:
    """Let the user choose a finished run of the current dataset; ends the page without one."""
    names = finished_runs(kinds, current_dataset())
    if not names:
        no_runs(
            "There is no finished run yet. Train a model, or open the demo, which includes five."
        )
    return choose_model(label, names, key)


def no_runs(sentence: str) -> None:
    """Say that the dataset has no run to show, link to its training or other datasets; end the page."""
    rows, dataset = workspace().runs.rows(), current_dataset()
    finished = {r.dataset for r in rows if r.status.state == "finished"}
    known = [n for n in workspace().datasets.names() if n in finished and dataset not in finished]
    going = [
        r
        for r in rows
        if r.dataset == dataset and r.kind == "train" and r.status.state in QUEUED_OR_ACTIVE
    ]
    first = min(going, key=lambda r: r.status.state == "queued", default=None)
    if dataset is None or not (known or first):
        empty(sentence, "pages/home.py", "Go to Start")
    with st.container(border=True):
        start = f"**{plain(str(dataset))}** has no finished runs yet"
        if first:
            does = "waits in the queue" if first.status.state == "queued" else "is running"
            st.markdown(f"{start}. Its training {does}.")
        else:
            st.markdown(f"{start}. Train a model, or switch the dataset.")
        with st.container(horizontal=True):
            if first:
                st.page_link(
                    "pages/runs.py",
                    label="Watch the training",
                    icon=":material/monitoring:",
                    query_params={"run": first.run},
                )
            else:
                st.page_link("pages/train.py", label="Train", icon=":material/model_training:")
            for name in known[:4]:
                st.button(
                    f"Switch to {name}",
                    on_click=request,
                    args=("dataset", name),
                    key=f"switch_{name}",
                )
    st.stop()


def choose_model(
    label: str,
    names: Sequence[str],
    key: str,
    *,
    help: str | None = None,
    label_visibility: Literal["visible", "hidden", "collapsed"] = "visible",
) -> str:
    """Let the user choose a run by its title; an ensemble, which has a run per split, once.

    Args:
        label: What is chosen.
        names: Ids of the runs.
        key: Key of the selector, also in the link.
        help: Its tooltip.
        label_visibility: As of ``st.selectbox``.
    """
    models = once_per_model(names)
    options = list(dict.fromkeys(models.values()))
    by_name = {called(name): name for name in options} | models
    asked = st.query_params.get(key)
    if asked in by_name and shown(asked) != asked:
        # a link names the run by its id or whole title; from then on the address holds what is shown
        st.session_state[key] = by_name[asked]
        del st.query_params[key]
    elif st.session_state.get(key) in models:
        st.session_state[key] = models[st.session_state[key]]
    elif asked and asked not in {shown(name) for name in options}:
        known = {row.run for row in workspace().runs.rows()}
        if asked not in known and asked not in {shown(name) for name in known}:
            st.session_state.get(NOTICE, st).warning(
                f"The run {plain(asked)} of this link does not exist.", icon=":material/info:"
            )
            del st.query_params[key]
    prepare(key, options)
    return str(
        st.selectbox(
            label,
            options,
            format_func=shown,
            key=key,
            bind="query-params",
            persist_state="session",
            help=help,
            label_visibility=label_visibility,
        )
    )


def once_per_model(names: Sequence[str]) -> dict[str, str]:
    """Return for each run the one that represents it: the first of an ensemble's splits."""
    first: dict[str, str] = {}
    for name in reversed(names):
        first.setdefault(name.rsplit("--", 1)[0], name)
    return {name: first[name.rsplit("--", 1)[0]] for name in names}


def finished_runs(kinds: Sequence[str] = ("train",), dataset: str | None = None) -> list[str]:
    """Return the ids of finished runs of some kinds, newest first."""
    return [
        r.run
        for r in workspace().runs.rows()
        if r.kind in kinds and r.status.state == "finished" and dataset in (None, r.dataset)
    ]


def choose_split(
    splits: Sequence[str],
    *,
    default: str = "test",
    key: str = "split",
    label: str = "Split",
    label_visibility: Literal["visible", "hidden", "collapsed"] = "visible",
) -> str:
    """Let the user choose one of the splits; the link keeps it."""
    options = list(splits)
    start = default if default in options else options[0]
    prepare(key, options, start)
    return str(
        st.segmented_control(
            label,
            options,
            default=start,
            key=key,
            bind="query-params",
            required=True,
            label_visibility=label_visibility,
        )
    )


def choose_from(label: str, options: Sequence[str], key: str, *, help: str | None = None) -> str:
    """Let the user choose one of some names; the link keeps it, and so does a change of page."""
    prepare(key, options)
    return str(
        st.selectbox(
            label, list(options), key=key, bind="query-params", persist_state="session", help=help
        )
    )


def choose_image(
    images: Sequence[str],
    key: str,
    label: str,
    *,
    label_visibility: Literal["visible", "hidden", "collapsed"] = "visible",
) -> str:
    """Let the user choose one of many images; :func:`step` moves on from it.

    Of more than :data:`LISTED_IMAGES` only those around the chosen one are listed, as the browser
    is sent the whole list each time; any other is found by typing its name or a part of it.
    """
    names = list(images)
    prepare(key, names)
    many = len(names) > LISTED_IMAGES
    listed = names
    if many:
        now = st.session_state.get(key) or st.query_params.get(key)
        at = names.index(now) if now in names else 0
        first = max(0, min(at - LISTED_IMAGES // 2, len(names) - LISTED_IMAGES))
        listed = names[first : first + LISTED_IMAGES]
    return str(
        st.selectbox(
            label,
            listed,
            key=key,
            bind="query-params",
            help=IMAGE_HELP if label_visibility == "visible" else None,
            label_visibility=label_visibility,
            accept_new_options=many,
            on_change=_take_typed_image if many else None,
            args=(key, names, listed[0]) if many else None,
        )
    )


def _take_typed_image(key: str, names: Sequence[str], otherwise: str) -> None:
    """Turn what was typed into a selector of images into the image that is meant."""
    value = st.session_state.get(key)
    if value not in names:
        st.session_state[key] = find_image(names, str(value or "")) or otherwise


def find_image(names: Sequence[str], typed: str) -> str | None:
    """Return the first image whose name is a text, or ends with it, begins with it or holds it."""
    wanted = typed.strip().casefold()
    folded = [name.casefold() for name in names]
    ways = (str.__eq__, str.endswith, str.startswith, str.__contains__)
    pairs = ((way, name, own) for way in ways for name, own in zip(names, folded, strict=True))
    return next((name for way, name, own in pairs if wanted and way(own, wanted)), None)


def step(images: Sequence[str], key: str, by: int) -> None:
    """Move the choice of :func:`choose_image` by some places and run the page again."""
    names = list(images)
    request(key, names[(names.index(st.session_state[key]) + by) % len(names)])
    st.rerun()


def hex_colors(label_set: LabelSet) -> list[str]:
    """Return the classes' colours as ``#rrggbb``, in index order."""
    return [color_to_hex(c.color) for c in label_set.classes]


def csv_bytes(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Return rows as a CSV file, UTF-8 with a header line."""
    names = list(rows[0]) if rows else []
    return format_rows([names, *([row[name] for name in names] for row in rows)]).encode()


def plain(text: str) -> str:
    """Return a user's text escaped for Markdown: nothing in it is read as markup or HTML."""
    return re.sub(r"([\\`*_{}\[\]()<>#+!|$:~&-])", r"\\\1", text)
