"""Commands about predictions and trained models: predict, drop, export, import."""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from segcore.catalog import EXPORT_FORMATS, MASK_VALUES
from segcore.cli.command import Command, Options, ProgressLine, workspace_of
from segcore.cli.compression.back_off import add_calibration, back_off_options
from segcore.cli.options import add_setting, add_settings, given
from segcore.cli.tables import table
from segcore.config import PredictConfig, PredictOptions
from segcore.config.schema import settings
from segcore.data.files.outlines import check_ending, outline, write_outlines
from segcore.data.files.uploads import free_places, skipped_masks
from segcore.errors import SegcoreError
from segcore.formatting import percent, plural, size
from segcore.workspace.predictions.files import DEFAULT_PARTS, PARTS, result_files, write_folder
from segcore.workspace.predictions.imported import HowToImport
from segcore.workspace.predictions.scenes import class_names, other_images, scenes_of

EVERY_IMAGE = 1_000_000
STORAGE = settings(PredictConfig)["probabilities"]
LISTED = 20
"""Images that a table of refused predictions lists."""


def _predict_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("run", help="id of a finished training run; with --images also of an ensemble")
    add("--split", default="test", help="split of the run's dataset. Default: test.")
    add("--images", metavar="PATH", help="predict a folder of images, or one image, not a split")
    add("--out", metavar="DIR", help="with --images: a new folder for the results")
    add(
        "--parts",
        default=",".join(DEFAULT_PARTS),
        help=f"with --images: some of {', '.join(PARTS)}. Default: %(default)s.",
    )
    add(
        "--back-off",
        default="",
        metavar="PROMISE",
        help="with --images: also masks whose labels back off where the finest cannot be promised, "
        "such as 5%%",
    )
    add(
        "--by-windows",
        action="store_true",
        help="with --images: predict every GeoTIFF by windows into a GeoTIFF; larger ones always are",
    )
    add(
        "--confidence",
        action="store_true",
        help="with --images: also write the greatest probability (x 255) of GeoTIFFs by windows",
    )
    add(
        "--polygons",
        default="",
        metavar="ENDING",
        help="with --images: also write polygons of GeoTIFFs by windows: gpkg, geojson or shp",
    )
    add_calibration(add)
    add_settings(parser, PredictOptions)
    add_setting(parser, STORAGE)


def predict_options(options: Options) -> PredictOptions | None:
    """Return how a model is applied to images; None where no flag was given.

    Raises:
        SegcoreError: A value is refused; the field is named.
    """
    values = given(options, PredictOptions)
    return PredictOptions(**values) if values else None


def _predict(options: Options) -> dict[str, Any]:
    workspace = workspace_of(options)
    chosen = predict_options(options)
    if options.images:
        return _predict_images(options, chosen or PredictOptions())
    if options.back_off:
        raise SegcoreError(
            "Expected --images with --back-off, received --back-off alone: use segscope back-off "
            "for a split."
        )
    if options.out:
        raise SegcoreError(
            "Expected --images with --out, received --out alone: name the images, or leave --out "
            "out."
        )
    stored = STORAGE.read(options.probabilities) if options.probabilities else ""
    storage = workspace.probability_storage
    needed = storage.check_room(options.run, options.split, stored or "whole", chosen)
    run = workspace.runs.predict(options.run, options.split, chosen, stored)
    workspace.runs.wait([run], progress=ProgressLine("Predicting"))
    result: dict[str, Any] = {"runs": [run], "split": options.split, "score": None}
    result["expected_bytes"] = needed
    if chosen is None and workspace.scores.has_counts(options.run, options.split):
        report = workspace.scores.report(options.run, options.split).to_json()
        keys = ("num_samples", "mean_iou", "pixel_accuracy")
        result["score"] = {key: report[key] for key in keys}
    elif chosen is not None:
        status = workspace.runs.open(run).status()
        result["score"] = {"mean_iou": status.mean_iou}
    return result


def _predict_images(options: Options, chosen: PredictOptions) -> dict[str, Any]:
    workspace = workspace_of(options)
    predictions = workspace.predictions
    if not options.out:
        raise SegcoreError(
            "Expected --out with --images, received none: name a new folder for the results."
        )
    out = Path(options.out).expanduser()
    if out.exists():
        raise SegcoreError(
            f"Expected a new folder for the results, received {out}, which exists: choose another."
        )
    source = Path(options.images).expanduser()
    large = scenes_of(source, options.by_windows)
    if (options.polygons or options.confidence) and not large:
        raise SegcoreError(
            "Expected GeoTIFFs that are predicted by windows with --polygons or --confidence, found "
            f"none in {source}: add --by-windows, or leave these out."
        )
    scenes = _predict_scenes(options, large, out, chosen) if large else []
    if large and (not source.is_dir() or not other_images(source, large)):
        masks = [{"file": name, "why": why} for name, why in skipped_masks(source)]
        return {"folder": str(out), "images": [], "refused": masks, "scenes": scenes}
    parts = [p.strip() for p in options.parts.split(",") if p.strip()]
    backed_off = back_off_options(options, options.back_off) if options.back_off else None
    if backed_off is not None:  # refused before anything is predicted
        workspace.back_offs.calibrate(options.run, backed_off, ProgressLine("Calibrating"))
    try:
        predictions.model(options.run)
        batch = predictions.batches.accept_folder(
            source, EVERY_IMAGE, ProgressLine("Reading"), leave_out=large
        )
        progress = ProgressLine("Predicting")
        progress.begin("loading the network")
        predictions.predict_all(options.run, batch, chosen, progress)
        progress = ProgressLine("Writing")
        write_folder(out, result_files(predictions, options.run, batch, chosen, parts, progress))
        if backed_off is not None:
            files = workspace.back_offs.own_files(options.run, batch, chosen, backed_off)
            write_folder(out / "back-off", files)
    finally:
        predictions.close()
    refused = [{"file": name, "why": why} for name, why in batch.refused]
    images = [i.id for i in batch.images]
    return {"folder": str(out), "images": images, "refused": refused, "scenes": scenes}


def _predict_scenes(
    options: Options, large: list[Path], out: Path, chosen: PredictOptions
) -> list[dict[str, Any]]:
    """Predict GeoTIFFs by windows into a folder, and outline them where that is asked for."""
    workspace, done = workspace_of(options), []
    ending = options.polygons.lstrip(".")
    if ending:
        check_ending(ending)
    try:
        source = Path(options.images).expanduser()
        root = source if source.is_dir() else source.parent
        places = free_places(image.relative_to(root).as_posix() for image in large)
        ProgressLine("Predicting").begin("loading the network")
        for image, name in zip(large, places, strict=True):
            scene = workspace.scene_predictions.predict(
                options.run,
                image,
                out / "geotiff" / f"{name}.tif",
                chosen,
                confidence=options.confidence,
                progress=ProgressLine("Predicting"),
            )
            row = scene.to_json()
            if ending:
                target = out / "polygons" / f"{name}.{ending}"
                names = class_names(workspace.predictions.label_set(options.run))
                found = outline(scene.classes, 0.0, ProgressLine("Outlining"))
                row |= {"polygons": str(target), "count": write_outlines(target, found, names)}
            done.append(row)
    finally:
        workspace.predictions.close()
    return done


def _show_scenes(scenes: list[dict[str, Any]]) -> list[str]:
    lines = []
    for scene in scenes:
        lines.append(
            f"Predicted {scene['image']} ({scene['height']} x {scene['width']}) by windows into "
            f"{scene['classes']} ({scene['backend']})."
        )
        if scene["note"]:
            lines.append(f"  {scene['note']}")
        if "polygons" in scene:
            lines.append(f"  {plural(scene['count'], 'polygon')}: {scene['polygons']}")
    return lines


def _polygon_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("raster", help="a GeoTIFF of class ids: a prediction or a mask")
    add("out", help="a new file that ends with .gpkg, .geojson or .shp")
    add(
        "--run", help="the run that predicted it, which names the classes; else their ids are names"
    )
    add("--dataset", help="or the dataset whose classes it holds")
    add(
        "--simplify",
        type=float,
        default=0.0,
        metavar="PIXELS",
        help="leave out corners by this tolerance, alike on both sides of a border. Default: 0.",
    )
    add(
        "--min-area",
        type=float,
        default=0.0,
        metavar="M2",
        help="leave out smaller polygons, in square metres (pixels without a georeference)",
    )


def _export_polygons(options: Options) -> dict[str, Any]:
    workspace, out = workspace_of(options), Path(options.out).expanduser()
    check_ending(out.suffix.lstrip("."))
    if out.exists():
        raise SegcoreError(f"Expected a new file, received {out}, which exists: choose another.")
    labels = None
    if options.run:
        labels = workspace.predictions.label_set(options.run)
    elif options.dataset:
        labels = workspace.datasets.open(options.dataset).label_set
    raster = Path(options.raster).expanduser()
    found = outline(raster, options.simplify, ProgressLine("Outlining"))
    names = class_names(labels) if labels else {int(v): str(v) for v in set(found.values.tolist())}
    count = write_outlines(out, found, names, options.min_area)
    unit = "m2" if found.place else "pixels"
    return {"file": str(out), "polygons": count, "area": float(found.area.sum()), "unit": unit}


def _show_predict(result: dict[str, Any]) -> str:
    if "runs" in result:
        run, score = result["runs"][0], result["score"]
        if score is None or score["mean_iou"] is None:
            return f"Predicted {result['split']} as {run}; the split has no masks to score."
        line = f"Predicted {result['split']} as {run}: mean IoU {percent(score['mean_iou'])}"
        if "num_samples" not in score:
            return f"{line}."
        images = plural(score["num_samples"], "image")
        return f"{line}, pixel accuracy {percent(score['pixel_accuracy'])}, {images}."
    lines = _show_scenes(result["scenes"])
    if result["images"] or not lines:
        lines.append(f"Predicted {plural(len(result['images']), 'image')} into {result['folder']}.")
    return "\n".join(lines + [f"  Refused: {r['file']}: {r['why']}" for r in result["refused"]])


def _drop_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run", help="id of a training run, of one of its predictions, or of an import"
    )


def _drop(options: Options) -> dict[str, Any]:
    return asdict(workspace_of(options).probability_storage.drop(options.run))


def _show_drop(result: dict[str, Any]) -> str:
    if not result["images"]:
        return "No probabilities are on disk: nothing was removed."
    return (
        f"Removed the probabilities of {plural(result['images'], 'image')} "
        f"({size(result['bytes'])}): {', '.join(result['runs'])}.\nMasks and scores stay. "
        "Predict the split again for ensembles, the CRF, calibration and label errors."
    )


def _export_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", help="id of a finished training run")
    parser.add_argument("--to", required=True, help=f"one of {', '.join(EXPORT_FORMATS)}")
    parser.add_argument(
        "--out",
        required=True,
        metavar="PATH",
        help="a new file or folder; the format's ending is added",
    )


def _export(options: Options) -> dict[str, Any]:
    predictions = workspace_of(options).predictions
    try:
        return predictions.export(options.run, options.to, Path(options.out)).to_json()
    finally:
        predictions.close()


def _import_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", help="name of a dataset in the workspace")
    parser.add_argument(
        "source",
        help=(
            "folder, zip or tar of masks, or of probabilities as .npy or .npz, named like the "
            "images"
        ),
    )
    parser.add_argument(
        "--name",
        help="id of the new run, or of an import that gets a further split. Default: the "
        "folder's name.",
    )
    parser.add_argument(
        "--split", default="test", help="split that the masks predict (default: %(default)s)"
    )
    parser.add_argument(
        "--values",
        default="auto",
        help=f"mask encoding: {', '.join(MASK_VALUES)}. Default: auto.",
    )
    parser.add_argument(
        "--partial", action="store_true", help="skip images without a valid prediction"
    )
    parser.add_argument(
        "--match",
        default="",
        metavar="PATTERN",
        help=r"regular expression with one group, the part of a name that image and prediction "
        r"share: '^(\d+)'",
    )
    parser.add_argument("--check", action="store_true", help="dry run: only report what fits")


def _import(options: Options) -> dict[str, Any]:
    if options.values not in MASK_VALUES:
        raise SegcoreError(
            f"Expected one of {', '.join(MASK_VALUES)} for --values, received "
            f"{options.values!r}: choose one."
        )
    how = HowToImport(options.split, options.values, options.partial, options.match)
    imports, source = workspace_of(options).imports, Path(options.source).expanduser()
    if options.check:
        return imports.check(options.dataset, source, how, ProgressLine("Checking")).to_json()
    name = options.name or source.name.split(".")[0]
    progress = ProgressLine("Importing")
    return imports.import_(options.dataset, source, name, how, progress).to_json()


def _show_import(result: dict[str, Any]) -> str:
    rows = [[r["sample"], r["file"], r["why"]] for r in result["refused"]]
    rows += [[name, "–", "no prediction file"] for name in result["missing"]]
    rows += [["–", name, "not in this split, ignored"] for name in result["extra"]]
    lines = [
        (
            f"{len(result['fits'])} of {result['samples']} images of {result['split']} have a "
            "valid prediction."
        )
    ]
    if rows:
        lines += ["", table(["image", "file", "problem"], rows[:LISTED])]
        lines += (
            [f"... and {len(rows) - LISTED} more (--json lists all)"] if len(rows) > LISTED else []
        )
    if result["run"]:
        lines += ["", f"Imported as {result['run']}: mean IoU {percent(result['mean_iou'])}."]
    return "\n".join(lines)


PREDICTION_COMMANDS: dict[str, Command] = {
    "predict": Command(
        "predict a split, or your own images",
        _predict_arguments,
        _predict,
        _show_predict,
    ),
    "export-polygons": Command(
        "outline the regions of a GeoTIFF of classes as polygons with class and area",
        _polygon_arguments,
        _export_polygons,
        lambda r: f"Wrote {plural(r['polygons'], 'polygon')} to {r['file']}.",
    ),
    "drop-probabilities": Command(
        "free the disk space of a run's probabilities; masks and scores stay",
        _drop_arguments,
        _drop,
        _show_drop,
    ),
    "export-model": Command(
        "export a trained model for other programs and check the result",
        _export_arguments,
        _export,
        lambda r: str(r["sentence"]),
    ),
    "import-predictions": Command(
        "import masks or probabilities of another tool as a run",
        _import_arguments,
        _import,
        _show_import,
    ),
}
