"""What the doctor says of schedulers: of each whose client is here, whether it answers."""

from pathlib import Path

from segcore.errors import SegcoreError
from segcore.formatting import plural
from segcore.runs.dispatch.scheduled_runs import SCHEDULERS
from segcore.runs.machine.diagnosis import OK, WARNING, Check


def check_schedulers(workspace: Path) -> list[Check]:
    """Return a check for each scheduler whose client is installed here; none without one.

    Args:
        workspace: Folder of the workspace.
    """
    checks = []
    for make in SCHEDULERS.values():
        scheduler = make(workspace)
        if not scheduler.is_here():
            continue
        try:
            version, partitions = scheduler.version(), scheduler.partitions()
        except SegcoreError as error:
            fix = "start it, or see what its client is set up for; other devices need neither"
            checks.append(Check(scheduler.title, WARNING, str(error).rstrip("."), fix))
            continue
        names = [part.name + (f" ({part.gpus})" if part.gpus else "") for part in partitions]
        more = f"; {', '.join(names[:8])}" if names else ""
        reason = f"{version}, answers, {plural(len(names), scheduler.part)}{more}"
        checks.append(Check(scheduler.title, OK, reason))
    return checks
