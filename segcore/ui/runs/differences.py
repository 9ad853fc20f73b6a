"""In what the configs of chosen runs differ."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from segcore.config import to_json
from segcore.errors import SegcoreError
from segcore.ui.shared import session, tables
from segcore.ui.shared.run_names import short_name

NAMES = ("member", "group", "kind")
"""Fields that tell runs apart without saying how they were made."""


def differing(configs: Mapping[str, Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return a row for each field in which configs differ: its name, and its value in each.

    Args:
        configs: Configs as JSON by what the columns are called; fields inside others are named
            with a dot, "recipe.loss".

    Returns:
        Values as text; "–" where a config has no such field.
    """
    flat = {name: dict(_flat(config)) for name, config in configs.items()}
    fields = list(dict.fromkeys(field for own in flat.values() for field in own))
    rows = []
    for field in fields:
        values = {name: own.get(field, "–") for name, own in flat.items()}
        if field not in NAMES and len(set(values.values())) > 1:
            rows.append({"field": field, **values})
    return rows


def _flat(value: Any, place: str = "") -> list[tuple[str, str]]:
    if isinstance(value, Mapping):
        return [
            pair
            for name, inner in value.items()
            for pair in _flat(inner, f"{place}.{name}" if place else name)
        ]
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return [(place, text or "none")]


def show(runs: Sequence[str]) -> None:
    """Draw the fields in which runs differ, one column a run.

    Args:
        runs: Ids of two runs or more.
    """
    short = {run: short_name(run) for run in runs}
    unique = len(set(short.values())) == len(runs)
    configs: dict[str, Mapping[str, Any]] = {}
    for run in runs:
        try:
            config = session.workspace().runs.open(run).config
        except SegcoreError as error:
            st.warning(session.plain(str(error)), icon=":material/warning:")
            continue
        configs[short[run] if unique else run] = to_json(config)
    rows = differing(configs)
    if not rows:
        st.caption("These runs have the same config.")
        return
    tables.draw(rows, alt="Fields in which the chosen runs differ")
    st.download_button(
        "Download CSV",
        lambda: session.csv_bytes(rows),
        "config-differences.csv",
        "text/csv",
        key="csv_differences",
        icon=":material/download:",
        on_click="ignore",
        type="tertiary",
    )
