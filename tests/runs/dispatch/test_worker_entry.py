"""How a worker's process begins: which tasks start here, and what stays out of its log."""

import signal
import subprocess
import sys
import time
from pathlib import Path

from segcore.runs.dispatch.worker_entry import tasks_here
from segcore.runs.machine import processes

ROOT = Path(__file__).resolve().parents[3]


def test_processes_of_the_first_address_start_here():
    assert tasks_here([]) == []
    assert tasks_here(["127.0.0.1:2222", "127.0.0.1:2223", "10.0.0.6:2222", "127.0.0.1:2224"]) == [
        1,
        3,
    ]
    assert tasks_here(["10.0.0.5:1", "10.0.0.6:1"]) == []
    assert tasks_here(["[::1]:1", "[::1]:2"]) == [1]


def test_what_tensorflow_prints_at_each_start_stays_out_and_the_rest_does_not(tmp_path):
    noise = [
        "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR",
        "I0000 00:00:1795968754.083603   30598 port.cc:153] oneDNN custom operations are on.",
        "To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow.",
        "E0000 00:00:1795968764.558268   30598 cuda_platform.cc:52] failed call to cuInit: INTERNAL",
    ]
    kept = ["E0000 00:00:1.5 1 gpu.cc:9] out of memory", "Traceback", "I am no log line"]
    (tmp_path / "speaks.py").write_text(
        "import os, sys\n"
        f"for line in {noise + kept!r}: print(line, file=sys.stderr)\n"
        "print('out', sys.argv[1:], flush=True)\n"
        "os.write(2, b'last words')\n"
        "os.abort()\n"
    )
    log = tmp_path / "log.txt"
    with log.open("wb") as output:
        done = subprocess.run(
            [sys.executable, "-m", "segcore.runs.dispatch.quiet_start", "speaks", "x"],
            env=processes.python_environment() | {"PYTHONPATH": f"{ROOT}:{tmp_path}"},
            stdout=output,
            stderr=output,
        )
    assert done.returncode == -signal.SIGABRT
    end = time.monotonic() + 300
    while b"last words" not in log.read_bytes():  # the filter ends a moment later
        assert time.monotonic() < end
        time.sleep(0.01)
    lines = log.read_text().splitlines()
    assert sorted(lines) == sorted(["out ['x']", *kept, "last words"])
