"""The command line: ``segscope COMMAND`` or ``python -m segcore COMMAND``.

Each command prints a readable table, or with ``--json`` one JSON document and nothing else on
standard output. A mistake that the user can fix ends in one line on standard error and exit code 2.
"""

import argparse
import atexit
import gc
import json
import os
import sys
from collections.abc import Sequence

from segcore import __version__
from segcore.cli.commands import COMMANDS, Command
from segcore.errors import SegcoreError
from segcore.text_files import plain_text


def build_parser() -> argparse.ArgumentParser:
    """Return the parser with every command of :data:`segcore.cli.commands.COMMANDS`."""
    parser = argparse.ArgumentParser(
        prog="segscope",
        description=(
            "Segscope: train, ensemble, inspect and evaluate semantic segmentation models."
        ),
        epilog=(
            "Every command accepts --workspace DIR (default: $SEGCORE_WORKSPACE, else "
            "./workspace) and --json."
        ),
    )
    parser.add_argument("--version", action="version", version=f"Segscope {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        _add(subparsers, name, command)
    return parser


def _add(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, command: Command
) -> None:
    parser = subparsers.add_parser(
        name, help=command.summary, description=command.summary, aliases=command.aliases
    )
    parser.add_argument(
        "--workspace",
        metavar="DIR",
        help="the workspace folder (default: $SEGCORE_WORKSPACE, else ./workspace)",
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON document instead of a table"
    )
    command.arguments(parser)
    parser.set_defaults(chosen=command)


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command; exit code 0, or 2 with one line for a mistake that the user can fix.

    Args:
        argv: Arguments without the program's name; None takes those of the process.
    """
    if argv is None:
        atexit.register(gc.freeze)  # the process ends with the command: garbage need not be found
    options = build_parser().parse_args(argv)
    try:
        result = options.chosen.run(options)
        text = (
            json.dumps(result, indent=2, allow_nan=False)
            if options.json
            else options.chosen.show(result)
        )
        if text:
            print(plain_text(text), flush=True)
        if options.chosen.exit_code is not None:
            sys.exit(options.chosen.exit_code(result))
    except SegcoreError as error:
        print(f"segscope: {plain_text(str(error))}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print(
            "segscope: interrupted. Started runs continue (see: segscope runs); repeat an import "
            "to resume it.",
            file=sys.stderr,
        )
        sys.exit(130)
    except BrokenPipeError:  # the reader, such as `head`, had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
