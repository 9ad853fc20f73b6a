"""The table of commands, in the order in which a newcomer meets them."""

import argparse
import os
import sys
from pathlib import Path

from segcore.cli.ablations import ABLATION_COMMANDS
from segcore.cli.command import Command, Options
from segcore.cli.data.bands import BAND_COMMANDS
from segcore.cli.data.classes import CLASS_COMMANDS
from segcore.cli.data.datasets import DATASET_COMMANDS
from segcore.cli.data.health import HEALTH_COMMANDS
from segcore.cli.data.masks import MASK_COMMANDS
from segcore.cli.data.pool import POOL_COMMANDS
from segcore.cli.data.tags import TAG_COMMANDS
from segcore.cli.doctor import DOCTOR_COMMANDS
from segcore.cli.ensembles import ENSEMBLE_COMMANDS
from segcore.cli.label_next import LABEL_NEXT_COMMANDS
from segcore.cli.one_network import ONE_NETWORK_COMMANDS
from segcore.cli.pixel_metrics import PIXEL_COMMANDS
from segcore.cli.predictions import PREDICTION_COMMANDS
from segcore.cli.queue import QUEUE_COMMANDS
from segcore.cli.runs import RUN_COMMANDS
from segcore.cli.scores import SCORE_COMMANDS
from segcore.cli.searches import SEARCH_COMMANDS
from segcore.cli.training import TRAINING_COMMANDS
from segcore.errors import SegcoreError
from segcore.places import front

APP = front() / "app.py"


def _app_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=8501)
    parser.add_argument(
        "--address",
        default="127.0.0.1",
        help="address to listen on; 0.0.0.0 opens the app to your network, without a password",
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a host name under which browsers may open the app",
    )
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser window")


def _app(options: Options) -> None:
    if not APP.exists():
        raise SegcoreError(
            f"Expected the app at {APP}, found nothing: install Segscope again, or start "
            "it from a checkout with `make app`."
        )
    if options.workspace:
        os.environ["SEGCORE_WORKSPACE"] = str(Path(options.workspace).resolve())
    else:
        os.environ.setdefault("SEGCORE_WORKSPACE", str(Path("workspace").resolve()))
    screen = bool(
        os.environ.get("DISPLAY")
        or os.environ.get("WAYLAND_DISPLAY")
        or sys.platform in ("darwin", "win32")
    )
    headless = "false" if screen and not options.no_browser else "true"
    host = options.allow_host[0] if options.allow_host else "127.0.0.1"
    print(
        (
            f"Segscope: http://{host}:{options.port}  (workspace "
            f"{os.environ['SEGCORE_WORKSPACE']}; stop with Ctrl-C)"
        ),
        flush=True,
    )
    os.chdir(APP.parent)  # where .streamlit/config.toml lies
    streamlit = [sys.executable, "-m", "streamlit", "run", str(APP)]
    settings = [
        "--server.port",
        str(options.port),
        "--server.headless",
        headless,
        "--server.showEmailPrompt",
        "false",
    ]
    settings += ["--server.address", options.address]
    for host in ("localhost", "127.0.0.1", *options.allow_host):
        settings += ["--server.allowedHosts", host]
    os.execv(sys.executable, streamlit + settings)


COMMANDS: dict[str, Command] = {
    "app": Command("open the app in the browser", _app_arguments, _app, lambda result: ""),
    **DOCTOR_COMMANDS,
    **DATASET_COMMANDS,
    **BAND_COMMANDS,
    **HEALTH_COMMANDS,
    **CLASS_COMMANDS,
    **TAG_COMMANDS,
    **MASK_COMMANDS,
    **POOL_COMMANDS,
    **LABEL_NEXT_COMMANDS,
    **TRAINING_COMMANDS,
    **SEARCH_COMMANDS,
    **ABLATION_COMMANDS,
    **RUN_COMMANDS,
    **QUEUE_COMMANDS,
    **PREDICTION_COMMANDS,
    **SCORE_COMMANDS,
    **PIXEL_COMMANDS,
    **ENSEMBLE_COMMANDS,
    **ONE_NETWORK_COMMANDS,
}
