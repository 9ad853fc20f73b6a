"""A worker without a network: searches are coordinated, trials follow a formula."""

import json
import math
import os
import signal
import sys
import time
from pathlib import Path

from segcore.runs.folder.history import append_record, read_records
from segcore.runs.folder.status import change_status

SECONDS = 0.15


def main() -> None:
    folder = Path(sys.argv[1])
    config = json.loads((folder / "config.json").read_text())["config"]
    if config["kind"] == "tune":
        os.execv(sys.executable, [sys.executable, "-m", "segcore.tuning", str(folder)])
    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
    append_record(folder / "starts.jsonl", {"pid": os.getpid()})
    change_status(folder / "status.json", {"state": "running", "heartbeat": time.time()})
    final = 0.8 - 0.1 * abs(math.log10(config["recipe"]["learning_rate"] / 1e-3))
    for epoch in range(
        len(read_records(folder / "metrics.jsonl")) + 1, config["recipe"]["epochs"] + 1
    ):
        time.sleep(SECONDS)
        if stop:
            change_status(
                folder / "status.json",
                {"state": "interrupted", "cause": "stopped", "finished": time.time()},
            )
            return
        append_record(
            folder / "metrics.jsonl",
            {"epoch": epoch, "val_mean_iou": final * epoch / config["recipe"]["epochs"]},
        )
    change_status(
        folder / "status.json", {"state": "finished", "finished": time.time(), "progress": 1.0}
    )


if __name__ == "__main__":
    main()
