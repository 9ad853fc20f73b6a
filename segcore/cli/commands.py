"""The table of commands, in the order in which a newcomer meets them."""

import argparse
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

from segcore.cli.ablations import ABLATION_COMMANDS
from segcore.cli.command import Command, Options
from segcore.cli.data.bands import BAND_COMMANDS
from segcore.cli.data.classes import CLASS_COMMANDS
from segcore.cli.data.datasets import DATASET_COMMANDS
from segcore.cli.data.health import HEALTH_COMMANDS
from segcore.cli.data.imports import IMPORT_COMMANDS
from segcore.cli.data.label_next import LABEL_NEXT_COMMANDS
from segcore.cli.data.learning_curve import LEARNING_CURVE_COMMANDS
from segcore.cli.data.masks import MASK_COMMANDS
from segcore.cli.data.pool import POOL_COMMANDS
from segcore.cli.data.tags import TAG_COMMANDS
from segcore.cli.doctor import DOCTOR_COMMANDS
from segcore.cli.ensembles import ENSEMBLE_COMMANDS
from segcore.cli.history import HISTORY_COMMANDS
from segcore.cli.one_network import ONE_NETWORK_COMMANDS
from segcore.cli.options import whole_number
from segcore.cli.pixel_metrics import PIXEL_COMMANDS
from segcore.cli.predictions import PREDICTION_COMMANDS
from segcore.cli.queue import QUEUE_COMMANDS
from segcore.cli.retraining import RETRAINING_COMMANDS
from segcore.cli.runs import RUN_COMMANDS
from segcore.cli.scores import SCORE_COMMANDS
from segcore.cli.searches import SEARCH_COMMANDS
from segcore.cli.training import TRAINING_COMMANDS
from segcore.errors import SegcoreError
from segcore.places import front
from segcore.workspace import workspace_folder
from segcore.workspace.team import NO_LOGIN, is_loopback, read_auth, team_of

APP = front() / "app.py"


def _app_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--port",
        type=whole_number("--port", 1, 65535),
        default=8501,
        help="port of the app (default: %(default)s)",
    )
    parser.add_argument(
        "--address",
        default="127.0.0.1",
        help=(
            "address to listen on; any but this machine's own, such as 0.0.0.0, needs log-in or "
            "--no-login"
        ),
    )
    parser.add_argument(
        "--no-login",
        action="store_true",
        help="let everyone in who reaches the address, even where log-in is set up",
    )
    parser.add_argument(
        "--base-path",
        default="",
        metavar="PATH",
        help="path under which a proxy serves the app, such as segscope",
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
    workspace = workspace_folder(options.workspace)
    os.environ["SEGCORE_WORKSPACE"] = str(workspace)
    # where Streamlit looks, and where the command was given
    folders = (Path.cwd(), APP.parent, Path.home())
    secrets = list(dict.fromkeys(folder / ".streamlit" / "secrets.toml" for folder in folders))
    if options.no_login:
        os.environ[NO_LOGIN] = "1"
    auth = read_auth(secrets)
    team = team_of(auth, options.address, workspace)
    hosts = list(options.allow_host)
    public = urlsplit(str(auth["redirect_uri"])).hostname if team else None
    if public and public not in hosts:
        hosts.append(public)
    base = options.base_path.strip("/")
    shown = f"http://{hosts[0] if hosts else '127.0.0.1'}:{options.port}/{base}".rstrip("/")
    print(
        f"Segscope: {shown}  (workspace {workspace}; stop with Ctrl-C)",
        flush=True,
    )
    if team is None and not is_loopback(options.address):
        print(
            "Everyone who reaches this address may do everything: nobody has to log in.",
            flush=True,
        )
    os.chdir(APP.parent)  # where .streamlit/config.toml lies
    settings = {
        "server.port": str(options.port),
        "server.headless": "false" if _has_screen() and not options.no_browser else "true",
        "server.showEmailPrompt": "false",
        "server.address": options.address,
        **({"server.baseUrlPath": base} if base else {}),
    }
    words = [word for name, value in settings.items() for word in (f"--{name}", value)]
    for host in ("localhost", "127.0.0.1", *hosts):
        words += ["--server.allowedHosts", host]
    for file in reversed([file for file in secrets if file.is_file()]):  # the last one counts
        words += ["--secrets.files", str(file)]
    os.execv(sys.executable, [sys.executable, "-m", "streamlit", "run", str(APP), *words])


def _has_screen() -> bool:
    return bool(
        os.environ.get("DISPLAY")
        or os.environ.get("WAYLAND_DISPLAY")
        or sys.platform in ("darwin", "win32")
    )


COMMANDS: dict[str, Command] = {
    "app": Command("open the app in the browser", _app_arguments, _app, lambda result: ""),
    **DOCTOR_COMMANDS,
    **IMPORT_COMMANDS,
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
    **HISTORY_COMMANDS,
    **PREDICTION_COMMANDS,
    **SCORE_COMMANDS,
    **RETRAINING_COMMANDS,
    **LEARNING_CURVE_COMMANDS,
    **PIXEL_COMMANDS,
    **ENSEMBLE_COMMANDS,
    **ONE_NETWORK_COMMANDS,
}
