"""The command about edited masks: their versions, restoring one, and a mask from a file."""

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from segcore.cli.command import Command, Options, workspace_of
from segcore.cli.tables import table
from segcore.errors import SegcoreError
from segcore.labels import plural


def _masks_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", help="name of a dataset in the workspace")
    parser.add_argument("image", nargs="?", help="id of an image (default: list the edited masks)")
    parser.add_argument(
        "--restore", type=int, metavar="N", help="put version N of the image's mask back in use"
    )
    parser.add_argument(
        "--save", metavar="FILE", help="save this file of class indices as the image's mask"
    )
    parser.add_argument(
        "--split",
        default="train",
        help="split that an unlabelled image joins by its first mask (default: train)",
    )
    parser.add_argument(
        "--by", default="", metavar="NAME", help="who saves it (default: the system's user name)"
    )


def _masks(options: Options) -> dict[str, Any]:
    masks, name, image = workspace_of(options).masks, options.dataset, options.image
    if image is None:
        if options.restore is not None or options.save:
            raise SegcoreError(
                "Expected the id of an image with --restore or --save, received none: name it "
                "after the dataset."
            )
        edited = masks.edited(name)
        return {
            "dataset": name,
            "edited": [
                {"image": sample, "versions": len(masks.history(name, sample).versions)}
                for sample in edited
            ],
        }
    if options.restore is not None and options.save:
        raise SegcoreError("Expected --restore or --save, received both: give one of them.")
    if options.save:
        masks.save_file(name, image, Path(options.save), options.by, options.split)
    elif options.restore is not None:
        digest = masks.open(name, image).digest
        masks.restore(name, image, options.restore, based_on=digest, author=options.by)
    history = masks.history(name, image)
    return {
        "dataset": name,
        "image": image,
        "in_use": history.in_use,
        "versions": [dataclasses.asdict(version) for version in history.versions],
    }


def _show_masks(result: dict[str, Any]) -> str:
    if "edited" in result:
        edited = [[row["image"], row["versions"]] for row in result["edited"]]
        if not edited:
            return f"No mask of {result['dataset']} was edited."
        count = plural(len(edited), "edited mask")
        return f"{count} in {result['dataset']}:\n" + table(["image", "versions"], edited)
    rows = [
        [
            f"{version['number']}{' *' if version['number'] == result['in_use'] else ''}",
            version["time"][:16].replace("T", " "),
            version["author"],
            version["origin"] + (" (put aside)" if version["aside"] else ""),
            sum(change["pixels"] for change in version["changes"]),
        ]
        for version in result["versions"]
    ]
    head = ["version", "saved (UTC)", "by", "made from", "pixels changed"]
    return table(head, rows) + "\n* in use"


def _promptable_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "encoder",
        nargs="?",
        help="ONNX file of the encoder, as Segment Anything is exported; 'none' removes both files",
    )
    parser.add_argument("decoder", nargs="?", help="ONNX file of the decoder of the same export")


def _promptable(options: Options) -> dict[str, Any]:
    proposals = workspace_of(options).proposals
    if options.encoder == "none":
        proposals.set_promptable("", "")
    elif options.encoder:
        proposals.set_promptable(options.encoder, options.decoder or "")
    files = proposals.promptable
    return {"promptable": None if files is None else dataclasses.asdict(files)}


def _show_promptable(result: dict[str, Any]) -> str:
    files = result["promptable"]
    if files is None:
        return "No promptable network. Choose one with: segscope promptable ENCODER DECODER"
    return f"Encoder: {files['encoder']}\nDecoder: {files['decoder']}"


MASK_COMMANDS: dict[str, Command] = {
    "promptable": Command(
        "show or choose the network that masks a clicked object in the mask editor",
        _promptable_arguments,
        _promptable,
        _show_promptable,
    ),
    "masks": Command(
        "list versions of edited masks, go back to one, or save a mask from a file",
        _masks_arguments,
        _masks,
        _show_masks,
    ),
}
