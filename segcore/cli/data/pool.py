"""The command about images without masks: add them to a dataset, list or remove them."""

import argparse
from pathlib import Path
from typing import Any

from segcore.cli.command import Command, Options, ProgressLine, workspace_of
from segcore.cli.tables import table
from segcore.errors import SegcoreError
from segcore.labels import plural

LISTED = 50
"""Images that the table shows; ``--json`` lists all."""


def _pool_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", help="name of a dataset in the workspace")
    parser.add_argument("--add", metavar="PATH", help="add the images of a folder or an archive")
    parser.add_argument(
        "--reference", action="store_true", help="with --add: leave the images where they are"
    )
    parser.add_argument(
        "--remove", nargs="+", metavar="IMAGE", help="take these images out of the dataset"
    )


def _pool(options: Options) -> dict[str, Any]:
    pool, name = workspace_of(options).pool, options.dataset
    if options.add and options.remove:
        raise SegcoreError("Expected --add or --remove, received both: give one of them.")
    if options.reference and not options.add:
        raise SegcoreError(
            "Expected --add with --reference, received --reference alone: name what to add."
        )
    if options.add:
        progress = ProgressLine("Adding")
        return pool.add(name, Path(options.add), not options.reference, progress).to_json()
    if options.remove:
        return {
            "dataset": name,
            "removed": options.remove,
            "total": pool.remove(name, options.remove),
        }
    return {"dataset": name, "images": [vars(image) for image in pool.images(name)]}


def _show_pool(result: dict[str, Any]) -> str:
    name = result["dataset"]
    if "removed" in result:
        left = plural(result["total"], "unlabelled image")
        return f"Removed {len(result['removed'])}; {name} has {left} left."
    if "added" in result:
        lines = [
            f"Added {plural(len(result['added']), 'unlabelled image')} to {name}; it has "
            f"{result['total']:,} now."
        ]
        lines += [
            f"  {p['sample'] or 'whole folder'}: {p['what']}"
            + (f": {p['fix']}" if p["fix"] else "")
            for p in result["problems"][:LISTED]
        ]
        return "\n".join([*lines, f"Next: segscope label-next {name} --run RUN"])
    images = result["images"]
    if not images:
        return f"{name} has no unlabelled image: segscope pool {name} --add FOLDER"
    rows = [[i["sample"], f"{i['height']} x {i['width']}"] for i in images[:LISTED]]
    shown = table(["image", "height x width"], rows)
    more = f"\n... and {len(images) - LISTED:,} more" if len(images) > LISTED else ""
    return f"{plural(len(images), 'unlabelled image')} in {name}:\n{shown}{more}"


POOL_COMMANDS: dict[str, Command] = {
    "pool": Command(
        "list, add or remove images without masks, which wait to be labelled",
        _pool_arguments,
        _pool,
        _show_pool,
    )
}
