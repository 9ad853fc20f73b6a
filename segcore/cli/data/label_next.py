"""Commands about what to label next: rank, send to an annotation tool, take the answer back."""

import argparse
from pathlib import Path
from typing import Any

from segcore.cli.command import Command, Options, ProgressLine, workspace_of
from segcore.cli.tables import table
from segcore.data.formats.annotation_batches import TOOLS
from segcore.errors import SegcoreError
from segcore.evaluation.metrics.label_next import ORDERS
from segcore.labels import list_names, plural

SHOWN = 20
"""Problems of an answer that are printed; ``--json`` lists all."""


def _next_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("dataset", help="name of a dataset in the workspace")
    add(
        "--run",
        nargs="+",
        required=True,
        metavar="RUN",
        help="runs and ensembles to ask; the members of all of them are compared",
    )
    add("--by", default="mix", help=f"{', '.join(ORDERS)} (default: mix)")
    add("--batch", type=int, default=20, metavar="N", help="images to choose (default: 20)")
    add(
        "--predict",
        action="store_true",
        help="predict the unlabelled images that are not predicted yet, and wait",
    )
    add("--export", metavar="FOLDER", help="write the batch into a new folder")
    add(
        "--for",
        dest="tool",
        default="cvat",
        help=f"with --export: {', '.join(TOOLS)} (default: cvat)",
    )


def _next(options: Options) -> dict[str, Any]:
    workspace, name = workspace_of(options), options.dataset
    if options.predict:
        workspace.runs.wait(
            workspace.label_next.predict(name, options.run), ProgressLine("Predicting")
        )
    chosen = workspace.label_next.suggest(
        name, options.run, options.by, options.batch, ProgressLine("Measuring")
    )
    result = chosen.to_json()
    if options.export:
        samples = [image.sample for image in chosen.images]
        folder = workspace.annotation_tools.export(
            name,
            samples,
            Path(options.export).expanduser(),
            options.tool,
            options.run[0],
            ProgressLine("Writing"),
        )
        result |= {"folder": str(folder), "tool": options.tool}
    return result


def _show_next(result: dict[str, Any]) -> str:
    rows = [
        [
            place,
            image["sample"],
            "; ".join(image["reasons"]) or f"{result['by']} {image['value']:.3f}",
        ]
        for place, image in enumerate(result["images"], 1)
    ]
    lines = [
        f"{plural(len(rows), 'image')} of {result['pool']:,} unlabelled ones in {result['dataset']}, "
        f"by {result['by']}; images are compared by {result['features']}.",
        table(["", "image", "why"], rows),
    ]
    if result["duplicates"]:
        lines.append(
            f"{plural(len(result['duplicates']), 'image')} left out as near-duplicates of labelled "
            "or chosen ones."
        )
    if result["unpredicted"]:
        lines.append(
            f"{plural(result['unpredicted'], 'image')} not predicted by every run yet: add --predict."
        )
    if "folder" in result:
        lines.append(
            f"Written to {result['folder']} for {TOOLS[result['tool']]}; README.txt there says how. "
            f"Take the answer back: segscope label-answer {result['dataset']} ANSWER"
        )
    return "\n".join(lines)


def _answer_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", help="name of a dataset in the workspace")
    parser.add_argument(
        "answer", help="archive, folder or JSON file that the annotation tool exported"
    )
    parser.add_argument(
        "--split",
        default="train",
        help="split that newly labelled images join (default: train)",
    )
    parser.add_argument(
        "--by", default="", metavar="NAME", help="who labelled (default: the system's user name)"
    )


def _answer(options: Options) -> dict[str, Any]:
    source = Path(options.answer).expanduser()
    if not source.exists():
        raise SegcoreError(f"Expected an answer at {source}, found nothing: check the path.")
    return (
        workspace_of(options)
        .annotation_tools.take_back(
            options.dataset, source, options.split, options.by, ProgressLine("Reading")
        )
        .to_json()
    )


def _show_answer(result: dict[str, Any]) -> str:
    joined = f", which joined {result['split']}" if result["split"] and result["labelled"] else ""
    lines = [
        f"{result['form']}: {plural(len(result['labelled']), 'image')} newly labelled{joined}, "
        f"{len(result['changed'])} changed, {len(result['same'])} as they were."
    ]
    if result["changed"]:
        lines.append(f"Changed: {list_names(result['changed'], 6)}")
    lines += [f"  {sentence}" for sentence in result["problems"][:SHOWN]]
    return "\n".join(lines)


LABEL_NEXT_COMMANDS: dict[str, Command] = {
    "label-next": Command(
        "choose which unlabelled images to label next, and why", _next_arguments, _next, _show_next
    ),
    "label-answer": Command(
        "take masks back from an annotation tool, matched by name",
        _answer_arguments,
        _answer,
        _show_answer,
    ),
}
