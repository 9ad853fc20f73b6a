"""Client programs of schedulers (sbatch, squeue, kubectl): asked with a time-out, never by a shell."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from segcore.errors import SegcoreError
from segcore.text_files import plain_text

ANSWER_SECONDS = 15.0
LONGEST = 300
"""Characters of a client's message that are shown."""


class NoAnswer(SegcoreError):
    """A scheduler did not answer, or its client is not here."""


@dataclass(frozen=True)
class Answer:
    """What a client said.

    Attributes:
        code: Its exit code.
        output: Its standard output.
        message: Its standard error as one line for people.
    """

    code: int
    output: str
    message: str


def is_installed(program: str) -> bool:
    """Whether a client can be found on this machine."""
    return shutil.which(program) is not None


def ask(
    command: Sequence[str],
    data: str = "",
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    seconds: float | None = None,
) -> Answer:
    """Run a client and return what it said.

    Args:
        command: Program and arguments; no shell reads them.
        data: Its standard input.
        environment: Its whole environment; by default this process's own.
        folder: Where it starts.
        seconds: How long it may take, by default ``ANSWER_SECONDS``.

    Raises:
        NoAnswer: It is not installed, or took longer.
    """
    program = command[0]
    seconds = ANSWER_SECONDS if seconds is None else seconds
    try:
        done = subprocess.run(
            command,
            input=data.encode(errors="surrogateescape"),
            capture_output=True,
            timeout=seconds,
            env={**(os.environ if environment is None else environment), "LC_ALL": "C.UTF-8"},
            cwd=folder,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NoAnswer(f"{program} did not answer within {seconds:.0f} s.") from error
    except OSError as error:
        raise NoAnswer(
            f"Could not run {program} ({error.strerror}): install the scheduler's client on this "
            "machine, or run `segscope work` on one that has it."
        ) from error
    output = done.stdout.decode(errors="replace")
    return Answer(done.returncode, output, one_line(done.stderr.decode(errors="replace")))


def one_line(text: str) -> str:
    """Return what a client said as one short line without control characters."""
    lines = dict.fromkeys(" ".join(line.split()) for line in plain_text(text).splitlines())
    joined = "; ".join(line for line in lines if line)
    return joined if len(joined) <= LONGEST else f"{joined[:LONGEST]}..."
