"""A worker without a network: counts steps, keeps a checkpoint, notices a second worker."""

import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from segcore.runs.folder.history import append_record
from segcore.runs.folder.status import change_status
from segcore.runs.machine.disk import read_json, write_json
from segcore.runs.queue.stopping import DISK_FULL

START = "0"


def advance(state: str) -> str:
    """One step of training: what comes out depends on all that came before."""
    return hashlib.sha256(state.encode()).hexdigest()


def main() -> int:
    folder = Path(sys.argv[1])
    own = folder / "fake.json"
    plan = read_json(own if own.exists() else folder.parent.parent / "fake.json")
    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
    lock = os.open(folder / "only_one.lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        (folder / "TWICE").touch()
        return 1
    if (folder / "result.json").exists():
        (folder / "TWICE").touch()
    append_record(
        folder / "starts.jsonl",
        {"pid": os.getpid(), "devices": os.environ.get("CUDA_VISIBLE_DEVICES")},
    )
    if plan.get("ending") == "parent":
        child = subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(300)", str(folder)]
        )
        write_json(folder / "child.json", {"pid": child.pid})
    print("working on", folder.name, flush=True)
    status = folder / "status.json"
    change_status(status, {"state": "running", "heartbeat": time.time(), "epochs": plan["steps"]})
    checkpoint = folder / "checkpoints" / "step.json"
    saved = read_json(checkpoint) if checkpoint.exists() else {"step": 0, "state": START}
    step, state = saved["step"], saved["state"]
    while step < plan["steps"]:
        if plan.get("ending") == "exit" and step == 1:
            return 3
        if plan.get("ending") == "full" and step == 1:
            return DISK_FULL
        if plan.get("ending") == "crash" and step == 1:
            os.kill(os.getpid(), signal.SIGSEGV)
        time.sleep(plan["pause"])
        append_record(
            folder / "metrics.jsonl", {"epoch": step, "loss": 1 / (step + 1), "state": state}
        )
        step, state = step + 1, advance(state)
        write_json(checkpoint, {"step": step, "state": state})
        change_status(
            status, {"heartbeat": time.time(), "epoch": step, "progress": step / plan["steps"]}
        )
        if stop and plan.get("ending") != "deaf":
            change_status(
                status,
                {"state": "interrupted", "cause": "Stopped by request.", "finished": time.time()},
            )
            return 0
    if plan.get("ending") == "failed":
        change_status(
            status, {"state": "failed", "cause": "The loss became NaN.", "finished": time.time()}
        )
        return 1
    write_json(folder / "result.json", {"steps": step, "state": state})
    change_status(
        status, {"state": "finished", "cause": "", "finished": time.time(), "progress": 1.0}
    )
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except json.JSONDecodeError:
        sys.exit(9)
