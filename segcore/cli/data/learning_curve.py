"""The command about learning curves: what more labelled images should bring."""

import argparse
from typing import Any

from segcore.cli.command import Command, Options, ProgressLine, workspace_of
from segcore.cli.options import refuse_unused
from segcore.cli.tables import table
from segcore.errors import SegcoreError
from segcore.formatting import percent

SEEDS = 3


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", help="a training run; its config is trained on subsets")
    parser.add_argument(
        "--sizes",
        metavar="N,N,N",
        help="numbers of training images (default: an eighth, a quarter, a half, all)",
    )
    parser.add_argument("--seeds", type=int, help=f"seeds for each size (default: {SEEDS})")
    parser.add_argument("--split", default="test", help="where it is scored (default: test)")
    parser.add_argument(
        "--more",
        type=int,
        metavar="N",
        help="predict the gain of N more (default: 50, or as many again if that is less)",
    )
    parser.add_argument(
        "--start",
        action="store_true",
        help="queue the runs of --sizes and --seeds, and wait for them",
    )


def _sizes(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise SegcoreError(
            f"Expected --sizes as numbers like 25,50,100, received {text[:60]!r}: correct it."
        ) from error


def _curve(options: Options) -> dict[str, Any]:
    workspace = workspace_of(options)
    curves, run, split = workspace.learning_curves, options.run, options.split
    if options.start:
        sizes = _sizes(options.sizes or "") or list(curves.sizes(run))
        seeds = SEEDS if options.seeds is None else options.seeds
        started = curves.start(run, sizes, seeds, options.more)
        workspace.runs.wait([one.run for one in started], ProgressLine("Training"))
    else:
        refuse_unused(options, ("--sizes", "--seeds"), "without --start")
    waiting = curves.predict(run, split)
    if waiting:
        workspace.runs.wait(waiting, ProgressLine("Predicting"))
    curve = curves.curve(run, split, options.more)
    a, b, c = curve.fit
    return {
        "run": run,
        "split": split,
        "sizes": list(curve.sizes),
        "scores": [list(row) for row in curve.scores],
        "fit": {"a": a, "b": b, "c": c},
        "more": curve.more,
        **curve.gain.as_difference(),
        "sentence": curve.sentence,
    }


def _show(result: dict[str, Any]) -> str:
    rows = [
        [size, percent(sum(own) / len(own)), ", ".join(percent(score) for score in own)]
        for size, own in zip(result["sizes"], result["scores"], strict=True)
    ]
    fit = result["fit"]
    return "\n".join(
        [
            table(["training images", f"mean IoU on {result['split']}", "by seed"], rows),
            f"Fitted: {fit['a']:.3f} - {fit['b']:.3f} n^-{fit['c']:.2f}.",
            result["sentence"],
        ]
    )


LEARNING_CURVE_COMMANDS: dict[str, Command] = {
    "learning-curve": Command(
        "say what more labelled images should bring, from runs on subsets",
        _arguments,
        _curve,
        _show,
    )
}
