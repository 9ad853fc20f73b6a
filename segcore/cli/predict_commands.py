"""Commands that use a trained network: predict a split or one's own images, write the network in another form."""

import argparse
from pathlib import Path
from typing import Any

from segcore.catalog import BACKENDS, EXPORT_FORMATS, TEST_TIME_AUGMENTATIONS
from segcore.cli.command import Command, Options, ProgressLine, workspace_of
from segcore.config import PredictOptions
from segcore.errors import SegcoreError
from segcore.workspace.predictions.files import DEFAULT_PARTS, PARTS, result_files, write_folder

EVERY_IMAGE = 1_000_000


def _predict_arguments(parser: argparse.ArgumentParser) -> None:
    plain = PredictOptions()
    add = parser.add_argument
    add("run", help="id of a finished training run; with --images also of an ensemble")
    add("--split", default="test", help="split of the run's dataset (default test)")
    add(
        "--images",
        metavar="PATH",
        help="predict a folder of images, or one image, instead of a split",
    )
    add("--out", metavar="DIR", help="with --images: a new folder for the results")
    add(
        "--parts",
        default=",".join(DEFAULT_PARTS),
        help=f"with --images: some of {', '.join(PARTS)} (default %(default)s)",
    )
    add(
        "--tile",
        action="store_true",
        default=None,
        help="cut images into overlapping tiles of the training size, at their own resolution",
    )
    add(
        "--overlap",
        type=float,
        help=f"share of a tile that its neighbour repeats, 0 to 0.9 (default {plain.overlap})",
    )
    add(
        "--tta",
        help=f"test-time augmentation: {', '.join(TEST_TIME_AUGMENTATIONS)} (default {plain.tta})",
    )
    add("--backend", help=f"who computes: {', '.join(BACKENDS)} (default {plain.backend})")


def predict_options(options: Options) -> PredictOptions | None:
    """Return how the network should look at images; None where no flag says anything about it.

    Raises:
        SegcoreError: A name is unknown or a number out of range.
    """
    given = {
        name: getattr(options, name)
        for name in ("tile", "overlap", "tta", "backend")
        if getattr(options, name) is not None
    }
    return PredictOptions(**given) if given else None


def _predict(options: Options) -> dict[str, Any]:
    workspace = workspace_of(options)
    look = predict_options(options)
    if options.images:
        return _predict_images(options, look or PredictOptions())
    if options.out:
        raise SegcoreError(
            "Expected --images with --out, received --out alone: name the images, or leave "
            "--out away."
        )
    run = workspace.runs.predict(options.run, options.split, look)
    workspace.runs.wait([run], progress=ProgressLine("Predicting"))
    return {"runs": [run]}


def _predict_images(options: Options, look: PredictOptions) -> dict[str, Any]:
    predictions = workspace_of(options).predictions
    if not options.out:
        raise SegcoreError(
            "Expected --out with --images, received none: name a new folder for the results."
        )
    out = Path(options.out).expanduser()
    if out.exists():
        raise SegcoreError(
            f"Expected a new folder for the results, received {out}, which exists: choose another."
        )
    parts = [p.strip() for p in options.parts.split(",") if p.strip()]
    try:
        predictions.model(options.run)
        batch = predictions.batches.accept_folder(
            Path(options.images), EVERY_IMAGE, ProgressLine("Reading")
        )
        predictions.predict_all(options.run, batch, look, ProgressLine("Predicting"))
        write_folder(
            out, result_files(predictions, options.run, batch, look, parts, ProgressLine("Writing"))
        )
    finally:
        predictions.close()
    refused = [{"file": name, "why": why} for name, why in batch.refused]
    return {"folder": str(out), "images": [i.id for i in batch.images], "refused": refused}


def _show_predict(result: dict[str, Any]) -> str:
    if "runs" in result:
        return "Runs: " + ", ".join(result["runs"]) + "\nWatch them with: segscope runs"
    lines = [f"Predicted {len(result['images'])} images into {result['folder']}."]
    return "\n".join(lines + [f"  not taken: {r['file']}: {r['why']}" for r in result["refused"]])


def _export_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", help="id of a finished training run")
    parser.add_argument("--to", required=True, help=f"one of {', '.join(EXPORT_FORMATS)}")
    parser.add_argument(
        "--out",
        required=True,
        metavar="PATH",
        help="a new file or folder; the form's ending is added",
    )


def _export(options: Options) -> dict[str, Any]:
    predictions = workspace_of(options).predictions
    try:
        return predictions.export(options.run, options.to, Path(options.out)).to_json()
    finally:
        predictions.close()


PREDICT_COMMANDS: dict[str, Command] = {
    "predict": Command(
        "write a run's probabilities for a split, or predict your own images",
        _predict_arguments,
        _predict,
        _show_predict,
    ),
    "export-model": Command(
        "write a trained network for other programs, checked by reading it back",
        _export_arguments,
        _export,
        lambda r: str(r["sentence"]),
    ),
}
