"""A workspace whose runs are carried out by ``fake_worker.py``."""

import hashlib
import json
import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from segcore.config import EvaluateConfig, TrainConfig
from segcore.runs.folder.listing import list_runs
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.folder.status import Status
from segcore.runs.machine.engines import default_engine
from segcore.runs.queue import jobs
from segcore.runs.queue.leases import living
from segcore.runs.queue.queue import Queue


class Workspace:
    """What the tests of the queue do over and over."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(
        self,
        id: str,
        steps: int = 3,
        pause: float = 0.01,
        ending: str = "",
        evaluate: bool = False,
        **config,
    ) -> RunFolder:
        made = (
            EvaluateConfig("demo", ("m",))
            if evaluate
            else TrainConfig("demo", **{"engine": default_engine(), **config})
        )
        run = RunFolder.create(jobs.runs_folder(self.folder), id, made)
        (run.folder / "fake.json").write_text(
            json.dumps({"steps": steps, "pause": pause, "ending": ending})
        )
        return run

    def states(self) -> dict[str, str]:
        return {run.id: run.status.state for run in list_runs(jobs.runs_folder(self.folder))}

    def status(self, id: str) -> Status:
        return RunFolder(jobs.runs_folder(self.folder) / id).status()

    def wait(self, condition, seconds: float = 300.0):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, (
                self.states(),
                (self.folder / "dispatcher.log").read_text(),
            )
            time.sleep(0.05)

    def wait_for(self, seconds: float = 300.0, **states: str):
        self.wait(
            lambda: (
                self.states().items() >= {k.replace("_", "-"): v for k, v in states.items()}.items()
            ),
            seconds,
        )

    def wait_empty(self, seconds: float = 300.0):
        self.wait(lambda: not jobs.waiting(self.folder) and self.dispatcher() is None, seconds)

    def dispatcher(self) -> int | None:
        with Queue(self.folder) as queue:
            found = living(queue)
            return found[0].pid if found else None

    def starts(self, id: str) -> list[str]:
        path = jobs.runs_folder(self.folder) / id / "starts.jsonl"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def fake_state():
    """What the fake worker's state is after so many steps without a break."""

    def state(steps: int) -> str:
        value = "0"
        for _ in range(steps):
            value = hashlib.sha256(value.encode()).hexdigest()
        return value

    return state


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("SEGCORE_WORKER", str(Path(__file__).with_name("fake_worker.py")))
    folder = tmp_path / "workspace"
    yield Workspace(folder)
    for process in psutil.process_iter(
        ["cmdline"]
    ):  # only those of this test: their command line names its folder
        if (
            any(str(folder) in part for part in process.info["cmdline"] or [])
            and process.pid != os.getpid()
        ):
            process.send_signal(signal.SIGKILL)
