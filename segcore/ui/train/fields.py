"""Form fields drawn from what a config's fields declare."""

from collections.abc import Sequence
from typing import Any, Literal

import streamlit as st

from segcore.config.schema import Setting, count
from segcore.ui.shared import session
from segcore.ui.train import presets


def draw(one: Setting, names: Sequence[str] = (), *, disabled: bool = False) -> Any:
    """Draw the widget of a field, beginning with the value that the form begins with.

    Args:
        one: The field.
        names: Names to choose from where a dataset has them (see ``Option.names_of``).
        disabled: Whether it cannot be changed now.

    Returns:
        The value; a number out of range is returned too, and its range is shown below the field.
    """
    begun, option, key = one.get(presets.begun()), one.option, presets.key(one.name)
    if option.table is not None or option.names_of:
        return choose(one, begun, list(option.table or names), disabled=disabled)
    common: dict[str, Any] = {
        "key": key,
        "help": option.help,
        "disabled": disabled,
        "persist_state": _persisted(one),
    }
    if one.kind is bool:
        value: Any = st.toggle(option.title, begun, **common)
    elif one.kind is int:
        value = int(st.number_input(option.title, value=begun, step=1, **common))
    elif one.kind is float:
        step, form = option.step or 1.0, f"%.{option.digits}f"
        value = float(
            st.number_input(option.title, value=float(begun), step=step, format=form, **common)
        )
    else:
        value = one.read(st.text_input(option.title, one.write(begun), **common))
    note(one, value)
    return value


def choose(one: Setting, begun: str, names: Sequence[str], *, disabled: bool = False) -> str:
    """Draw a select box over names; the chosen one is explained below it."""
    option = one.option
    options = list(dict.fromkeys([*([""] if option.empty else []), *names]))
    if begun not in options and option.sums:
        options.append(begun)
    table = option.table or {}
    titles = {name: table[name].title if name in table else name for name in options}
    titles[""] = option.empty
    value = str(
        st.selectbox(
            option.title,
            options,
            options.index(begun) if begun in options else 0,
            titles.__getitem__,
            key=presets.key(one.name),
            help=option.help,
            disabled=disabled,
            persist_state=_persisted(one),
        )
    )
    entry = None if disabled else table.get(value)
    note(one, value, entry.summary + (f" ({entry.paper})" if entry.paper else "") if entry else "")
    return value


def kept(one: Setting) -> Any:
    """Return the value of a field that a search of the settings hides: what it was set to."""
    begun, option = one.get(presets.begun()), one.option
    value = st.session_state.get(presets.key(one.name))
    if value is None:
        return begun
    if option.table is not None or option.names_of or one.kind is bool:
        return value
    return one.kind(value) if one.kind in (int, float) else one.read(value)


def matches(one: Setting, text: str) -> bool:
    """Whether a field's title, help, flag or name contains every word of a text, in any case."""
    said = f"{one.option.title} {one.option.help} {one.flag} {one.name}".casefold()
    return all(word in said for word in text.casefold().split())


def _persisted(one: Setting) -> Literal["page"] | None:
    """Return how long a field is remembered while it is hidden; only advanced ones can be."""
    return "page" if one.option.section == "advanced" else None


def note(one: Setting, value: Any, summary: str = "") -> None:
    """Write below a field what its value is, that it is recommended, or that it is out of range."""
    low, high = one.option.low, one.option.high
    if low is not None and high is not None and not low <= value <= high:
        st.caption(f":red[:material/error: Enter {count(low)} to {count(high)}.]")
        return
    advice = presets.recommended()
    reason = advice.reasons.get(one.name, "") if advice else ""
    if advice is not None and reason and value == one.get(advice.config):
        st.caption(f":green-badge[Recommended] {session.plain(summary)}", help=reason)
    elif summary:
        st.caption(session.plain(summary))
