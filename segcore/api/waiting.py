"""A progress line for background work."""

import sys
import time
from types import TracebackType

from segcore.formatting import duration


class ProgressLine:
    """Writes ``what: 42 % (message), 3 min left`` to standard error, in place."""

    def __init__(self, what: str) -> None:
        self.what = what
        self._began = time.monotonic()
        self._shown = ""

    def __enter__(self) -> "ProgressLine":
        """Start the clock."""
        self._began = time.monotonic()
        return self

    def __call__(self, done: int, total: int, message: str = "") -> None:
        """Show a state; the same one twice writes nothing."""
        share = done / total if total else 0.0
        left = (
            f", {duration((time.monotonic() - self._began) * (1 - share) / share)} left"
            if 0.02 < share < 1
            else ""
        )
        text = f"{self.what}: {share:.0%}{f' ({message})' if message else ''}{left}"
        if text != self._shown:
            sys.stderr.write("\r" + text.ljust(len(self._shown)))
            sys.stderr.flush()
            self._shown = text

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the line."""
        if self._shown:
            sys.stderr.write("\n")
