"""The Runs page's view of one run: status, actions, and tabs.

What a finished run's network can be taken away as, and who computed a prediction.
"""

import re
from collections.abc import Sequence
from typing import Any

import streamlit as st

from segcore import formatting
from segcore.catalog import EXPORT_FORMATS, RUN_EXPORTS
from segcore.config import RunConfig, TrainConfig, to_json
from segcore.errors import SegcoreError
from segcore.runs.folder.history import without_chatter
from segcore.runs.folder.status import ACTIVE, QUEUED_OR_ACTIVE
from segcore.ui.runs import actions, curves, differences, monitor, retraining, table
from segcore.ui.shared import confirm, login, run_links, run_progress, session

BADGES = {
    "queued": ("gray", ":material/schedule:"),
    "starting": ("blue", ":material/hourglass_top:"),
    "running": ("blue", ":material/play_circle:"),
    "stopping": ("orange", ":material/pause_circle:"),
    "finished": ("green", ":material/check_circle:"),
    "failed": ("red", ":material/error:"),
    "interrupted": ("orange", ":material/stop_circle:"),
}


def details(run: str, chosen: Sequence[str] = ()) -> None:
    """Draw one run: state, buttons, tabs; it follows by itself while the run is active.

    Args:
        run: The run.
        chosen: Runs chosen in the table, whose curves are drawn with its own.
    """
    with session.errors_shown():
        folder = session.workspace().runs.open(run)
        active = folder.status().state in QUEUED_OR_ACTIVE
    st.fragment(session.guarded(_head), run_every=1 if active else None)(run, active)
    if folder.config.kind == "train" and folder.status().state == "finished":
        retraining.show(run)
    names = ["Curves", "Validation previews", "Devices", "Log", "Config", "Environment", "Notes"]
    kind = folder.config.kind
    if any(other != run for other in chosen):
        names.insert(names.index("Config") + 1, "Differences")
    if kind != "train":
        names = [
            name
            for name in names
            if name not in ("Curves", "Validation previews") or folder.metrics()
        ]
    start = st.session_state.get("run_tab")
    shown = st.segmented_control(
        "Part",
        names,
        default=start if start in names else names[0],
        key=f"run_tab_{kind}",
        required=True,
        label_visibility="collapsed",
    )
    st.session_state["run_tab"] = shown
    parts = {
        "Curves": lambda: curves.curves(run, chosen, active),
        "Validation previews": lambda: monitor.mask_history(run, active),
        "Devices": lambda: monitor.devices(run, active),
        "Log": lambda: _log(run, active),
        "Config": lambda: _config(run, folder.config),
        "Differences": lambda: differences.show([run, *(r for r in chosen if r != run)]),
        "Environment": lambda: monitor.made_with(run),
        "Notes": lambda: _notes(run),
    }
    parts[str(shown)]()


def _head(run: str, was_active: bool) -> None:
    with session.errors_shown():
        folder = session.workspace().runs.open(run)
        status = folder.status()
        config = folder.config
    if was_active and status.state not in QUEUED_OR_ACTIVE:
        st.rerun()
    color, icon = BADGES.get(status.state, ("gray", ":material/help:"))
    with st.container(horizontal=True, vertical_alignment="center", key="run_head"):
        st.badge(table.state_title(status.state), color=color, icon=icon)  # type: ignore[arg-type]
        if status.message and status.state in QUEUED_OR_ACTIVE:
            st.caption(status.message)
        if status.by:
            st.caption(f"Started by {session.plain(status.by)}")
        _buttons(run, status.state, config, status.diverged)
    if config.kind == "predict":
        computed_by(run)
    with session.errors_shown():
        trained_on = session.workspace().monitor.bands(run)
    if trained_on:
        st.caption(trained_on)
    if status.cause:
        st.warning(status.cause, icon=":material/info:")
    if status.state in ACTIVE:
        _progress(status)


def _progress(status: Any) -> None:
    run_progress.bar(status)
    if status.is_silent():
        st.warning(
            (
                "This process has written nothing for three minutes and may hang. Stop it, or "
                "check its log."
            ),
            icon=":material/warning:",
        )


def _buttons(run: str, now: str, config: RunConfig, diverged: bool = False) -> None:
    """Draw what can be done with a run in its state ``now``, and the pages that show it."""
    untrained = config.kind == "train" and now == "failed" and not _has_trained(run)
    if untrained:
        _change_settings(run, config.dataset)
    _stop_and_resume(run, now, diverged, untrained)
    if now == "finished" and config.kind in ("train", "evaluate"):
        query = {"run": run, "dataset": config.dataset}
        run_links.compare_masks(query)
        run_links.evaluate(query)
        run_links.predict(query)
    if now == "finished" and config.kind == "train":
        offer(run)
    if config.kind == "train":
        _export(run)
        if not untrained:
            st.page_link(
                "pages/train.py",
                label="Duplicate",
                icon=":material/content_copy:",
                query_params={"dataset": config.dataset, "from_run": run},
            )
    if config.kind == "tune":
        query = {"dataset": config.dataset, "study": run}
        st.page_link("pages/tune.py", label="Trials", icon=":material/tune:", query_params=query)
    if config.kind in ("train", "predict"):
        _drop_button(run)
    if now not in QUEUED_OR_ACTIVE:
        actions.delete_button([run], "delete")


def _has_trained(run: str) -> bool:
    """Whether a run got as far as its first epoch: then it can resume where it broke off."""
    folder = session.workspace().runs.open(run)
    return bool(folder.status().epoch or folder.metrics())


def _change_settings(run: str, dataset: str) -> None:
    """Draw the button that opens the Train page with the settings of a run that never trained."""
    if st.button(
        "Change settings",
        type="primary",
        icon=":material/tune:",
        key="change_settings",
        help="Opens the Train page with the settings of this run.",
    ):
        session.request("dataset", dataset)
        run_links.train_with(from_run=run)


def _stop_and_resume(run: str, now: str, diverged: bool, untrained: bool) -> None:
    """Draw the button that stops an active run, or those that resume one that broke off."""
    runs = session.workspace().runs
    if now in QUEUED_OR_ACTIVE and st.button(
        "Stop",
        icon=":material/stop:",
        key="stop",
        **login.editors_only(help="Stops after a checkpoint; press again to force."),
    ):
        with session.errors_shown():
            runs.stop(run)
        st.rerun()
    if now in ("failed", "interrupted") and st.button(
        "Try again" if untrained else "Resume",
        icon=":material/resume:",
        key="resume",
        type="tertiary" if untrained else "secondary",
        **login.editors_only(
            help="Starts again with the same settings, once the cause is gone."
            if untrained
            else "Resumes from the last checkpoint."
        ),
    ):
        with session.errors_shown():
            runs.resume(run)
        st.rerun()
    if (
        now == "failed"
        and diverged
        and st.button(
            "Resume at half the learning rate",
            icon=":material/slow_motion_video:",
            key="resume_slower",
            **login.editors_only(help="Resumes from the last good checkpoint."),
        )
    ):
        with session.errors_shown():
            runs.resume(run, learning_rate_factor=0.5)
        st.rerun()


def _drop_button(run: str) -> None:
    """Draw the button that frees the disk space of a run's probabilities, after a question."""
    storage = session.workspace().probability_storage
    if not storage.has_any(run):
        return

    def lost() -> list[str]:
        stored = storage.stored(run)
        return [
            f"The probabilities of {formatting.plural(stored.images, 'image')} "
            f"({formatting.size(stored.bytes)}) are removed from the disk:",
            confirm.listed(stored.runs),
            "Masks, scores and comparisons stay. Ensembles, the CRF, calibration and label errors "
            "need the split predicted again.",
        ]

    def act() -> None:
        st.toast(f"Freed {formatting.size(storage.drop(run).bytes)}")

    confirm.button(
        "Drop probabilities",
        "drop_probabilities",
        about=run,
        title="Drop probabilities?",
        lost=lost,
        confirm="Drop probabilities",
        act=act,
        icon=":material/compress:",
        type="tertiary",
        help="Frees disk space; masks and scores stay.",
    )


def _export(run: str) -> None:
    with st.popover("Export", icon=":material/ios_share:", type="tertiary"):
        tracker = st.selectbox(
            "Tracker", list(RUN_EXPORTS), format_func=lambda t: RUN_EXPORTS[t].title, key="tracker"
        )
        st.caption(RUN_EXPORTS[tracker].summary)
        missing = session.workspace().exports.missing(tracker)
        if missing:
            st.markdown(f"Not installed here: `{missing}`")
        labels = {"tensorboard": "Folder", "mlflow": "Tracking URI", "wandb": "Project"}
        target = st.text_input(
            labels[tracker],
            key=f"target_{tracker}",
            placeholder="segscope" if tracker == "wandb" else "in the workspace",
        )
        if st.button("Export run", type="primary", key="export_run", disabled=bool(missing)):
            try:
                with st.spinner("Exporting …"):
                    text_of = session.workspace().exports.export(run, tracker, target)
            except SegcoreError as error:
                st.error(str(error), icon=":material/error:")
            else:
                st.success(text_of, icon=":material/check:")


def _log(run: str, active: bool) -> None:
    @st.fragment(run_every=2 if active else None)
    @session.guarded
    def panel() -> None:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            wanted = st.text_input(
                "Search the log",
                key="log_search",
                placeholder="Words or a regular expression",
                icon=":material/search:",
            )
            folder = session.workspace().runs.open(run)
            path = folder.log_path
            st.download_button(
                "Download log",
                lambda: path.read_bytes(),
                f"{run}-log.txt",
                "text/plain",
                key="log_file",
                icon=":material/download:",
                on_click="ignore",
                disabled=not path.exists(),
            )
        lines = without_chatter(folder.log_tail(5000 if wanted else 400))
        if wanted:
            matching = _search(lines, wanted)
            st.caption(f"{len(matching):,} of {len(lines):,} lines")
            lines = matching[-1000:]
        st.code(
            "\n".join(lines) or ("No matching lines." if wanted else "Nothing written yet."),
            language=None,
            height=320,
        )

    panel()


def _search(lines: list[str], wanted: str) -> list[str]:
    try:
        pattern = re.compile(wanted, re.IGNORECASE)
    except re.error:
        pattern = re.compile(re.escape(wanted), re.IGNORECASE)
    return [line for line in lines if pattern.search(line)]


def _config(run: str, config: RunConfig) -> None:
    if isinstance(config, TrainConfig):
        st.markdown("CLI command")
        st.code(session.workspace().configs.command(config), language="bash", wrap_lines=True)
        _save_config(run, config)
    st.json(to_json(config))


def _save_config(run: str, config: TrainConfig) -> None:
    with st.popover("Save config", icon=":material/bookmark_add:"):
        name = st.text_input(
            "Config name",
            value=f"{config.model.architecture}-{config.model.encoder}",
            key=f"config_name_{run}",
        )
        if st.button("Save config", type="primary", key="save_config"):
            try:
                session.workspace().configs.save(name, config)
            except SegcoreError as error:
                st.error(str(error), icon=":material/error:")
            else:
                st.toast(f"Saved as {name}. Choose it on the Train page.")


def _notes(run: str) -> None:
    annotations = session.workspace().annotations
    with session.errors_shown():
        notes = annotations.notes(run)
        known = sorted(
            {tag for row in session.workspace().runs.rows() for tag in row.annotations.tags}
        )
    with st.form(f"notes_{run}", border=False):
        tags = st.multiselect(
            "Tags",
            known,
            default=list(notes.tags),
            accept_new_options=True,
            placeholder="Choose or type",
        )
        text = st.text_area(
            "Note", notes.text, height=160, placeholder="What you tried and what came of it"
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            star, archived = (
                st.checkbox("Starred", notes.star),
                st.checkbox("Archived", notes.archived),
            )
            saved = st.form_submit_button("Save notes", icon=":material/save:")
    if saved:
        with session.errors_shown():
            annotations.write(run, tags=tags, text=text, star=star, archived=archived)
        st.rerun()


def offer(run: str) -> None:
    """Draw a popover that exports a model in a chosen format, verified by reading it back."""
    with st.popover("Download model", icon=":material/download:"):
        to = st.selectbox(
            "Format",
            list(EXPORT_FORMATS),
            format_func=lambda f: EXPORT_FORMATS[f].title,
            key="model_form",
        )
        st.caption(EXPORT_FORMATS[to].summary)
        if st.button("Prepare download", icon=":material/task_alt:", key="model_write"):
            try:
                with st.spinner("Loading, writing and verifying the model …"):
                    st.session_state["model_file"] = (
                        run,
                        to,
                        *session.workspace().predictions.exported(run, to),
                    )
            except SegcoreError as error:
                st.error(session.plain(str(error)), icon=":material/error:")
        written = st.session_state.get("model_file")
        if written and written[:2] == (run, to) and written[2].is_file():
            st.caption(session.plain(written[3]))
            label = f"Download {formatting.size(written[2].stat().st_size)}"
            st.download_button(
                label,
                written[2].read_bytes,
                written[2].name,
                key="model_download",
                type="primary",
                on_click="ignore",
            )


def computed_by(run: str) -> None:
    """Say who computed a prediction run, where that is known."""
    try:
        text_of = session.workspace().runs.open(run).read_json("backend")
    except SegcoreError:
        return
    text = (
        f"Computed by {text_of.get('name')} in {text_of.get('precision')}, batch size "
        f"{text_of.get('batch_size')}"
    )
    if text_of.get("agreement") is not None:
        text += (
            f"; {formatting.percent(text_of['agreement'])} of the first images' pixels match "
            "TensorFlow's classes"
        )
    if text_of.get("note"):
        text += f"; {text_of['note']}"
    st.caption(session.plain(text))
