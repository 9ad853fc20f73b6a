"""The command ``compress``: merges of labels, explored, judged and retrained."""

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from segcore.cli.command import Command, Options, ProgressLine, workspace_of
from segcore.cli.compression.compress_text import show
from segcore.errors import SegcoreError
from segcore.labels import LabelSet, find_class
from segcore.workspace import Workspace
from segcore.workspace.compression.merges import WhatIfOptions


def _arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("run", nargs="?", help="id of a training run or of an ensemble")
    add(
        "--confusion",
        metavar="CSV",
        help="CSV file of a confusion matrix: rows true, columns predicted",
    )
    add(
        "--split",
        default="validation",
        help="split whose counts choose the merge (default: %(default)s)",
    )
    add("--groups", type=int, metavar="K", help="show the best merges down to K groups")
    add(
        "--exact",
        action="store_true",
        help="find the optimum for every number of groups, and the proven Pareto front",
    )
    add(
        "--prior",
        default="pixel",
        help="what weighs a class's information: pixel, image, uniform or importance",
    )
    add(
        "--importance",
        action="append",
        default=[],
        metavar="CLASS=WEIGHT",
        help="with --prior importance: weight of a class (default: 1)",
    )
    add(
        "--forbid",
        action="append",
        default=[],
        metavar="A:B",
        help="never merge these two classes (names or ids)",
    )
    add(
        "--exchange-rate",
        type=float,
        default=0.1,
        metavar="R",
        help="points of accuracy required for each point of entropy (default: %(default)s)",
    )
    _merge_arguments(add)


def _merge_arguments(add: Callable[..., object]) -> None:
    """Add the report on the merges that the user names."""
    add(
        "--merge",
        action="append",
        default=[],
        metavar="A:B[:C]",
        help="also evaluate this merge of a run's classes (names or ids); repeatable",
    )
    add(
        "--hierarchy",
        metavar="FILE",
        help=(
            "also evaluate each level of a hierarchy of the classes, CSV or JSON: class, "
            "parent, ..."
        ),
    )
    add(
        "--report-on",
        metavar="SPLIT",
        help="with --merge: also evaluate the merge on this split, which did not choose it",
    )
    add(
        "--tiers",
        action="store_true",
        help="with --merge: compare merged labels, summed probabilities and retraining",
    )
    add(
        "--retrain",
        action="store_true",
        help="with --merge: retrain with the merged labels, other settings unchanged, and predict",
    )


def _run(options: Options) -> dict[str, Any]:
    workspace = workspace_of(options)
    if bool(options.run) == bool(options.confusion):
        raise SegcoreError("Expected either a run or --confusion FILE: give one of the two.")
    if not options.merge and (options.tiers or options.retrain or options.report_on):
        raise SegcoreError(
            "Expected --merge with --tiers, --retrain or --report-on, received none: name "
            "the classes to merge."
        )
    if options.confusion and (options.merge or options.hierarchy):
        raise SegcoreError(
            "Expected a run for --merge and --hierarchy, received a table: the levels and "
            "merges of a run are judged by image."
        )
    importance = parse_importance(options.importance) if options.importance else None
    if options.run:
        splits = [options.split, *([options.report_on] if options.report_on else [])]
        for split in splits:
            workspace.scores.ensure_counts(
                [options.run], split, progress=ProgressLine("Predicting")
            )
    forbidden = [_pair(text, workspace, options.run) for text in options.forbid]
    result = workspace.merges.what_if(
        run=options.run,
        split=options.split,
        confusion=Path(options.confusion) if options.confusion else None,
        options=WhatIfOptions(
            options.prior,
            importance,
            forbidden,
            options.exact,
            options.groups,
            options.exchange_rate,
        ),
    ).to_json()
    if options.run:
        workspace.checklist.note("merge", workspace.runs.open(options.run).config.dataset)
    if options.merge:
        result.update(_judge(workspace, options, importance, forbidden))
    if options.hierarchy:
        result["hierarchy"] = _levels(workspace, options, importance)
    return result


def _judge(
    workspace: Workspace,
    options: Options,
    importance: dict[str, float] | None,
    forbidden: list[tuple[str, str]],
) -> dict[str, Any]:
    """Judge the named merge on one or two splits, retrain it, compare its tiers."""
    label_set = workspace.scores.label_set(options.run)
    groups = [parse_classes(text, label_set) for text in options.merge]
    apart = [
        [label_set.classes[label_set.index_of(name)].id for name in pair] for pair in forbidden
    ]

    def judge(split: str) -> dict[str, Any]:
        return workspace.merges.judge(
            options.run, split, groups, options.prior, importance=importance, forbidden=apart
        ).to_json()

    merged = [[label_set.classes[label_set.index_of(i)].name for i in group] for group in groups]
    result: dict[str, Any] = {"judged": judge(options.split), "merged": merged}
    if options.report_on:
        result["reported"] = {"split": options.report_on, **judge(options.report_on)}
    if options.retrain:
        asked = dict.fromkeys([options.split, *([options.report_on] if options.report_on else [])])
        result["retraining"] = vars(workspace.tiers.retrain(options.run, groups, list(asked)))
    if options.tiers:
        split = options.report_on or options.split
        if workspace.tiers.can_sum(options.run, split):
            workspace.tiers.sum_probabilities(
                options.run, split, groups, ProgressLine("Summing probabilities")
            )
        result["tiers"] = workspace.tiers.compare(options.run, split, groups).to_json()
    return result


def _levels(
    workspace: Workspace, options: Options, importance: dict[str, float] | None
) -> list[dict[str, Any]]:
    path = Path(options.hierarchy)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SegcoreError(
            f"Expected a hierarchy file at {path}, but it cannot be read "
            f"({error.strerror}): check the path."
        ) from error
    levels = workspace.merges.hierarchy(options.run, data)
    return [
        {
            **vars(level),
            **workspace.merges.judge(
                options.run, options.split, level.groups, options.prior, importance=importance
            ).to_json(),
        }
        for level in levels
    ]


def _pair(text: str, workspace: Workspace, run: str | None) -> tuple[str, str]:
    """Return the two classes to keep apart: names, or ids where a run says which classes exist."""
    first, colon, second = text.partition(":")
    if not colon:
        raise SegcoreError(
            f"Expected two classes to keep apart as A:B, received {text!r}: write a colon "
            "between them."
        )
    if run and ":" in second:
        ids = parse_classes(text, workspace.scores.label_set(run))
        if len(ids) == 2:
            first, second = map(str, ids)
    return first, second


def parse_classes(text: str, label_set: LabelSet) -> list[int]:
    """Read two or more classes, names or ids, with colons between them; a name may hold colons.

    Returns:
        Their ids, in the order of the text.

    Raises:
        SegcoreError: A class is unknown, there are fewer than two, or colons in the classes' names
            leave it open which are meant.
    """
    parts = text.split(":")
    readings = [names for names in _readings(parts, label_set) if len(names) > 1]
    if len(readings) > 1:
        raise SegcoreError(
            f"Expected classes with colons between them, received {text!r}, which can be read in "
            f"{len(readings)} ways: write ids for the classes whose names hold a colon."
        )
    try:
        names = readings[0] if readings else parts
        ids = [label_set.classes[label_set.index_of(name)].id for name in names]
    except SegcoreError as error:
        if not any(":" in name for name in label_set.class_names):
            raise
        raise SegcoreError(f"{error} Of a class whose name holds ':', write the id.") from error
    if len(ids) < 2:
        raise SegcoreError(
            f"Expected two classes or more to merge as A:B, received {text!r}: write a colon "
            "between them."
        )
    return ids


def _readings(parts: Sequence[str], label_set: LabelSet) -> Iterator[list[str]]:
    """Yield every way to join neighbouring parts with colons so that each is a class."""
    if not parts:
        yield []
    longest = 1 + max(name.count(":") for name in label_set.class_names)
    for length in range(1, min(longest, len(parts)) + 1):
        name = ":".join(parts[:length])
        if find_class(label_set.classes, name) is not None:
            for others in _readings(parts[length:], label_set):
                yield [name, *others]


def parse_importance(words: list[str]) -> dict[str, float]:
    """Read CLASS=WEIGHT words.

    Raises:
        SegcoreError: A word has no "=" or no number behind it.
    """
    importance = {}
    for word in words:
        name, equals, value = word.rpartition("=")
        try:
            importance[name] = float(value)
        except ValueError:
            equals = ""
        if not equals or not name:
            raise SegcoreError(
                f"Expected an importance as CLASS=WEIGHT, received {word!r}: for example "
                "Pedestrian=5."
            )
    return importance


COMPRESS = Command(
    "explore merges of labels: accuracy gained against information lost", _arguments, _run, show
)
