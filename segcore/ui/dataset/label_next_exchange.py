"""What goes in and out of the tab Label next: images without masks, batches, answers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import streamlit as st

from segcore.data.dataset.dataset import Dataset
from segcore.data.formats.annotation_batches import TOOLS
from segcore.errors import SegcoreError
from segcore.labels import plural
from segcore.ui.shared import session
from segcore.ui.shared.sources import Source
from segcore.workspace.label_next.label_next import Suggestions

ARCHIVES = ["zip", "tar", "gz", "tgz", "bz2", "xz"]
SAID = "label_next_said"
"""What the last import brought: a sentence, and the problems."""

SHOWN = 50
"""Problems that are listed."""

Tell = Callable[[int, int, str], None]


def outcome() -> None:
    """Say what the last import brought, until it is dismissed."""
    said = st.session_state.get(SAID)
    if not said:
        return
    sentence, problems = said
    st.success(session.plain(sentence), icon=":material/check_circle:")
    if problems:
        with st.expander(plural(len(problems), "problem"), icon=":material/info:"):
            for problem in problems[:SHOWN]:
                st.caption(session.plain(problem))
    if st.button("Dismiss", type="tertiary", icon=":material/close:", key="label_next_seen"):
        del st.session_state[SAID]
        st.rerun()


def add_images(dataset: Dataset) -> None:
    """Offer to add images without masks."""
    with st.popover("Add unlabelled images", icon=":material/add_photo_alternate:"):
        source = _source("pool", "Folder or archive of images", ARCHIVES, "/data/more-images")
        copy = source.upload is not None or st.toggle(
            "Copy images into the workspace",
            value=True,
            key="pool_copy",
            help="Off: images stay where they are.",
        )
        if st.button(
            "Add images", type="primary", disabled=not source.given, icon=":material/add:"
        ):
            with _working() as tell, source.files() as files:
                report = session.workspace().pool.add(dataset.name, files, copy, tell)
                sentence = f"Added {plural(len(report.added), 'unlabelled image')}."
                _say(sentence, [problem.sentence for problem in report.problems])


def take_answer(dataset: Dataset) -> None:
    """Offer to take masks back from an annotation tool."""
    with st.popover("Import labels", icon=":material/move_to_inbox:"):
        st.caption(
            "What CVAT or Label Studio exported, or masks of this dataset's ids. Images are matched "
            "by name; those that have a mask get a new version of it."
        )
        source = _source(
            "answer", "Archive, folder or JSON file", [*ARCHIVES, "json"], "/data/answer.zip"
        )
        split = ask_split(dataset, "answer_split")
        if st.button(
            "Import labels", type="primary", disabled=not source.given, icon=":material/download:"
        ):
            with _working() as tell, source.files() as files:
                report = session.workspace().annotation_tools.take_back(
                    dataset.name, files, split, progress=tell
                )
                joined = f" in {report.split}" if report.split and report.labelled else ""
                _say(
                    f"{report.form}: {len(report.labelled)} newly labelled{joined}, "
                    f"{len(report.changed)} changed, {len(report.same)} as they were.",
                    list(report.problems),
                )


def ask_split(dataset: Dataset, key: str) -> str:
    """Ask which split an image joins by its first mask; "train" where the dataset has none."""
    options = dataset.splits
    if not options:
        return "train"
    session.prepare(key, options, "train" if "train" in options else options[0])
    return str(
        st.selectbox(
            "Newly labelled images join",
            options,
            key=key,
            help="Images that a network found hard are no fair sample: train is the place for them.",
        )
    )


def first_mask(dataset: Dataset, key: str) -> None:
    """Say that an image has no mask yet, and ask which split it joins with its first one."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        ask_split(dataset, key)
        st.page_link(
            "pages/dataset.py",
            label="Label next",
            icon=":material/format_list_numbered:",
            query_params={"show": "Label next"},
        )
        st.caption("This image has no mask yet. With the first save it becomes a labelled one.")


def send(suggestions: Suggestions) -> None:
    """Offer to write the batch for an annotation tool."""
    with st.popover("Send to a tool", icon=":material/outbox:"):
        tool = st.selectbox("Tool", list(TOOLS), format_func=TOOLS.__getitem__, key="batch_tool")
        folder = st.text_input(
            "New folder on this machine",
            placeholder=f"/data/{suggestions.dataset}-batch",
            key="batch_folder",
        ).strip()
        if st.button("Write batch", disabled=not folder, icon=":material/upload:", key="batch"):
            with _working() as tell:
                written = session.workspace().annotation_tools.export(
                    suggestions.dataset,
                    [image.sample for image in suggestions.images],
                    Path(folder).expanduser(),
                    tool,
                    suggestions.runs[0],
                    tell,
                )
                st.success(
                    f"Written to {session.plain(str(written))}; README.txt there says how "
                    f"{TOOLS[tool]} takes it.",
                    icon=":material/check_circle:",
                )


def _source(key: str, label: str, kinds: list[str], example: str) -> Source:
    path = st.text_input(label, placeholder=example, key=f"{key}_path")
    upload = st.file_uploader("Or upload it", type=kinds, key=f"{key}_upload")
    return Source(upload, path)


@contextmanager
def _working() -> Iterator[Tell]:
    """Show progress, and an error as a sentence."""
    bar = st.progress(0.0, text="Reading …")

    def tell(done: int, total: int, what: str) -> None:
        bar.progress(done / max(total, 1), text=f"{done:,} of {total:,}: {what}")

    try:
        yield tell
    except SegcoreError as error:
        st.error(session.plain(str(error)), icon=":material/error:")
    finally:
        bar.empty()


def _say(sentence: str, problems: list[str]) -> None:
    st.session_state[SAID] = sentence, problems
    st.rerun()
