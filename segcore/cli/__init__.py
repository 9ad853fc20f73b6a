"""The command line: ``segscope COMMAND`` or ``python -m segcore COMMAND``.

Each command prints a readable table, or with ``--json`` one JSON document and nothing else on
standard output. A mistake that the user can fix ends in one line on standard error and exit code 2.
"""

import atexit
import gc
import json
import os
import sys
from collections.abc import Sequence

from segcore.cli.parsing import build_parser, parse
from segcore.cli.tables import problem_list
from segcore.errors import SegcoreError
from segcore.formatting import plural
from segcore.installing import with_program
from segcore.text_files import plain_text
from segcore.workspace import workspace_folder
from segcore.workspace.runs.waiting import WaitStopped

__all__ = ["build_parser", "main"]


def _what_continues(stop: WaitStopped) -> str:
    """Say which runs continue without the command that waited for them, and how to stop them."""
    first, others = stop.runs[0], len(stop.runs) - 1
    along = f" and {plural(others, 'run')} with it" if others else ""
    does = ("keep" if others else "keeps") if stop.works else ("stay" if others else "stays")
    where = "running" if stop.works else "in the queue"
    stopping = f"to stop {'them' if others else 'it'}: segscope runs stop {' '.join(stop.runs)}"
    return f"{first}{along} {does} {where}; {stopping}"


def _say(*lines: str) -> None:
    """Print lines on standard error, over what is left of a line of progress."""
    over = "\r\x1b[K" if sys.stderr.isatty() else ""
    print(over + "\n".join(with_program(plain_text(line)) for line in lines), file=sys.stderr)


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command; exit code 0, or 2 with one line for a mistake that the user can fix.

    Args:
        argv: Arguments without the program's name; None takes those of the process.
    """
    if argv is None:
        atexit.register(gc.freeze)  # the process ends with the command: garbage need not be found
    try:
        options = parse(sys.argv[1:] if argv is None else argv)
        result = options.chosen.run(options)
        text = (
            json.dumps(result, indent=2, allow_nan=False)
            if options.json
            else options.chosen.show(result)
            or options.chosen.nothing.format(workspace=workspace_folder(options.workspace))
        )
        if text:
            print(plain_text(text if options.json else with_program(text)), flush=True)
        if options.chosen.exit_code is not None:
            sys.exit(options.chosen.exit_code(result))
    except SegcoreError as error:
        _say(*problem_list(error.details), f"segscope: {error}")
        sys.exit(2)
    except WaitStopped as stop:
        _say(f"segscope: interrupted. {_what_continues(stop)}")
        sys.exit(130)
    except KeyboardInterrupt:
        _say(
            "segscope: interrupted. Started runs continue (see: segscope runs); repeat an import "
            "to resume it."
        )
        sys.exit(130)
    except BrokenPipeError:  # the reader, such as `head`, had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
