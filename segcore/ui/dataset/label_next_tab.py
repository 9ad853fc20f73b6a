"""The tab Label next: unlabelled images, which of them to label first, and the way there and back."""

from collections.abc import Sequence

import streamlit as st

from segcore.data.dataset.dataset import POOL, Dataset
from segcore.errors import SegcoreError
from segcore.evaluation.metrics.label_next import ORDERS
from segcore.labels import plural
from segcore.ui.dataset import label_next_exchange as exchange
from segcore.ui.dataset import learning_curve
from segcore.ui.shared import background_tasks, manual, pictures, run_progress, session
from segcore.ui.shared.run_names import called, shown
from segcore.workspace.label_next.label_next import Suggestion, Suggestions

ROW = 4
"""Suggestions side by side."""

SIDE = 360
"""Longer side of a thumbnail, pixels."""

MOST = 100
"""Images of the largest batch that is shown."""

KINDS = ("train", "evaluate")


def show(dataset: Dataset) -> None:
    """Draw the tab: the unlabelled images, and what labelling more should bring."""
    _images(dataset)
    st.divider()
    learning_curve.show(dataset)


def _images(dataset: Dataset) -> None:
    """Draw which unlabelled images to label next."""
    exchange.outcome()
    with st.container(horizontal=True, vertical_alignment="center"):
        waiting = plural(len(dataset.pool), "unlabelled image")
        st.markdown(f"**{waiting}**", help=manual.see("In no split and no score.", "label-next"))
        exchange.add_images(dataset)
        exchange.take_answer(dataset)
    if not dataset.pool:
        st.caption(
            "Add images without masks: a network that is trained on the labelled ones says which of "
            "them are worth labelling next, and why."
        )
        return
    runs = session.finished_runs(KINDS, dataset.name)
    if not runs:
        st.caption("Train a network on the labelled images first; it then ranks these.")
        st.page_link("pages/train.py", label="Train", icon=":material/model_training:")
        return
    asked = _ask(runs)
    if asked is None:
        return
    chosen, by, count = asked
    if not _predicted(dataset, chosen):
        return
    suggestions = _suggest(dataset, chosen, by, count)
    if suggestions is not None:
        _show(dataset, suggestions)


def _ask(runs: Sequence[str]) -> tuple[tuple[str, ...], str, int] | None:
    """Ask whom, by what order, and how many; None while nobody is chosen."""
    left, middle, right = st.columns([5, 2, 1], vertical_alignment="bottom")
    options = list(dict.fromkeys(session.once_per_model(runs).values()))
    session.prepare_many("asked", options, options[:1])
    with left:
        chosen = st.multiselect(
            "Ask",
            options,
            default=options[:1],
            key="asked",
            format_func=shown,
            help="Runs and ensembles. With two members or more their disagreement counts.",
            bind="query-params",
        )
    with middle:
        by = session.choose_from(
            "Order by",
            list(ORDERS),
            "next_by",
            help=manual.see(
                " ".join(f"**{name}**: {text}" for name, text in ORDERS.items()), "label-next"
            ),
        )
    with right:
        count = int(
            st.number_input(
                "Images", 1, MOST, 12, key="next_count", help="Images of the batch, 1 to 100."
            )
        )
    return (tuple(chosen), by, count) if chosen else None


def _predicted(dataset: Dataset, runs: Sequence[str]) -> bool:
    """Return whether there is anything to rank; offer to predict what is missing."""
    label_next = session.workspace().label_next
    with session.errors_shown():
        members = label_next.members(dataset.name, runs)
        missing = label_next.unpredicted(dataset.name, runs)
    known = set(session.workspace().runs.ids())
    predictions = [name for m in members if (name := f"{m}--{POOL}") in known]
    if predictions and not run_progress.follow(predictions, "Predicting", "pool"):
        return False
    if missing:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(
                f"**{len(missing):,} of {len(dataset.pool):,}** unlabelled images wait for predictions by "
                f"{'this run' if len(members) == 1 else f'all {len(members)} members'}."
            )
            if st.button(
                "Predict unlabelled images", icon=":material/play_arrow:", key="predict_pool"
            ):
                with session.errors_shown():
                    label_next.predict(dataset.name, runs)
                st.rerun()
    return len(missing) < len(dataset.pool)


def _suggest(dataset: Dataset, runs: Sequence[str], by: str, count: int) -> Suggestions | None:
    workspace, name = session.workspace(), dataset.name
    made = [workspace.runs.open(f"{m}--{POOL}") for m in workspace.label_next.members(name, runs)]
    stamp = f"{dataset.fingerprint} {len(dataset.pool)} {[f.status().finished for f in made]}"
    return background_tasks.passed(
        f"label next {name} {' '.join(runs)} {by} {count} {stamp}",
        lambda tell: workspace.label_next.suggest(name, runs, by, count, tell),
        "Rank",
        "Reads the predictions of all unlabelled images once.",
        at_once=True,
    )


def _show(dataset: Dataset, suggestions: Suggestions) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(_about(suggestions), width="stretch")
        exchange.send(suggestions)
    images = suggestions.images
    for start in range(0, len(images), ROW):
        for place, column in enumerate(st.columns(ROW, gap="small"), start):
            if place < len(images):
                with column.container(border=True, height="stretch"):
                    _card(dataset, suggestions, place + 1, images[place])


def _about(suggestions: Suggestions) -> str:
    said = [f"Images are compared by {session.plain(suggestions.features)}."]
    if suggestions.duplicates:
        left_out = plural(len(suggestions.duplicates), "near-duplicate")
        said.append(f"{left_out} of labelled or chosen images left out.")
    if suggestions.unpredicted:
        said.append(f"{suggestions.unpredicted:,} not predicted yet.")
    return " ".join(said)


def _card(dataset: Dataset, suggestions: Suggestions, place: int, image: Suggestion) -> None:
    picture = _thumbnail(
        dataset, image.sample, str(dataset.image_path(dataset.sample(image.sample)))
    )
    if picture is not None:
        st.image(picture, width="stretch", alt=f"Image {image.sample}")
    known = [f"{name} {value:.3f}" for name, value in image.scores.items() if value is not None]
    st.markdown(f"**{place}** {session.plain(image.sample)}", help=", ".join(known))
    for reason in image.reasons or (f"{suggestions.by} {image.value:.3f}",):
        st.caption(session.plain(reason))
    st.page_link(
        "pages/edit.py",
        label="Label",
        icon=":material/edit:",
        query_params={
            "dataset": dataset.name,
            "sample": image.sample,
            "proposal": called(suggestions.runs[0]),
        },
    )


@st.cache_data(max_entries=400, max_size="40MB", show_spinner=False)
def _thumbnail(_dataset: Dataset, sample: str, file: str) -> bytes | None:
    try:
        return pictures.jpeg(pictures.thumbnail(_dataset, sample, SIDE, mask=False))
    except SegcoreError:
        return None
