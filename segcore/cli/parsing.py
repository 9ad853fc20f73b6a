"""The words of a command line become options, or a sentence that says which were meant."""

import argparse
import re
import shlex
import textwrap
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from segcore import __version__
from segcore.cli.command import Command, Options
from segcore.cli.commands import COMMANDS
from segcore.errors import SegcoreError
from segcore.installing import PACKAGE, typed_program, with_program

_SENTENCES = (
    (r"^the following arguments are required: (.*)$", r"Expected \1, received none"),
    (
        r"^argument (\S+): expected (?:one|at least one) argument$",
        r"Expected a value after \1, received none",
    ),
    (r"^argument (\S+): invalid int value: (.*)$", r"Expected \1 as a whole number, received \2"),
    (r"^argument (\S+): invalid float value: (.*)$", r"Expected \1 as a number, received \2"),
    (
        r"^argument (\S+): invalid choice: (.*) \(choose from (.*)\)$",
        r"Expected \1 as one of \3, received \2",
    ),
    (r"^argument (\S+): (Expected .*)$", r"\2"),
)
"""What argparse says, and the same as a sentence."""

BARE = ("--json", "--version", "-h", "--help")
"""Options before the command that take no value."""


class _Help(argparse.HelpFormatter):
    """Help whose commands begin as this one was called; its lines break at blanks only."""

    def _expand_help(self, action: argparse.Action) -> str:
        return with_program(super()._expand_help(action))

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return super()._fill_text(with_program(text), width, indent)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, without the usage of dozens of options."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments, formatter_class=_Help)

    def error(self, message: str) -> NoReturn:
        """Print what is missing or wrong, and exit with code 2."""
        for pattern, sentence in _SENTENCES:
            message = re.sub(pattern, sentence, message)
        self.exit(2, f"segscope: {message[:1].upper()}{message[1:]}: see {self.prog} --help.\n")

    def _print_message(self, message: str, file: Any = None) -> None:
        super()._print_message(with_program(message), file)


def build_parser() -> Parser:
    """Return the parser with every command of :data:`segcore.cli.commands.COMMANDS`."""
    parser = Parser(
        prog=shlex.join(typed_program()) or PACKAGE,
        description=(
            "Segscope: train, ensemble, inspect and evaluate semantic segmentation models."
        ),
        epilog=(
            "--workspace and --json are accepted before the command and after it. segscope COMMAND "
            "--help lists the options of a command."
        ),
    )
    parser.add_argument("--version", action="version", version=f"Segscope {__version__}")
    _add_common(parser, workspace=None, json=False)
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        _add(subparsers, name, command)
    return parser


def _add_common(parser: argparse.ArgumentParser, **defaults: Any) -> None:
    """Add what every command takes; without defaults, what stood before the command is kept."""
    parser.add_argument(
        "--workspace",
        metavar="DIR",
        default=defaults.get("workspace", argparse.SUPPRESS),
        help="the workspace folder (default: $SEGCORE_WORKSPACE, else ./workspace)",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        default=defaults.get("json", argparse.SUPPRESS),
        help="print one JSON document instead of a table",
    )


def _add(subparsers: "argparse._SubParsersAction[Parser]", name: str, command: Command) -> None:
    parser = subparsers.add_parser(
        name, help=command.summary, description=command.summary, aliases=command.aliases
    )
    _add_common(parser)
    command.arguments(parser)
    parser.set_defaults(chosen=command, own_parser=parser)


def parse(words: Sequence[str]) -> Options:
    """Read a command line; without a command, or with ``help``, print help and exit.

    Args:
        words: The arguments without the program's name.

    Raises:
        SegcoreError: There is no such command or option.
        SystemExit: Help was printed, or an argument is missing or wrong and that was printed.
    """
    place = _place_of_command(words)
    if place is None:
        return build_parser().parse_args([*words, "--help"])
    if words[place] == "help":
        return parse([*words[place + 1 : place + 2], "--help"])
    names = [one for name, command in COMMANDS.items() for one in (name, *command.aliases)]
    if words[place] not in names:
        meant = _meant(words[place], names, "segscope help lists the commands.")
        raise SegcoreError(f"Unknown command {words[place]!r}: {meant}")
    options, strange = build_parser().parse_known_args(words)
    if strange:
        raise _unexpected(strange[0], options.own_parser)
    return options


def _place_of_command(words: Sequence[str]) -> int | None:
    """The index of the command among the words, None where there is none.

    Raises:
        SegcoreError: An option stands before the command that is not every command's.
    """
    value = False
    for place, word in enumerate(words):
        if value or word in BARE or word.startswith("--workspace="):
            value = False
        elif word == "--workspace":
            value = True
        elif word.startswith("-"):
            meant = _meant(word, [*BARE, "--workspace"], "write it after the command.")
            raise SegcoreError(f"Expected a command before the option {word!r}: {meant}")
        else:
            return place
    return None


def _unexpected(word: str, parser: argparse.ArgumentParser) -> SegcoreError:
    """Build the error for a word that a command does not take."""
    see = f"{parser.prog} --help lists what it takes."
    if not word.startswith("-"):
        return SegcoreError(
            f"Expected no further word after {parser.prog}, received {word!r}: {see}"
        )
    known = parser._option_string_actions
    return SegcoreError(f"Unknown option {word!r} of {parser.prog}: {_meant(word, known, see)}")


def _meant(word: str, known: Iterable[str], otherwise: str) -> str:
    near = get_close_matches(word.partition("=")[0], list(known), n=1)
    return f"did you mean {near[0]!r}?" if near else otherwise
