"""The card next to the training form: what a run takes, what may go wrong, and its start."""

import time

import streamlit as st

from segcore.catalog.hub import is_hub
from segcore.config import TrainConfig
from segcore.errors import SegcoreError
from segcore.formatting import duration, gib, plural
from segcore.ui.shared import login, manual, run_links, session
from segcore.workspace.costs import Estimate
from segcore.workspace.launch.throughput import Throughput

DOCS = "data-measures#what-a-run-will-take"
ENSEMBLE = 5
"""Models that the ensemble button trains."""
STYLE = """<style>
@media (min-width: 1000px) {
  [data-testid="stColumn"]:has(.st-key-train_card) {
    position: sticky; top: 4rem; align-self: flex-start;
    max-height: calc(100vh - 5rem); overflow-y: auto;
  }
}
@media (max-width: 999px) {
  [data-testid="stHorizontalBlock"]:has(> [data-testid="stColumn"] .st-key-train_card) > [data-testid="stColumn"] {
    flex: 1 1 100%; min-width: 100%;
  }
}
</style>"""
"""Keeps the card in view while the form scrolls."""


def card(config: TrainConfig | None, members: int, problem: str) -> None:
    """Draw the card.

    Args:
        config: The form's values; None while they are refused.
        members: Size of the ensemble.
        problem: Why the values are refused.
    """
    st.html(STYLE)
    with st.container(border=True, key="train_card"):
        fits = 1 <= members <= 100
        refusal, mismatch = "", None
        if config is None:
            st.warning(session.plain(problem), icon=":material/warning:")
        elif fits:
            workspace = session.workspace()
            with session.errors_shown():
                mismatch = workspace.launch.plan_mismatch(config)
            refusal = workspace.doctor.refusal(config)
            if not refusal and mismatch and mismatch.refuses:
                refusal = mismatch.message
            refusal = refusal or workspace.runs.refusal(config)
            _before(config, members, refusal)
        if refusal:
            st.error(session.plain(refusal), icon=":material/block:")
        if mismatch and config is not None:
            st.page_link(
                "pages/balance.py",
                label="Balance",
                icon=":material/balance:",
                query_params={"dataset": config.dataset},
            )
        _start(config if fits and not refusal else None, members)


def _before(config: TrainConfig, members: int, refusal: str) -> None:
    """Draw what the runs will take, and every conflict; a refusal is drawn after it."""
    workspace = session.workspace()
    try:
        estimate = workspace.launch.estimate(config)
        conflicts = workspace.launch.conflicts(config, members)
        throughput = workspace.throughput.expected(config)
        lineup = workspace.launch.members(config, members) if members > 1 else ""
        notice = workspace.doctor.notice(config, workspace.runs.devices())
    except SegcoreError as error:
        st.warning(session.plain(str(error)), icon=":material/warning:")
        return
    _metrics(config, members, estimate, throughput)
    if is_hub(config.model.encoder):
        st.caption("Estimates are those of an encoder of about the same size: benchmark this one.")
    _benchmark(config, throughput)
    if lineup:
        st.caption(f":material/groups: {plural(members, 'model')}. {session.plain(lineup)}")
    for sentence in [notice] * bool(notice) + conflicts:
        st.markdown(f":orange[:material/warning:] {session.plain(sentence)}")
    if not (conflicts or notice or refusal):
        st.caption(":material/check: No problems found.")


def _metrics(
    config: TrainConfig, members: int, estimate: Estimate, throughput: Throughput | None
) -> None:
    first, second = st.columns(2), st.columns(2)
    first[0].metric(
        "Parameters",
        f"{estimate.parameters / 1e6:.1f} M",
        help=manual.see("Weights of encoder and decoder, from a table.", DOCS),
    )
    peak = throughput.memory if throughput else None
    first[1].metric(
        "Est. memory" if peak is None else "Peak memory",
        gib(estimate.memory if peak is None else peak),
        help=manual.see(
            "Parameters, gradients, optimizer state and activations of a batch; estimated."
            if peak is None
            else "Measured over a few steps: of the process, or of the GPU that used most.",
            DOCS,
        ),
    )
    speeds = session.workspace().throughput
    seconds = speeds.epoch_seconds(config, throughput) if throughput else None
    second[0].metric(
        "Time per epoch" if peak is not None else "Rough time per epoch",
        "unknown" if seconds is None else _seconds(seconds),
        help=manual.see(_throughput_help(throughput), DOCS),
    )
    second[1].metric(
        "Est. disk",
        gib(estimate.disk * members, 2),
        help=manual.see(
            "Best weights, checkpoint, validation masks and predictions of "
            f"{plural(members, 'run')}.",
            DOCS,
        ),
    )
    if seconds is not None:
        st.caption(f"{_total(config, members, seconds)} {measured_when(throughput)}")
    st.caption(_images(config, *speeds.epoch_images(config)))


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 10 else duration(seconds)


def _images(config: TrainConfig, trained: int, validated: int) -> str:
    """Say how many images an epoch has, and which balance plan repeats them."""
    name = session.plain(config.balance_plan)
    plan = f" with the balance plan {name}" if name else ""
    validation = f", {plural(validated, 'image')} for validation" if validated else ""
    return f"An epoch: {plural(trained, 'image')}{plan}{validation}."


def _total(config: TrainConfig, members: int, seconds: float) -> str:
    """Say how long all runs take, one after another."""
    epochs = config.recipe.epochs
    runs = f" x {members} models" if members > 1 else ""
    early = ", less with early stopping" if config.recipe.patience else ""
    total = duration(seconds * epochs * members)
    return f"{plural(epochs, 'epoch')}{runs}: about {total}{early}."


def _throughput_help(throughput: Throughput | None) -> str:
    if throughput is None:
        return "No run has finished here yet. Benchmark to measure a few steps."
    rate = f"{throughput.images_per_second:.1f} images/s"
    if throughput.epoch_seconds is not None:
        return f"Measured: {rate}, with the balance plan's repeats and validation."
    if not throughput.is_measured:
        return (
            f"A rough guess from {throughput.run}, another model, by the operations of the two; it "
            "may be off by a factor of three."
        )
    return (
        f"Rough: the images of an epoch, a validated one counted as a third, at {rate} as in "
        f"{throughput.run}. Benchmark to measure it."
    )


def measured_when(throughput: Throughput | None) -> str:
    """Say when and on what a throughput was measured; "" where it was not."""
    if throughput is None or throughput.measured is None:
        return ""
    ago = max(0.0, time.time() - throughput.measured)
    when = (
        "just now"
        if ago < 60
        else f"{duration(ago)} ago"
        if ago < 86_400
        else f"{plural(round(ago / 86_400), 'day')} ago"
    )
    others = len(throughput.beside)
    beside = f" while {plural(others, 'other run')} ran; alone it is faster" if others else ""
    steps = plural(throughput.steps, "step")
    return f"Measured {when} over {steps} on {session.plain(throughput.device)}{beside}."


def _benchmark(config: TrainConfig, throughput: Throughput | None) -> None:
    """Draw the button that measures a few steps, its progress, and why it failed."""
    probe = session.workspace().throughput
    status = probe.status(config)
    if status is not None and not status.has_ended:
        st.fragment(session.guarded(_progress), run_every=1)(config)
        return
    known = throughput is not None and throughput.epoch_seconds is not None
    if st.button(
        "Benchmark again" if known else "Benchmark",
        key="measure",
        icon=":material/timer:",
        help="Runs a few training steps in the background, about half a minute, to measure time "
        "and memory; the result of the training is discarded.",
    ):
        try:
            probe.start(config)
        except SegcoreError as error:
            st.error(str(error), icon=":material/error:")
            return
        st.rerun()
    if status is not None and status.state != "finished":
        st.caption(f":orange[:material/warning:] Benchmark failed: {session.plain(status.cause)}")


def _progress(config: TrainConfig) -> None:
    status = session.workspace().throughput.status(config)
    if status is None or status.has_ended:
        st.rerun()
    step = {"starting": "starting the engine", "running": status.message or "preparing"}
    with st.container(horizontal=True, vertical_alignment="center"):
        text = f"Benchmark: {step.get(status.state, status.state)}"
        st.progress(min(max(status.progress, 0.0), 1.0), text=text)
        if st.button("Stop", key="stop_measure", icon=":material/stop:", type="tertiary"):
            with session.errors_shown():
                session.workspace().throughput.stop(config)
            st.rerun()


def _start(config: TrainConfig | None, members: int) -> None:
    """Draw name, tags, note and the buttons that start."""
    with st.expander("Name, tags and note", icon=":material/label:"):
        name = st.text_input(
            "Name",
            key="run_name",
            placeholder="dataset-architecture-encoder",
            help="What the run's id begins with; empty for dataset, architecture and encoder.",
        )
        rows = session.workspace().runs.rows()
        tags = st.multiselect(
            "Tags",
            sorted({tag for row in rows for tag in row.annotations.tags}),
            key="run_tags",
            accept_new_options=True,
            placeholder="Choose or type tags",
            help="Tags of the run, to filter by on the Runs page.",
        )
        text = st.text_area("Note", key="run_note", height=80, help="Shown with the run.")
    wanted = 0
    if st.button(
        "Start training",
        type="primary",
        icon=":material/play_arrow:",
        key="start_training",
        shortcut="Ctrl+Enter",
        width="stretch",
        **login.editors_only(config is None),
    ):
        wanted = members
    if members < 2 and st.button(
        f"Start {ENSEMBLE}-model ensemble",
        icon=":material/groups:",
        key="start_members",
        width="stretch",
        **login.editors_only(
            config is None,
            f"Starts {ENSEMBLE} runs that differ in their seeds; their averaged probabilities "
            "are an ensemble.",
        ),
    ):
        wanted = ENSEMBLE
    if not wanted or config is None:
        return
    with session.errors_shown():
        runs = session.workspace().launch.start(
            config, wanted, name=name.strip(), tags=tags, note=text.strip()
        )
    for key in ("run_name", "run_note"):
        st.session_state.pop(key, None)
    st.toast("Run queued" if len(runs) == 1 else f"{len(runs)} runs queued")
    run_links.watch(runs[0])
