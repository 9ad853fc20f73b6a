"""The command about tags of single images."""

import argparse
from pathlib import Path
from typing import Any

from segcore.cli.command import Command, Options, workspace_of
from segcore.cli.tables import table
from segcore.data.dataset.tags import format_tags
from segcore.errors import SegcoreError
from segcore.text_files import read_text


def _tags_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", help="name of a dataset in the workspace")
    parser.add_argument(
        "--add",
        action="append",
        default=[],
        metavar="TAG",
        help="give this tag to the chosen images; repeat for several",
    )
    parser.add_argument(
        "--remove",
        action="append",
        default=[],
        metavar="TAG",
        help="remove this tag from the chosen images",
    )
    parser.add_argument(
        "--images",
        action="append",
        default=[],
        metavar="PATTERN",
        help="the chosen images: '0016*'; repeat for several",
    )
    parser.add_argument(
        "--read",
        metavar="CSV",
        help="take tags from a table with the columns sample and tags (several with ; between)",
    )
    parser.add_argument(
        "--write", metavar="CSV", help="write the tags of all images into such a table"
    )


def _tags(options: Options) -> dict[str, Any]:
    all_tags, name = workspace_of(options).tags, options.dataset
    if bool(options.add or options.remove) != bool(options.images):
        raise SegcoreError(
            "Expected --images together with --add or --remove, received one alone: say "
            "which images, and what of them."
        )
    if options.read:
        all_tags.read_table(name, read_text(Path(options.read)).text)
    chosen = list(
        dict.fromkeys(
            sample for pattern in options.images for sample in all_tags.matching(name, pattern)
        )
    )
    tags = (
        all_tags.change(name, chosen, add=options.add, remove=options.remove)
        if chosen
        else all_tags.of(name)
    )
    if options.write:
        try:
            Path(options.write).write_text(format_tags(tags), encoding="utf-8")
        except OSError as error:
            raise SegcoreError(
                f"Expected a place for the table, but {options.write} cannot be written "
                f"({error}): name another."
            ) from error
    return {
        "dataset": name,
        "changed": len(chosen),
        "tags": all_tags.counts(name),
        "samples": {k: list(v) for k, v in tags.items()},
    }


def _show_tags(result: dict[str, Any]) -> str:
    if not result["tags"]:
        return (
            f"No image of {result['dataset']} has a tag; give one: segscope tags "
            f"{result['dataset']} --images '0016*' --add night"
        )
    return table(["tag", "images"], [[tag, number] for tag, number in result["tags"].items()])


TAG_COMMANDS: dict[str, Command] = {
    "tags": Command(
        "say what single images show (night, rain), to find them and to score them apart",
        _tags_arguments,
        _tags,
        _show_tags,
    )
}
