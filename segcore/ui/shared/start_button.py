"""The button that starts many trainings at once: alike for a search and an ablation."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import streamlit as st

from segcore.config import TrainConfig
from segcore.formatting import duration, plural
from segcore.ui.shared import confirm, login, session

MANY = 10
"""Trainings above which a dialog asks before they start."""


def training_seconds(config: TrainConfig) -> float | None:
    """Return how long a training takes here, seconds; None where nothing is known yet."""
    speeds = session.workspace().throughput
    throughput = speeds.expected(config)
    if throughput is None:
        return None
    return speeds.epoch_seconds(config, throughput) * config.recipe.epochs


def total_seconds(configs: Sequence[TrainConfig]) -> float | None:
    """Return how long trainings take one after another, seconds; None where one is unknown."""
    known: dict[str, float | None] = {}
    total = 0.0
    for config in configs:
        key = repr(replace(config, seed=0, member=0, group=""))
        if key not in known:
            known[key] = training_seconds(config)
        seconds = known[key]
        if seconds is None:
            return None
        total += seconds
    return total


def draw(
    label: str,
    key: str,
    count: int,
    seconds: Callable[[], float | None],
    act: Callable[[], None],
) -> None:
    """Draw the button; more than ten trainings are asked about in a dialog that says how long.

    Args:
        label: Its text.
        key: Its key.
        count: Trainings that it starts.
        seconds: Returns how long they take one after another; None where that is unknown.
        act: Starts them.
    """
    look = {"type": "primary", "icon": ":material/play_arrow:"}
    if count <= MANY:
        if st.button(label, key=key, **look, **login.editors_only()):  # type: ignore[arg-type]
            with session.errors_shown():
                act()
            st.rerun()
        return

    def lost() -> list[str]:
        total = seconds()
        time = f"up to {duration(total)}" if total else "unknown until a run has finished here"
        return [
            f"This starts {plural(count, 'training run')}, one after the other.",
            f"Estimated time: {time}. They can be stopped on the Runs page.",
        ]

    confirm.button(
        label,
        key,
        about=count,
        title=f"Start {plural(count, 'training run')}?",
        lost=lost,
        confirm=f"Start {plural(count, 'run')}",
        act=act,
        **look,
    )
