"""A board of labels: each group a box, each label a chip that is dragged between boxes."""

from collections.abc import Mapping, Sequence

import streamlit as st

_STYLE = """
.board { display: flex; flex-wrap: wrap; gap: 8px; font: 14px var(--st-font); color: var(--st-text-color); }
.box { display: flex; flex-wrap: wrap; gap: 4px; align-items: center; min-height: 34px; padding: 4px;
  border: 1px solid var(--st-border-color); border-radius: var(--st-base-radius); background: var(--st-secondary-background-color); }
.box.merged { border-color: #d55e00; }
.box.over { outline: 2px dashed var(--st-primary-color); outline-offset: 1px; }
.box.alone { border-style: dashed; padding: 4px 12px; opacity: .75; background: none; }
.chip { display: inline-flex; gap: 6px; align-items: center; padding: 3px 8px; border-radius: 99px; cursor: grab;
  background: var(--st-background-color); border: 1px solid var(--st-border-color); user-select: none; }
.chip i { width: 12px; height: 12px; border-radius: 3px; border: 1px solid rgba(128, 128, 128, .6); }
.chip.held { opacity: .4; }
"""

_SCRIPT = """
export default ({ data, parentElement, setTriggerValue }) => {
  const board = parentElement.querySelector(".board");
  let held = null;
  const make = (kind, name) => Object.assign(document.createElement(kind), { className: name });
  const send = (groups) => setTriggerValue("groups", groups.filter((group) => group.length));
  const take = (groups, id) => groups.map((group) => group.filter((other) => other !== id));
  const target = (box, drop) => {
    box.ondragover = (event) => { event.preventDefault(); box.classList.add("over"); };
    box.ondragleave = () => box.classList.remove("over");
    box.ondrop = (event) => {
      event.preventDefault();
      box.classList.remove("over");
      if (held !== null) drop(held);
    };
  };
  board.replaceChildren();
  data.groups.forEach((group, number) => {
    const box = make("div", group.length > 1 ? "box merged" : "box");
    target(box, (id) => {
      if (!group.includes(id)) send(take(data.groups, id).map((other, at) => (at === number ? [...other, id] : other)));
    });
    for (const id of group) {
      const chip = make("span", "chip");
      const swatch = make("i", "");
      swatch.style.background = data.colors[id];
      chip.append(swatch, data.names[id]);
      chip.draggable = true;
      chip.dataset.label = id;
      chip.ondragstart = (event) => {
        held = id;
        event.dataTransfer.setData("text/plain", data.names[id]);
        chip.classList.add("held");
      };
      chip.ondragend = () => { held = null; chip.classList.remove("held"); };
      box.append(chip);
    }
    board.append(box);
  });
  const alone = make("div", "box alone");
  alone.textContent = "drop here to set a label free";
  target(alone, (id) => send([...take(data.groups, id), [id]]));
  board.append(alone);
};
"""

_mount = st.components.v2.component(
    "segscope_merge_board", html='<div class="board"></div>', css=_STYLE, js=_SCRIPT
)


def show(
    groups: Sequence[Sequence[int]],
    names: Mapping[int, str],
    colors: Mapping[int, str],
    *,
    key: str,
) -> list[list[int]] | None:
    """Show the groups, and return what the user made of them in the last drag; None without one.

    Args:
        groups: Groups of class ids.
        names: Class names by id.
        colors: Their colours as ``#rrggbb``.
        key: Name of the board in the app.
    """
    data = {
        "groups": [list(g) for g in groups],
        "names": {str(i): n for i, n in names.items()},
        "colors": {str(i): c for i, c in colors.items()},
    }
    st.caption("Drag a label onto another group, or out of its group.")
    moved = _mount(key=key, data=data, on_groups_change=lambda: None).get("groups")
    if not isinstance(moved, list):
        return None
    return checked(moved, names)


def checked(moved: Sequence[object], names: Mapping[int, str]) -> list[list[int]] | None:
    """Return checked groups in class order; None unless every class is in exactly one."""
    place = {i: position for position, i in enumerate(names)}
    groups = [group for group in moved if isinstance(group, list) and group]
    flat = [i for group in groups for i in group if type(i) is int and i in place]
    if (
        len(groups) < len(moved)
        or len(flat) != sum(map(len, groups))
        or sorted(flat, key=place.__getitem__) != list(names)
    ):
        return None
    return sorted(
        (sorted(group, key=place.__getitem__) for group in groups),
        key=lambda group: place[group[0]],
    )
