"""The command about the classes of a dataset: names, colours, which are ignored."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from segcore.cli.command import Command, Options, parse_pairs, workspace_of
from segcore.cli.tables import table
from segcore.data.dataset.relabel import returnable
from segcore.errors import SegcoreError
from segcore.formatting import plural
from segcore.labels import LabelClass, LabelSet, color_to_hex, find_class, hex_to_color, list_names
from segcore.palette import recolored


def _classes_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", help="name of a dataset in the workspace")
    parser.add_argument(
        "--rename",
        action="append",
        default=[],
        metavar="OLD=NEW",
        help="give a class another name; repeat for several",
    )
    parser.add_argument(
        "--color",
        action="append",
        default=[],
        metavar="NAME=#RRGGBB",
        help="give a class another colour; repeat for several",
    )
    parser.add_argument(
        "--safe-colors",
        action="store_true",
        help="use colours that colour-blind people can distinguish, for all classes",
    )
    parser.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="NAME",
        help="ignore this class in training and scores; repeat for several",
    )
    parser.add_argument(
        "--score",
        action="append",
        default=[],
        metavar="NAME",
        help="score a class again that was ignored; repeat for several",
    )
    parser.add_argument(
        "--yes",
        action="store_true",
        help="rewrite the masks even if runs were made with the current classes",
    )


def _classes(options: Options) -> dict[str, Any]:
    workspace = workspace_of(options)
    dataset = workspace.datasets.open(options.dataset)
    labels = dataset.label_set
    colors = parse_pairs(options.color, "--color NAME=#RRGGBB", "road=#804080")
    names = parse_pairs(options.rename, "--rename OLD=NEW", "'#8429f6=land'")
    wished = recolored(labels) if options.safe_colors else labels
    for name in options.score:
        back = _named(returnable(dataset), name, "a class that can be scored again")
        wished = LabelSet(
            (*wished.classes, back), tuple(c for c in wished.ignored if c.id != back.id)
        )
    for name in options.ignore:
        gone = _named(wished.classes, name, "a class that is scored")
        wished = LabelSet(
            tuple(c for c in wished.classes if c.id != gone.id), (*wished.ignored, gone)
        )
    every = wished.classes + wished.ignored
    changed = {c.id: c for c in every}
    for name, color in colors.items():
        known = _named(every, name, "a class")
        changed[known.id] = replace(changed[known.id], color=hex_to_color(color))
    for name, new in names.items():
        known = _named(every, name, "a class")
        changed[known.id] = replace(changed[known.id], name=new)
    wished = LabelSet(
        tuple(changed[c.id] for c in wished.classes), tuple(changed[c.id] for c in wished.ignored)
    )
    rewrites = wished.class_ids != labels.class_ids and not options.yes
    runs = (
        [row.run for row in workspace.runs.rows() if row.dataset == options.dataset]
        if rewrites
        else []
    )
    if runs:
        raise SegcoreError(
            f"Expected a dataset without runs, received one with {plural(len(runs), 'run')}, made "
            "with the current classes, which the new masks would no longer fit: "
            "import it again under another name, or add --yes."
        )
    if wished != labels:
        dataset = workspace.datasets.relabel(options.dataset, wished)
    return {"dataset": options.dataset, "changed": wished != labels, **dataset.label_set.to_json()}


def _named(classes: Sequence[LabelClass], name: str, what: str) -> LabelClass:
    """Return the class of a name, an id or a colour."""
    known = find_class(classes, name)
    alike = [c for c in classes if name.lower() in (c.name.lower(), color_to_hex(c.color))]
    if known is not None or len(alike) == 1:
        return known or alike[0]
    signs = [sign for sign in ":=" if any(sign in c.name for c in classes)]
    shown = " or ".join(f"'{sign}'" for sign in signs)
    hint = f"; of a name that holds {shown}, write the id" if signs else ""
    raise SegcoreError(
        f"Expected {what}, received {name!r}: write one of "
        f"{list_names([c.name for c in classes]) or 'none that there are'}{hint}."
    )


def _show_classes(result: dict[str, Any]) -> str:
    rows = [[c["id"], c["name"], c["color"], ""] for c in result["classes"]]
    rows += [[c["id"], c["name"], c["color"], "ignored"] for c in result["ignored"]]
    return table(["id", "class", "colour", ""], rows)


CLASS_COMMANDS: dict[str, Command] = {
    "classes": Command(
        "list the classes; rename, recolour or ignore some",
        _classes_arguments,
        _classes,
        _show_classes,
    )
}
