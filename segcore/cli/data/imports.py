"""The command ``import``: a folder or an archive becomes a dataset."""

import argparse
import re
from pathlib import Path
from typing import Any

from segcore.cli.command import Command, Options, ProgressLine, workspace_of
from segcore.cli.tables import problem_list
from segcore.data.formats.importers import ImportRules, Pairing, Windows, parse_bands
from segcore.labels import list_names, plural


def _import_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="folder or archive that holds images and masks")
    parser.add_argument(
        "--name", help="name of the dataset in the workspace (default: the source's name)"
    )
    parser.add_argument(
        "--reference",
        action="store_true",
        help="leave the images where they are and write only the masks",
    )
    _pairing_arguments(parser)
    parser.add_argument(
        "--many-classes",
        action="store_true",
        help="treat each number in the masks as a class, even if they look like instance numbers",
    )
    parser.add_argument(
        "--unlabelled",
        action="store_true",
        help="keep images without a mask as unlabelled images (default: leave them out)",
    )
    _raster_arguments(parser)


def _pairing_arguments(parser: argparse.ArgumentParser) -> None:
    """Add how masks and images belong together where their names do not say it."""
    parser.add_argument(
        "--mask-suffix",
        default="",
        metavar="END",
        help="what masks have at the end of their images' names, for example _mask",
    )
    parser.add_argument(
        "--match",
        default="",
        metavar="REGEX",
        help=r"the part that names of an image and its mask share, as one group: 'img_(\d+)'",
    )
    parser.add_argument(
        "--masks",
        default="",
        metavar="FOLDER",
        help="folder of the masks where several are possible: its name, or a path below SOURCE",
    )
    parser.add_argument(
        "--images", default="", metavar="FOLDER", help="folder of the images, given in the same way"
    )


def _raster_arguments(parser: argparse.ArgumentParser) -> None:
    """Add how GeoTIFFs and polygons are read."""
    parser.add_argument(
        "--bands",
        default="",
        metavar="BANDS",
        help="bands of GeoTIFFs, from 1: R,G,B to show as a picture (default: the first three), or "
        "bands that keep their values: all, 1,2,3,4,8 or red=3,green=2,blue=1,nir=4",
    )
    parser.add_argument(
        "--indices",
        default="",
        metavar="NAMES",
        help="channels derived from bands that keep their values: ndvi,ndwi or name=first:second, "
        "which is (first - second) / (first + second)",
    )
    parser.add_argument(
        "--windows",
        type=int,
        default=0,
        metavar="PIXELS",
        help="cut rasters of any size into windows of that height and width, each a sample",
    )
    parser.add_argument(
        "--overlap",
        type=int,
        default=0,
        metavar="PIXELS",
        help="with --windows: pixels that neighbouring windows share (default: 0)",
    )
    parser.add_argument(
        "--class-field",
        default="",
        metavar="NAME",
        help="attribute that names the class of polygons (GeoPackage, GeoJSON, Shapefile)",
    )


def _import(options: Options) -> dict[str, Any]:
    rules = ImportRules(
        pairing=Pairing(options.mask_suffix, options.match, options.masks, options.images),
        bands=parse_bands(options.bands, options.indices),
        many_classes=options.many_classes,
        windows=Windows(options.windows, options.overlap, options.class_field),
        unlabelled=options.unlabelled,
    )
    workspace = workspace_of(options)
    report = workspace.datasets.import_(
        Path(options.source),
        options.name,
        rules,
        copy=not options.reference,
        progress=ProgressLine("Importing"),
    )
    result = report.to_json()
    if not any(result["splits"]):
        result["next_split"] = str(workspace.datasets.split_choice(report.name))
    return result


def _show_import(result: dict[str, Any]) -> str:
    splits = (
        ", ".join(f"{k or 'no split'} {v}" for k, v in result["splits"].items()) or "no splits yet"
    )
    samples = plural(result["num_samples"], "sample")
    if result["num_unlabelled"]:
        samples += f" and {plural(result['num_unlabelled'], 'unlabelled image')}"
    lines = [f"Imported {samples} as {result['name']!r} ({splits})."]
    if result.get("bands"):
        lines.append(f"Bands keep their values: {result['bands']}")
    names = [c["name"] for c in result["label_set"]["classes"]]
    origin = f", from {result['classes_from']}" if result["classes_from"] else ""
    lines.append(f"{plural(len(names), 'class', 'es')}{origin}: {list_names(names)}")
    ignored = result["label_set"].get("ignored", [])
    if ignored:
        shown = list_names([f"{c['name']} (id {c['id']})" for c in ignored])
        lines.append(f"Ignored: {shown}")
    problems = [
        f"{p['sample'] or 'whole set'}: {p['what']}" + (f": {p['fix']}" if p["fix"] else "")
        for p in result["problems"]
    ]
    lines += problem_list(problems, "; --json lists all.")
    lines += _next(result, [name for name in names if re.fullmatch("#[0-9a-f]{6}", name)])
    return "\n".join(lines)


def _next(result: dict[str, Any], unnamed: list[str]) -> list[str]:
    """Say what comes next: names before splits, since both ask how alike the splits are."""
    name, lines = result["name"], []
    if unnamed:
        renames = " ".join(f"--rename '{color}=NAME'" for color in unnamed[:2])
        more = " ..." if len(unnamed) > 2 else ""
        lines.append(
            f"Next, name the classes: segscope classes {name} {renames}{more}; leave one out with "
            f"--ignore '{unnamed[-1]}'"
        )
    if "next_split" in result:
        then = "Then" if unnamed else "Next,"
        lines.append(f"{then} make splits: segscope split {name} ({result['next_split']})")
    return lines


IMPORT_COMMANDS: dict[str, Command] = {
    "import": Command(
        "import images and masks into the workspace and report problems",
        _import_arguments,
        _import,
        _show_import,
    ),
}
