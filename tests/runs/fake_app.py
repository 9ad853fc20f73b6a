"""What the app does to a workspace, in a process that may be killed: submit, look, resume.

    fake_app.py WORKSPACE [PREFIX]

Its own runs have ids that begin with the prefix ("r"). It keeps four of them going until a file
"enough" appears, then sees them all to their end. What goes wrong is in "trouble.txt".
"""

import sys
import time
import traceback
from pathlib import Path

from segcore.config import EvaluateConfig, TrainConfig
from segcore.errors import SegcoreError
from segcore.runs.folder.history import append_record
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.machine.engines import default_engine
from segcore.runs.queue import crash_recovery, jobs


def main(workspace: Path, prefix: str = "r") -> int:
    crash_recovery.ORPHAN_SECONDS = 2.0
    while True:
        runs = [run for run in jobs.refresh(workspace) if run.id.startswith(prefix)]
        open_ones = [run for run in runs if run.status.state != "finished"]
        for run in open_ones:
            if run.status.state == "failed":
                raise SegcoreError(f"{run.id} failed: {run.status.cause}")
            if run.status.state == "interrupted":
                append_record(workspace / "resumed.jsonl", {"run": run.id})
                jobs.resume(workspace, run.id)
        enough = (workspace / "enough").exists()
        if enough and not open_ones:
            return 0
        if not enough and len(open_ones) < 4:
            hand_in(workspace, prefix, len(runs))
        time.sleep(0.1)


def hand_in(workspace: Path, prefix: str, number: int) -> None:
    config = (
        EvaluateConfig("demo", ("m",))
        if number % 2
        else TrainConfig("demo", engine=default_engine())
    )
    run = RunFolder.create(jobs.runs_folder(workspace), f"{prefix}{number:03d}", config)
    jobs.submit(workspace, [run.id])


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
    except Exception:
        Path(sys.argv[1], "trouble.txt").write_text(traceback.format_exc())
        raise
