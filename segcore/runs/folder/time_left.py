"""How far work of known size is, and how long it still takes."""

import time


class TimeLeft:
    """Share done and seconds left, from the speed since the first call of :meth:`at`.

    Args:
        total: All that is to be done, in any unit.
    """

    def __init__(self, total: float) -> None:
        self._total = max(total, 1e-9)
        self._start: tuple[float, float] | None = None

    def at(self, done: float) -> dict[str, float | None]:
        """Return ``progress`` (0 to 1) and ``seconds_left`` (None until something was done)."""
        now = time.monotonic()
        if self._start is None:
            self._start = (now, done)
        began, before = self._start
        left = (now - began) / (done - before) * (self._total - done) if done > before else None
        return {"progress": min(1.0, done / self._total), "seconds_left": left}
