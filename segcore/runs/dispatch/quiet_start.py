"""Start a module of which TensorFlow is a part, without what TensorFlow prints at each start.

    python -m segcore.runs.dispatch.quiet_start MODULE [ARGUMENT ...]

Those lines are written before any setting of TensorFlow's applies, so standard error goes through a
small process that drops them. It is forked before anything else is loaded, lives as long as the
module, and passes on everything else, the last words of a crash too.
"""

import os
import re
import runpy
import sys
from collections.abc import Sequence

NOISE = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog"
    rb"|To enable the following instructions: "
    rb"|[IW]\d{4} \d\d:\d\d:\d+\.\d+ +\d+ \S+\.cc:\d+\]"
    rb"|E\d{4} \d\d:\d\d:\d+\.\d+ +\d+ \S+\.cc:\d+\] "
    rb"(failed call to cuInit|Unable to register cu|error: libcu)"
)
"""Beginnings of lines about devices that are absent and features that are on."""


def main(arguments: Sequence[str]) -> None:
    """Filter standard error and become the module."""
    _filter_errors()
    sys.argv = list(arguments)
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)


def _filter_errors() -> None:
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.setpgid(0, 0)  # what ends the group of a dead worker must not take its last words
        os.dup2(reading, 0)
        os.closerange(3, os.sysconf("SC_OPEN_MAX") if hasattr(os, "sysconf") else 4096)
        os.dup2(2, 1)
        try:
            _pass_on()
        finally:
            os._exit(0)
    os.close(reading)
    os.dup2(writing, 2)
    os.close(writing)


def _pass_on() -> None:
    """Copy standard input to standard error, line by line, without noise, until it ends."""
    rest = b""
    while data := os.read(0, 1 << 16):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            if not NOISE.match(line):
                os.write(2, line + b"\n")
    os.write(2, rest)


if __name__ == "__main__":
    main(sys.argv[1:])
