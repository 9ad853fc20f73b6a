"""What the train page says before a start: a suggested plan, what a run will take, what may go wrong, and many runs at once.

The train page's measure: a few real steps of these choices in the background, to know time and
memory before a start.
"""

import time
from typing import Any

import streamlit as st

from segcore.config import TrainConfig
from segcore.errors import SegcoreError
from segcore.ui.shared import figures, manual, session
from segcore.ui.shared.dataset_scans import stamp
from segcore.ui.train import presets
from segcore.workspace import Workspace
from segcore.workspace.costs import Estimate
from segcore.workspace.launch.grid import FIELDS, combine, read_values
from segcore.workspace.launch.suggestions import Suggestion
from segcore.workspace.launch.throughput import Throughput

GIB = 1 << 30
DOCS = "data-measures#what-a-run-will-take"
MEMBERS = 5
"""How many members one click starts."""
COMMON = (
    "learning_rate",
    "loss",
    "architecture",
    "encoder",
    "augmentation",
    "batch_size",
    "size",
    "optimizer",
    "schedule",
    "seed",
)


def suggestion(dataset: str) -> None:
    """Draw the suggested plan with its reasons, and offer to take it."""
    opened = session.workspace().datasets.open(dataset)
    with st.expander(
        "A suggested plan, with its reasons",
        icon=":material/lightbulb:",
        expanded=presets.is_default(),
    ):
        try:
            plan = _suggest(session.workspace(), dataset, stamp(opened), tuple(opened.plans()))
        except SegcoreError as error:
            st.caption(f"No plan can be suggested: {error}")
            return
        for what, chosen, why in plan.reasons:
            name, value = st.columns([1, 4], gap="small", vertical_alignment="top")
            name.markdown(f":gray[{what}]")
            value.markdown(f"**{session.plain(chosen)}** :gray[{session.plain(why)}]")
        with st.container(horizontal=True):
            kind: Any = "primary" if presets.is_default() else "secondary"
            if st.button("Take this plan", icon=":material/check:", key="take_plan", type=kind):
                presets.begin(plan.config)
                st.rerun()
            help_text = (
                "Starts now: runs that differ in their seed only. Their mean probability is an "
                "ensemble."
            )
            if st.button(
                f"Start {MEMBERS} members of it",
                icon=":material/groups:",
                key="start_members",
                help=help_text,
            ):
                with session.errors_shown():
                    runs = session.workspace().runs.train(plan.config, members=MEMBERS)
                st.switch_page("pages/runs.py", query_params={"run": runs[0]})


@st.cache_data(max_entries=20, ttl=60, show_spinner="Counting classes ...")
def _suggest(_workspace: Workspace, dataset: str, stamp: str, plans: tuple[str, ...]) -> Suggestion:
    return _workspace.launch.suggest(dataset)


def before(config: TrainConfig, runs: int) -> None:
    """Draw what the runs will take, and every conflict."""
    launch = session.workspace().launch
    try:
        estimate = launch.estimate(config)
        conflicts = launch.conflicts(config, runs)
        pace = session.workspace().throughput.expected(config)
        lineup = launch.members(config, runs) if runs > 1 else ""
    except SegcoreError as error:
        st.warning(str(error), icon=":material/warning:")
        return
    with st.container(border=True, key="before"):
        cards = st.columns(4)
        help_text = "Weights of encoder and decoder together, from a table; estimated."
        cards[0].metric(
            "Parameters", f"{estimate.parameters / 1e6:.1f} M", help=manual.see(help_text, DOCS)
        )
        title = "Memory, at most" if _is_measured(pace) else "Memory, about"
        cards[1].metric(title, _memory(estimate, pace), help=manual.see(_memory_help(pace), DOCS))
        help_text = f"For {runs} run(s): best weights, checkpoint, masks by epoch."
        cards[2].metric(
            "Disk, about", figures.size(estimate.disk * runs), help=manual.see(help_text, DOCS)
        )
        seconds = _epoch_seconds(config, pace)
        rough = "~ " if pace is not None and not pace.is_measured else ""
        title = "An epoch" if _is_measured(pace) else "An epoch, about"
        shown = rough + _short(seconds) if seconds is not None else "not known"
        cards[3].metric(title, shown, help=manual.see(_pace_help(pace), DOCS))
        with st.container(horizontal=True, vertical_alignment="center", key="pace_row"):
            offer(config, pace)
            if seconds is not None:
                st.caption(f"{_whole(config, runs, seconds, rough)} {measured_when(pace)}")
        if lineup:
            st.caption(f":material/groups: {runs} members. {session.plain(lineup)}")
        for sentence in conflicts:
            st.markdown(f":orange[:material/warning:] {session.plain(sentence)}")
        if not conflicts:
            st.caption(":material/check: Nothing speaks against it.")


def _is_measured(pace: Throughput | None) -> bool:
    return pace is not None and pace.memory is not None


def _memory(estimate: Estimate, pace: Throughput | None) -> str:
    return (
        f"{(pace.memory if pace is not None and pace.memory is not None else estimate.memory) / GIB:.1f} "
        ""
        "GiB"
    )


def _memory_help(pace: Throughput | None) -> str:
    if _is_measured(pace):
        return "Measured over a few steps: of the whole process, or of the GPU that used most."
    return (
        "Parameters, gradients, optimizer, and what the backward pass keeps of each image. "
        "Estimated, not measured."
    )


def _epoch_seconds(config: TrainConfig, pace: Throughput | None) -> float | None:
    if pace is None or pace.epoch_seconds is not None:
        return None if pace is None else pace.epoch_seconds
    return (
        len(session.workspace().datasets.open(config.dataset).select(config.train_split))
        / pace.images_per_second
    )


def _short(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 10 else figures.duration(seconds)


def _whole(config: TrainConfig, runs: int, seconds: float, rough: str) -> str:
    """Say how long all of it takes, one run after another."""
    epochs = config.recipe.epochs
    times = f"{epochs:,} epochs" + (f" x {runs} runs, one after another" if runs > 1 else "")
    early = ", less where it stops early" if config.recipe.patience else ""
    return f"{times}: {rough or 'about '}{figures.duration(seconds * epochs * runs)}{early}."


def _pace_help(pace: Throughput | None) -> str:
    if pace is None:
        return "No run has ended here yet. Measure a few steps, or let the first run tell."
    if pace.epoch_seconds is not None:
        return (
            f"Measured: {pace.images_per_second:.1f} images a second, with the balance plan's "
            "repeats and validation."
        )
    if not pace.is_measured:
        return (
            f"A rough guess from {pace.run}, another network, by the operations of the two; it "
            "may be off by a factor of three."
        )
    return (
        f"At {pace.images_per_second:.1f} images a second, as {pace.run} had; repeats of a "
        "balance plan and validation come on top."
    )


def vary(config: TrainConfig, members: int) -> None:
    """Offer to start every combination of some values, and say how many runs that makes before it does."""
    with st.expander("Launch a study: many runs at once", icon=":material/grid_view:"):
        st.caption(
            "Choose fields and list their values; every combination becomes a run like the "
            "one above, tagged and queued."
        )
        names = [*COMMON, *(name for name in FIELDS if name not in COMMON)]
        help_text = "What shall differ between the runs; up to four."
        chosen = st.multiselect(
            "Fields",
            names,
            key="vary_fields",
            max_selections=4,
            format_func=lambda n: n.replace("_", " "),
            help=help_text,
        )
        choices: dict[str, list[Any]] = {}
        for name in chosen:
            current = FIELDS[name].write(FIELDS[name].get(config))
            text = st.text_input(
                name.replace("_", " ").capitalize(),
                current,
                key=f"vary_{name}",
                help="Values, separated by commas.",
            )
            try:
                choices[name] = read_values(name, text)
            except SegcoreError as error:
                st.error(str(error), icon=":material/error:")
                return
        if not chosen:
            return
        tag = st.text_input(
            "Tag", "study", key="vary_tag", help="By it the runs are found again on the runs page."
        )
        try:
            configs = combine(config, choices)
        except SegcoreError as error:
            st.error(str(error), icon=":material/error:")
            return
        total = len(configs) * members
        words = " x ".join(str(len(values)) for values in choices.values()) + (
            f" x {members} members" if members > 1 else ""
        )
        st.markdown(f"{words} = **{total} runs**")
        if st.button(
            f"Queue {total} runs",
            icon=":material/playlist_play:",
            key="launch_ablation",
            type="primary",
        ):
            with session.errors_shown():
                runs = session.workspace().launch.launch(config, choices, members, tag.strip())
            st.toast(f"Queued {len(runs)} runs")
            st.switch_page("pages/runs.py", query_params={"run": runs[0]})


HELP = (
    "Makes a few real steps of these choices in the background, in about half a minute; what "
    "they learn is thrown away."
)


def offer(config: TrainConfig, pace: Throughput | None) -> None:
    """Draw the button that measures a config; while it is measured, how far that is, and how the last attempt failed.

    Args:
        config: What the form says.
        pace: What is known of it.
    """
    status = session.workspace().throughput.status(config)
    if status is not None and not status.has_ended:
        st.fragment(_panel, run_every=1)(config)
        return
    known = pace is not None and pace.epoch_seconds is not None
    if st.button(
        "Measure again" if known else "Measure a few steps",
        key="measure",
        icon=":material/timer:",
        help=HELP,
    ):
        try:
            session.workspace().throughput.start(config)
        except SegcoreError as error:
            st.error(str(error), icon=":material/error:")
            return
        st.rerun()
    if status is not None and status.state != "finished":
        st.caption(f":orange[:material/warning:] Not measured: {session.plain(status.cause)}")


def _panel(config: TrainConfig) -> None:
    status = session.workspace().throughput.status(config)
    if status is None or status.has_ended:
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center"):
        words = {"starting": "Starting TensorFlow", "running": status.message or "Preparing"}.get(
            status.state, status.state
        )
        st.progress(min(max(status.progress, 0.0), 1.0), text=f"Measuring: {words}")
        if st.button("Stop", key="stop_measure", icon=":material/stop:", type="tertiary"):
            with session.errors_shown():
                session.workspace().throughput.stop(config)
            st.rerun()


def measured_when(pace: Throughput | None) -> str:
    """Say when and on what a pace was measured; "" where it was not."""
    if pace is None or pace.measured is None:
        return ""
    ago = max(0.0, time.time() - pace.measured)
    when = (
        "just now"
        if ago < 60
        else f"{figures.duration(ago)} ago"
        if ago < 86_400
        else f"{ago / 86_400:.0f} days ago"
    )
    beside = (
        f" while {len(pace.beside)} of your runs worked: alone it is faster" if pace.beside else ""
    )
    return f"Measured {when} over {pace.steps} steps on {session.plain(pace.device)}{beside}."
