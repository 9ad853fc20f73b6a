"""Every command of the shell door, in the order in which a newcomer meets them."""

import argparse
import os
import sys
from pathlib import Path

from segcore.cli.ablation_command import ABLATION_COMMANDS
from segcore.cli.class_commands import CLASS_COMMANDS
from segcore.cli.command import Command, Options
from segcore.cli.data_commands import DATA_COMMANDS
from segcore.cli.ensemble_commands import ENSEMBLE_COMMANDS
from segcore.cli.measure_commands import MEASURE_COMMANDS
from segcore.cli.prediction_commands import PREDICTION_COMMANDS
from segcore.cli.run_commands import RUN_COMMANDS
from segcore.cli.score_commands import SCORE_COMMANDS
from segcore.cli.tag_commands import TAG_COMMANDS
from segcore.cli.tune_commands import TUNE_COMMANDS
from segcore.errors import SegcoreError
from segcore.places import front

APP = front() / "app.py"


def _app_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=8501)
    parser.add_argument(
        "--address",
        default="127.0.0.1",
        help="where to listen; 0.0.0.0 opens the app to your network, which has no password",
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a host name that browsers may call this app by",
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
    "app": Command("open the workbench in the browser", _app_arguments, _app, lambda result: ""),
    **DATA_COMMANDS,
    **CLASS_COMMANDS,
    **TAG_COMMANDS,
    **RUN_COMMANDS,
    **TUNE_COMMANDS,
    **ABLATION_COMMANDS,
    **SCORE_COMMANDS,
    **MEASURE_COMMANDS,
    **PREDICTION_COMMANDS,
    **ENSEMBLE_COMMANDS,
}
