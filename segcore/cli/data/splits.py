"""The command ``split``: splits and folds, and which groups went where."""

import argparse
from typing import Any

from segcore.cli.command import Command, Options, workspace_of
from segcore.cli.options import MOST, refuse_unused, share, whole_number
from segcore.data.health.split_groups import SplitChoice
from segcore.data.splits.blocks import Blocks
from segcore.errors import SegcoreError
from segcore.labels import list_names
from segcore.workspace import Workspace

SHARE = 0.15
GROUPS = 12
"""Groups of a split that are named in the text; ``--json`` lists all."""


def _split_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", help="name of a dataset in the workspace")
    parser.add_argument(
        "--method",
        default="",
        help="random, stratified, grouped or blocks (default: blocks for windows of rasters, "
        "grouped where images come in groups, else stratified)",
    )
    parser.add_argument(
        "--block",
        type=int,
        metavar="PIXELS",
        help="with --method blocks: side of a block (default: chosen at the import)",
    )
    parser.add_argument(
        "--gap",
        type=int,
        metavar="PIXELS",
        help="with --method blocks: leave out windows nearer than this to another split's",
    )
    parser.add_argument(
        "--validation",
        type=share("--validation"),
        help=f"share of samples for validation (default: {SHARE})",
    )
    parser.add_argument(
        "--test", type=share("--test"), help=f"share of samples for test (default: {SHARE})"
    )
    parser.add_argument(
        "--group-by",
        default="",
        help="what stays together: folder, prefix or scene (default: what segscope interval-groups "
        "says)",
    )
    parser.add_argument(
        "--seed",
        type=whole_number("--seed", 0, MOST),
        default=0,
        help="random seed (default: %(default)s)",
    )
    parser.add_argument(
        "--folds",
        type=int,
        metavar="K",
        help="make K datasets NAME-fold-1 ... instead; each part is the validation split once",
    )
    parser.add_argument(
        "--keep-test",
        action="store_true",
        help="with --folds: keep the current test split in every fold",
    )
    parser.add_argument("--undo", action="store_true", help="undo the last change of the splits")
    parser.add_argument(
        "--yes", action="store_true", help="change even splits that runs were trained on"
    )


def _split(options: Options) -> dict[str, Any]:
    workspace = workspace_of(options)
    shares, blocks = ("--validation", "--test"), ("--block", "--gap")
    if options.undo:
        refuse_unused(options, (*shares, *blocks, "--folds"), "with --undo")
        _refuse_trained_on(workspace, options)
        changed = workspace.splits.undo(options.dataset)
        return {
            "dataset": options.dataset,
            "method": "undone",
            "splits": {s: len(changed.select(s)) for s in changed.splits},
        }
    if options.method not in ("", "blocks"):
        refuse_unused(options, blocks, f"with --method {options.method}")
    if options.folds is not None:
        refuse_unused(options, (*shares, *blocks), "with --folds")
        return workspace.splits.make_folds(
            options.dataset,
            options.folds,
            options.method,
            options.seed,
            group_by=options.group_by,
            hold_out="test" if options.keep_test else "",
        ).to_json()
    if options.keep_test:
        raise SegcoreError(
            "Expected --folds K with --keep-test, received --keep-test alone: add --folds, or leave "
            "it out; other splits replace the test split too."
        )
    validation, test = (
        SHARE if given is None else given for given in (options.validation, options.test)
    )
    fractions = {"train": 1 - validation - test, "validation": validation, "test": test}
    how = {"group_by": options.group_by, "blocks": Blocks(options.block or 0, options.gap or 0)}
    _refuse_trained_on(workspace, options)
    made = workspace.datasets.make_splits(
        options.dataset, options.method, fractions, options.seed, **how
    )
    return made.to_json()


def _refuse_trained_on(workspace: Workspace, options: Options) -> None:
    """Refuse to change splits that runs were trained on unless ``--yes`` is given.

    Raises:
        SegcoreError: There are such runs, and it is not.
    """
    warning = workspace.splits.trained_on(options.dataset)
    if warning and not options.yes:
        raise SegcoreError(
            f"Expected --yes to change the splits of {options.dataset!r}, received none: {warning}"
        )


def _show_split(result: dict[str, Any]) -> str:
    how = SplitChoice(result["method"], result.get("group_by", ""), result.get("reason", ""))
    if "folds" in result:
        lines = [
            f"{len(result['folds'])} folds of {result['dataset']} ({how}), each a dataset of its own:"
        ]
        lines += [f"  {fold['name']}: {_sizes(fold['splits'])}" for fold in result["folds"]]
    else:
        lines = [f"{result['dataset']}: {_sizes(result['splits'])} ({how})."]
        groups = result.get("groups", {})
        lines += [
            f"  {s}: {list_names(groups[s], GROUPS)}" for s in result["splits"] if s in groups
        ]
        alone = [s for s in groups if s != "train" and len(groups[s]) == 1]
        if alone:
            lines.append(
                f"A single group in {', '.join(alone)}: scores there say little about other groups; "
                "a larger share (--validation, --test) takes more."
            )
    if result.get("warning"):
        lines.append(f"Warning: {result['warning']}")
    if "folds" in result:
        lines.append(f"Train each: segscope train {result['folds'][0]['name']}")
    return "\n".join(lines)


def _sizes(splits: dict[str, int]) -> str:
    return ", ".join(f"{split} {count}" for split, count in splits.items())


SPLIT = Command("make train, validation and test splits", _split_arguments, _split, _show_split)
