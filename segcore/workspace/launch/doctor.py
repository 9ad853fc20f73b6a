"""The doctor: what this machine can train on, and why a device was used or refused."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segcore.config import TrainConfig
from segcore.errors import SegcoreError
from segcore.runs.dispatch.scheduler_check import check_schedulers
from segcore.runs.machine.devices import Device
from segcore.runs.machine.diagnosis import ENGINES, STATES, Check, Diagnosis, gpu_command
from segcore.runs.machine.doctor import FILE, examine, kept_diagnosis, last_diagnosis
from segcore.runs.machine.engines import AUTO
from segcore.workspace.rights import writes
from segcore.workspace.runs.refusals import refuse_device

__all__ = ["STATES", "Check", "DeviceVerdict", "Diagnosis", "Doctor", "Progress"]

FRESH = 30.0
"""Seconds for which an answer is believed without asking the driver for its version again."""

Stamp = tuple[int, int] | None
"""When a file was changed, in nanoseconds since 1970, and its bytes; None where there is none."""


@dataclass(frozen=True)
class Progress:
    """How far a check in the background is.

    Attributes:
        done: Parts that are done.
        total: Parts in all.
        part: The part that is checked now.
    """

    done: int
    total: int
    part: str


@dataclass(frozen=True)
class DeviceVerdict:
    """Whether a run can use a device.

    Attributes:
        usable: False where the doctor saw it fail, or where only the driver sees it.
        reason: Why it is not usable, or "" where it is.
        command: A command that helps, or "".
    """

    usable: bool
    reason: str = ""
    command: str = ""


class Doctor:
    """Checks the machine, and remembers the answer until the driver or a package changes."""

    def __init__(self, workspace: Path) -> None:
        self._workspace = workspace
        self._lock = threading.Lock()
        self._progress: Progress | None = None
        self._problem = ""
        self._begun = False
        self._own: Diagnosis | None = None
        self._read: tuple[float, Stamp, Diagnosis | None] = (0.0, None, None)

    @writes("check the machine")
    def examine(self) -> Diagnosis:
        """Check everything now; takes as long as importing every engine once."""
        return examine(self._workspace, more=check_schedulers)

    @writes("check the machine")
    def start(self) -> None:
        """Begin a check in the background; nothing happens while one is running."""
        self._begin()

    def _begin(self) -> None:
        with self._lock:
            if self._progress is not None:
                return
            self._progress, self._problem = Progress(0, 1, "starting"), ""
            self._begun = True
        threading.Thread(target=self._examine, name="doctor", daemon=True).start()

    def start_where_unchecked(self, devices: Sequence[Device]) -> None:
        """Begin a check where the driver lists a GPU that was not checked yet; once at most.

        Args:
            devices: What the machine has.
        """
        if not self._begun and len(devices) > 1 and self.last() is None:
            self._begin()

    def _examine(self) -> None:
        problem, own = "", None
        try:
            own = examine(self._workspace, self._tell, check_schedulers)
        except Exception as error:  # shown on the page; the thread has nobody else to tell
            problem = f"The check ended early ({type(error).__name__}: {error})."
        with self._lock:
            self._progress, self._problem, self._own = None, problem, own or self._own
            self._read = (0.0, None, None)

    def _tell(self, done: int, total: int, part: str) -> None:
        with self._lock:
            self._progress = Progress(done, total, part)

    @property
    def progress(self) -> Progress | None:
        """How far the check in the background is; None while there is none."""
        with self._lock:
            return self._progress

    @property
    def problem(self) -> str:
        """Why the last check in the background ended early; "" where it did not."""
        with self._lock:
            return self._problem

    def last(self) -> Diagnosis | None:
        """Return the last diagnosis; None where there is none, or where it is out of date.

        The driver's version is asked for every 30 s at most: a page asks often.
        """
        stamp = self._stamp()
        with self._lock:
            until, known, diagnosis = self._read
        if time.monotonic() >= until or known != stamp:
            diagnosis = last_diagnosis(self._workspace)
            if stamp is None:  # a workspace that cannot be written keeps nothing
                diagnosis = self._own
            with self._lock:
                self._read = (time.monotonic() + FRESH, stamp, diagnosis)
        return diagnosis

    def _stamp(self) -> Stamp:
        try:
            status = (self._workspace / FILE).stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size

    def kept(self) -> Diagnosis | None:
        """Return the last diagnosis even where driver or packages have changed since."""
        return self.last() or kept_diagnosis(self._workspace)

    def verdict(self, device: str, engine: str = "tensorflow") -> DeviceVerdict:
        """Say whether a training run can use a device of this machine.

        Args:
            device: "cpu" or "gpu:0".
            engine: A name in ``catalog.ENGINES``; "auto" is content with any.
        """
        diagnosis = self.last()
        if diagnosis is None:
            return DeviceVerdict(True)
        names = [*diagnosis.engines] if engine == AUTO else [engine]
        failures = {name: diagnosis.failure(name, device) for name in names}
        if not failures or not all(failures.values()):
            return DeviceVerdict(True)
        first = names[0]
        if not diagnosis.sees(first, device):
            reason = f"Only the driver sees {device}, {ENGINES[first]} does not."
            return DeviceVerdict(False, reason, gpu_command(first))
        return DeviceVerdict(False, f"{failures[first]}.")

    def notice(self, config: TrainConfig, devices: Sequence[Device]) -> str:
        """Say where "auto" will use the CPU though the machine has a GPU; "" where it will not.

        Args:
            config: What is about to be queued.
            devices: What the machine has.
        """
        gpus, diagnosis = [device.id for device in devices if device.id != "cpu"], self.last()
        if config.device != AUTO or not gpus or diagnosis is None:
            return ""
        names = [*diagnosis.engines] if config.engine == AUTO else [config.engine]
        if any(diagnosis.sees(name, gpu) for gpu in gpus for name in names):
            return ""
        verdict = self.verdict(gpus[0], config.engine)
        fix = f" {verdict.command} installs what is missing." if verdict.command else ""
        return f"The run will use the CPU, not {gpus[0]}. {verdict.reason}{fix}"

    def refusal(self, config: TrainConfig) -> str:
        """Return the sentence that would refuse a config before it is queued; "" if none would."""
        try:
            refuse_device(config, self.last())
        except SegcoreError as error:
            return str(error)
        return ""
