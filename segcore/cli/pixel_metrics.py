"""Commands about pixels: boundaries, calibration, label errors, and robustness."""

import argparse
from typing import Any

from segcore.catalog import CORRUPTIONS
from segcore.cli.command import Command, Options, ProgressLine, workspace_of
from segcore.cli.options import MOST, whole_number
from segcore.cli.tables import table
from segcore.errors import SegcoreError
from segcore.formatting import interval, number, percent, plural, points
from segcore.workspace import Workspace


def _measure_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", help="id of a training run, an ensemble or an import")
    parser.add_argument(
        "--split", default="test", help="split that is measured (default: %(default)s)"
    )
    parser.add_argument(
        "--stage", default="", help="what was scored of an ensemble: ensemble (the default) or crf"
    )
    parser.add_argument(
        "--fit",
        metavar="SPLIT",
        help="split that the temperature is fitted on; '' fits none. Default: validation, where "
        "the run has it.",
    )


def _measure(options: Options) -> dict[str, Any]:
    workspace, run, split = workspace_of(options), options.run, options.split
    workspace.scores.ensure_predictions([run], split, progress=ProgressLine("Predicting"))
    label_set = workspace.scores.label_set(run)
    measured = workspace.pixel_metrics.measure(run, split, options.stage, ProgressLine("Measuring"))
    confidence = measured.measures.confidence()
    result: dict[str, Any] = {
        "run": run,
        "split": split,
        "class_names": label_set.class_names,
        "borders": workspace.pixel_metrics.borders(run, split, measured).to_json(),
    }
    result |= {"confidence": None, "temperature": None, "scaled": None, "label_errors": None}
    if confidence is None:
        return result
    result["confidence"] = confidence.to_json()
    fit = _fit_split(workspace, options)
    if fit and fit != split:
        workspace.scores.ensure_predictions([run], fit, progress=ProgressLine("Predicting"))
        if workspace.pixel_metrics.samples(run, fit):
            fitted = workspace.pixel_metrics.measure(run, fit, "", ProgressLine("Fitting"))
            result["temperature"] = fitted.temperature
            scaled = workspace.pixel_metrics.scaled(
                run, split, fitted.temperature, ProgressLine("Softening")
            )
            result["scaled"] = scaled.to_json() if scaled else None
    result["label_errors"] = workspace.pixel_metrics.suspects(
        run, split, ProgressLine("Checking labels")
    ).to_json()
    return result


def _fit_split(workspace: Workspace, options: Options) -> str:
    """Return the split to fit on: as asked, else validation where the run has or can get it."""
    if options.fit is not None:
        return str(options.fit)
    folder = workspace.runs.open(options.run)
    if "validation" not in workspace.datasets.open(folder.config.dataset).splits:
        return ""
    held = folder.config.kind != "imported" or folder.stages("validation")
    return "validation" if held else ""


def _show_measure(result: dict[str, Any]) -> str:
    borders, confidence, scaled, labels = (
        result[k] for k in ("borders", "confidence", "scaled", "label_errors")
    )
    classes = [
        [n, percent(v)] for n, v in zip(result["class_names"], borders["boundary"], strict=True)
    ]
    band = [
        [r["width"], percent(r["mean_iou"]), percent(r["pixel_accuracy"]), r["pixels"]]
        for r in borders["trimap"]
    ]
    parts = [
        f"{plural(borders['num_samples'], 'image')} of {result['split']} with "
        f"{'probabilities' if confidence else 'masks'} on disk.",
        (
            f"Mean boundary IoU {percent(borders['mean_boundary'])} ({interval(*borders['interval'])})."
        ),
        table(["class", "boundary IoU"], classes),
        table(["within px", "mean IoU", "accuracy", "pixels"], band),
    ]
    if confidence:
        rows = [
            [
                "as it is",
                *(number(confidence[k]) for k in ("ece", "mce", "brier", "log_loss", "aurc")),
            ]
        ]
        if scaled:
            rows.append(
                [
                    f"at T {result['temperature']:.3f}",
                    *(number(scaled[k]) for k in ("ece", "mce", "brier", "log_loss", "aurc")),
                ]
            )
        parts.append(table(["calibration", "ECE", "MCE", "Brier", "log loss", "AURC"], rows))
    if labels:
        worst = [
            [i["id"], i["pixels"], percent(i["share"])]
            for i in labels["images"][:10]
            if i["pixels"]
        ]
        parts += [
            (
                f"Labels that a confident network contradicts: {percent(labels['share'])} of "
                "the pixels."
            )
        ]
        parts += [table(["image", "pixels", "of the image"], worst)] if worst else []
    return "\n\n".join(parts)


def _robustness_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", help="id of a training run or an ensemble")
    parser.add_argument(
        "--split", default="test", help="split whose images are corrupted (default: %(default)s)"
    )
    parser.add_argument(
        "--corruption",
        action="append",
        metavar="NAME",
        help=f"one of {', '.join(CORRUPTIONS)}; repeat for several (default: all that fit the images)",
    )
    parser.add_argument(
        "--images",
        type=int,
        default=32,
        help="how many images, spread evenly over the split; 0 takes all",
    )
    parser.add_argument(
        "--seed", type=whole_number("--seed", 0, MOST), default=0, help="of the noise"
    )


def _robustness(options: Options) -> dict[str, Any]:
    if options.images < 0:
        raise SegcoreError(f"Expected 0 images or more, received {options.images}: 0 takes all.")
    workspace = workspace_of(options)
    chosen = tuple(dict.fromkeys(options.corruption or ()))
    name = workspace.robustness.start(
        options.run, options.split, chosen, options.images, options.seed
    )
    workspace.runs.wait([name], ProgressLine("Counting"))
    return workspace.robustness.result(name).to_json()


def _show_robustness(result: dict[str, Any]) -> str:
    curves = result["curves"]
    rows = []
    for part in result["corruptions"]:
        name = part["corruption"]
        own = [percent(r["mean_iou"]) for r in curves if r["corruption"] == name]
        hit = [
            (d, n)
            for d, n in zip(part["class_drop"], result["class_names"], strict=True)
            if d is not None
        ]
        worst = max(hit) if hit else None
        rows.append(
            [
                CORRUPTIONS[name].title,
                *own,
                points(part["drop"]),
                f"{worst[1]} ({points(worst[0])})" if worst else "",
            ]
        )
    head = (
        f"{plural(result['num_samples'], 'image')} of {result['split']}; as they are: mean IoU "
        f"{percent(result['clean']['mean_iou'])}."
    )
    return f"{head}\n\n" + table(
        ["mean IoU under", "1", "2", "3", "4", "5", "mean drop", "loses most"], rows
    )


PIXEL_COMMANDS: dict[str, Command] = {
    "measure": Command(
        "borders, calibration and likely label errors from stored probabilities",
        _measure_arguments,
        _measure,
        _show_measure,
    ),
    "robustness": Command(
        "scores under noise, blur, darkness and JPEG, at five severities",
        _robustness_arguments,
        _robustness,
        _show_robustness,
    ),
}
