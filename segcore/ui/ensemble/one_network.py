"""The One network tab: distil the members into one, or average their weights, and what it is worth."""

from typing import Any

import streamlit as st

from segcore import formatting
from segcore.catalog import ALL_ENCODERS, ARCHITECTURES
from segcore.catalog.hub import is_class, is_hub
from segcore.config import DistillationConfig, TrainConfig
from segcore.config.schema import settings
from segcore.errors import SegcoreError
from segcore.ui.ensemble.selection import Choice
from segcore.ui.shared import background_tasks, manual, run_progress, session, tables
from segcore.ui.shared.page_words import on_page
from segcore.workspace.ensembles.network_verdict import NetworkVerdict
from segcore.workspace.launch.command_line import student_command

ROLES = {"student": "Distilled", "average": "Averaged weights"}
SETTINGS = settings(DistillationConfig)
WEIGHT, UNLABELLED = SETTINGS["label_weight"], SETTINGS["unlabelled"]


def show(choice: Choice, split: str) -> None:
    """Draw the tab; what a network is worth is shown on ``split``."""
    left, right = st.columns([5, 4], gap="medium")
    with left, st.container(border=True, height="stretch"):
        _distil(choice)
    with right, st.container(border=True, height="stretch"):
        _average(choice)
    networks = session.workspace().one_networks
    made = networks.made_of(choice.members)
    if not made:
        return
    st.subheader("What it is worth", anchor=False)
    session.prepare("one_network", made, made[0])
    run = str(st.selectbox("Network", made, key="one_network"))
    if run_progress.follow([run], "Training", "one_network_run"):
        _verdict(run, split)


def _distil(choice: Choice) -> None:
    workspace = session.workspace()
    st.markdown("**Distil into one network**")
    st.caption(
        "Trains one network on the mean probabilities of the members over their training images, "
        "and on the labels."
    )
    first = workspace.runs.open(choice.members[0]).config
    if not isinstance(first, TrainConfig):
        st.info("Select members that were trained here.", icon=":material/info:")
        return
    values, weight = _student_fields(first)
    waiting = len(workspace.datasets.open(first.dataset).pool)
    unlabelled = waiting > 0 and st.checkbox(
        f"{UNLABELLED.option.title} ({waiting:,})",
        key="distil_unlabelled",
        help=UNLABELLED.option.help,
    )
    try:
        config = workspace.one_networks.student(choice.members, values, weight, unlabelled)
    except SegcoreError as error:
        st.warning(session.plain(on_page(str(error))), icon=":material/warning:")
        return
    count = len(choice.members)
    if st.button(
        "Distil into one network",
        type="primary",
        icon=":material/compress:",
        key="distil",
        width="stretch",
        help=f"Predicts {config.train_split}{' and the unlabelled images' if unlabelled else ''} "
        f"with {formatting.plural(count, 'member')} first, where that was not done.",
    ):
        with session.errors_shown():
            session.request("one_network", workspace.one_networks.distil(config))
        st.rerun()
    with st.expander("Command"):
        st.code(student_command(config, first), language="bash", wrap_lines=True)


def _student_fields(first: TrainConfig) -> tuple[dict[str, Any], float]:
    """Draw what a student may differ in; return what does, by name, and the labels' weight."""
    one, two = st.columns(2)
    architectures = list(ARCHITECTURES)
    listed = [name for name in ALL_ENCODERS if not is_class(name)]
    encoders = list(dict.fromkeys([*listed, first.model.encoder]))
    chosen = {
        "architecture": one.selectbox(
            "Architecture",
            architectures,
            architectures.index(first.model.architecture),
            lambda name: ARCHITECTURES[name].title,
            key="distil_architecture",
        ),
        "encoder": two.selectbox(
            "Encoder",
            encoders,
            encoders.index(first.model.encoder),
            lambda name: ALL_ENCODERS[name].title,
            key="distil_encoder",
        ),
        "epochs": int(
            one.number_input("Epochs", 1, 100_000, first.recipe.epochs, key="distil_epochs")
        ),
    }
    weight = float(
        two.slider(
            WEIGHT.option.title,
            0.0,
            1.0,
            float(WEIGHT.default),
            0.1,
            key="distil_weight",
            help=WEIGHT.option.help,
        )
    )
    known = settings(TrainConfig)
    values: dict[str, Any] = {n: v for n, v in chosen.items() if v != known[n].get(first)}
    if "encoder" in values:
        encoder = str(chosen["encoder"])
        offered = "imagenet" if ALL_ENCODERS[encoder].imagenet else ""
        offered = "preset" if is_hub(encoder) else offered
        own_file = first.model.weights not in ("none", "imagenet")
        if own_file or offered != "imagenet":
            values["weights"] = offered or "none"
    return values, weight


def _average(choice: Choice) -> None:
    workspace = session.workspace()
    st.markdown("**Average their weights**")
    st.caption(
        "Adds members to an average of weights as long as the validation score does not fall. "
        "Takes no training, and the result is as fast as one member."
    )
    try:
        workspace.one_networks.check_average(choice.members)
    except SegcoreError as error:
        st.info(session.plain(on_page(str(error))), icon=":material/info:")
        return
    if st.button("Average weights", icon=":material/functions:", key="average", width="stretch"):
        with session.errors_shown():
            session.request("one_network", workspace.one_networks.average(choice.members))
        st.rerun()


def _verdict(run: str, split: str) -> None:
    verdicts = session.workspace().network_verdicts
    with session.errors_shown():
        ready = verdicts.is_ready(run, split)
    if not ready:
        if st.button(
            f"Compare on {split}",
            type="primary",
            icon=":material/compare_arrows:",
            key="one_network_compare",
            help="Predicts the split with the network and the members, where that was not done.",
        ):
            with session.errors_shown():
                st.session_state["one_network_waits"] = verdicts.prepare(run, split)
            st.rerun()
        run_progress.follow(
            st.session_state.get("one_network_waits", []), "Predicting", "one_network_predict"
        )
        return
    with session.errors_shown():
        if not verdicts.is_calibrated(run, split):
            background_tasks.passed(
                f"one network {run} {split}",
                lambda tell: verdicts.calibrate(run, split, tell),
                "Measure calibration",
                "Reads the stored probabilities of the network, the ensemble and the best member.",
                at_once=background_tasks.is_small(run, split),
            )
        verdict = verdicts.verdict(run, split)
    _card(verdict)


def _card(verdict: NetworkVerdict) -> None:
    with st.container(border=True):
        cards = st.columns(4)
        mine, ensemble, _ = verdict.rows
        cards[0].metric(
            f"{ROLES[mine.role]}, mean IoU",
            formatting.percent(mine.mean_iou.value),
            mine.mean_iou.range(),
            delta_color="off",
            delta_arrow="off",
            help=manual.see(
                f"{manual.MEAN_IOU} Below: its interval. {mine.mean_iou.how()}",
                "distillation#the-verdict",
            ),
        )
        for card, title, comparison in (
            (cards[1], "vs. ensemble", verdict.against_ensemble),
            (cards[2], "vs. best member", verdict.against_best),
        ):
            gain = comparison.difference
            card.metric(
                title,
                formatting.points(gain.value),
                gain.range(2, signed=True),
                delta_color="off",
                delta_arrow="off",
                help=manual.see(
                    "Mean IoU of this network minus that of the other, paired by image. Below: "
                    f"its interval. {gain.how()}",
                    "distillation#the-verdict",
                ),
            )
        cards[3].metric(
            "Speed vs. ensemble",
            _times(mine.milliseconds, ensemble.milliseconds),
            help=manual.see(
                "Milliseconds of the members together / those of this network, one image at a "
                f"time. {verdict.device}",
                "distillation#the-verdict",
            ),
        )
        _table(verdict)
        for sentence in verdict.sentences:
            st.markdown(session.plain(sentence))
        st.caption(
            f"The best member is the one that scored best on {session.plain(verdict.chosen_on)}."
        )
        if verdict.kept:
            st.caption(f"In the average: {session.plain(', '.join(verdict.kept))}.")


def _times(mine: float | None, ensemble: float | None) -> str:
    return "–" if not mine or ensemble is None else f"{ensemble / mine:.1f} times"


def _table(verdict: NetworkVerdict) -> None:
    column = st.column_config.NumberColumn
    tables.draw(
        [
            {
                "network": ROLES.get(row.role, row.role.capitalize()),
                "run": row.run,
                "mean_iou": row.mean_iou.value,
                "interval": row.mean_iou.range(),
                "ece": row.ece,
                "ms": row.milliseconds,
                "mb": row.megabytes,
            }
            for row in verdict.rows
        ],
        column_config={
            "mean_iou": column("mean IoU", format="percent", help=manual.MEAN_IOU),
            "interval": "95 % interval",
            "ece": column(
                "ECE",
                format="%.4f",
                help="Expected calibration error: the gap between confidence and accuracy, "
                "averaged over 15 bins. Lower is better.",
            ),
            "ms": column("ms an image", format="%.1f", help="Of an ensemble all members together."),
            "mb": column("MB", format="%.1f", help="Saved networks, 10^6 bytes."),
        },
        alt="The network, its ensemble and its best member",
    )
