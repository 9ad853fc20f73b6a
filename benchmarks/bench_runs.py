"""The runs page with a thousand finished runs: seconds until it is up, milliseconds of the server for each look.

    python benchmarks/bench_runs.py [NUMBER OF RUNS]

Makes the runs in a temporary workspace (fifty epochs, a log and a status each), then times in this
process: the first listing (every config and status is read), a further one (nothing is read), and
the whole page by Streamlit's own test runner, first and again; no browser takes part.
"""

import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from streamlit.testing.v1 import AppTest

from segcore.config import ModelConfig, RecipeConfig, TrainConfig
from segcore.data.synthetic import make_synthetic
from segcore.runs.folder.run_folder import RunFolder
from segcore.workspace import Workspace

ROOT = Path(__file__).resolve().parents[1]


def make_runs(root: Path, count: int) -> None:
    config = TrainConfig(
        "demo", ModelConfig("unet", "tiny", "none"), RecipeConfig(epochs=50), (96, 128)
    )
    first = RunFolder.create(root, "many-0000", config)
    for epoch in range(1, 51):
        first.append_metrics(
            {
                "epoch": epoch,
                "loss": 1 / epoch,
                "val_loss": 1.1 / epoch,
                "mean_iou": epoch / 60,
                "class_iou": [0.5] * 12,
            }
        )
    first.log_path.write_text("a line of the log\n" * 500)
    status = first.write_status(
        state="finished",
        progress=1.0,
        created=1e9,
        started=1e9,
        finished=1e9 + 60,
        epoch=50,
        epochs=50,
    )
    for number in range(1, count):
        folder = root / f"many-{number:04d}"
        shutil.copytree(first.folder, folder)
        (folder / "status.json").write_text(
            json.dumps(
                {"format": 1, **vars(status), "created": 1e9 + number, "mean_iou": number / count}
            )
        )


def timed(work: Callable[[], object], repeats: int = 1) -> str:
    """Milliseconds by the clock, and of this process's own, which other work on the machine does not lengthen."""
    wall, own = [], []
    for _ in range(repeats):
        start, started = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - start)
        own.append(time.process_time() - started)
    return (
        f"{1000 * statistics.median(wall):6.0f} ms by the clock, "
        f"{1000 * statistics.median(own):6.0f} ms of the processor"
    )


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    print(
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, load "
        f"{os.getloadavg()[0]:.1f}, {count} runs"
    )
    with tempfile.TemporaryDirectory() as folder:
        make_synthetic(Path(folder) / "datasets" / "demo", seed=0)
        make_runs(Path(folder) / "runs", count)
        workspace = Workspace(folder)
        print(f"first listing             {timed(workspace.runs.rows)}")
        print(f"a poll's listing          {timed(workspace.runs.rows, 9)} median of 9")
        os.environ["SEGCORE_WORKSPACE"] = folder
        os.chdir(ROOT)
        page = AppTest.from_file(ROOT / "app.py", default_timeout=120).run()
        page.query_params["run"] = "many-0001"
        print(f"page, first               {timed(lambda: page.switch_page('pages/runs.py').run())}")
        print(f"page, again               {timed(page.run, 5)} median of 5")
        assert (
            not page.exception and len(page.dataframe[0].value) >= count
        )  # the demo may add its members


if __name__ == "__main__":
    main()
