"""Tables as every page draws them: percentages with one decimal, a dash for unknown."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from segcore.ui.shared import session

PERCENT = "%.1f %%"
"""How a fraction is written in a table: with one decimal, as on the cards."""

FREQUENCY = "%.3f %%"
"""How the frequency of a class is written in a table: alike in every row, and not 0 where it is rare."""

WHOLE = 16
"""Up to so many rows a table is as high as they are; longer ones scroll."""


Row = dict[str, Any]
"""One row of a table as its widget takes it: texts, numbers and pictures by the column's title."""


def draw(
    rows: Sequence[Mapping[str, Any]],
    *,
    column_config: Mapping[str, Any] | None = None,
    **options: Any,
) -> Any:
    """Draw rows as a table and return what is selected in it.

    Args:
        rows: One mapping a row; None where a value is not known.
        column_config: Streamlit column settings by column name. A number column of the format
            "percent" holds shares 0..1.
        options: Further arguments of ``st.dataframe``.
    """
    columns = dict(column_config or {})
    shares = [name for name, column in columns.items() if _is_share(column)]
    for name in shares:
        columns[name] = {
            **columns[name],
            "type_config": {**columns[name]["type_config"], "format": PERCENT},
        }
    shown = (
        [
            {k: 100 * v if k in shares and v is not None else v for k, v in row.items()}
            for row in rows
        ]
        if shares
        else list(rows)
    )
    defaults: dict[str, Any] = {"hide_index": True, "placeholder": "–"}
    if 10 < len(shown) <= WHOLE:
        defaults["height"] = "content"
    return st.dataframe(shown, column_config=columns or None, **{**defaults, **options})


def download_csv(rows: Sequence[Mapping[str, Any]], stem: str, key: str) -> None:
    """Draw a button that downloads rows as a CSV file, written when it is clicked.

    Args:
        rows: One mapping a row.
        stem: Name of the file, without ending.
        key: Key of the button.
    """
    st.download_button(
        "Download CSV",
        lambda: session.csv_bytes(rows),
        f"{stem}.csv",
        "text/csv",
        key=key,
        icon=":material/download:",
    )


def _is_share(column: Any) -> bool:
    kind = (column.get("type_config") if isinstance(column, dict) else None) or {}
    return bool(kind.get("type") == "number" and kind.get("format") == "percent")
