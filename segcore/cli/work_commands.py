"""Commands about who does the work: the dispatcher of this machine, and a cluster."""

import argparse
import signal
import sys
from typing import Any

from segcore.cli.command import Command, Options, workspace_of
from segcore.cli.tables import table
from segcore.errors import SegcoreError


def _work_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--once",
        action="store_true",
        help="return when no run waits or works; without it wait for more until Ctrl-C",
    )
    parser.add_argument(
        "--share",
        action="store_true",
        help="first make the queue fit for machines that see this folder over the network",
    )


def _work(options: Options) -> dict[str, Any]:
    queue = workspace_of(options).queue
    if options.share:
        queue.share()
    lines: list[str] = []

    def tell(line: str) -> None:
        lines.append(line)
        print(line, file=sys.stderr, flush=True)

    dispatcher = queue.dispatcher(tell)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: dispatcher.end())
    if not options.once:
        print(
            f"Serving {', '.join(dispatcher.devices)} to {dispatcher.workspace}; stop with Ctrl-C.",
            file=sys.stderr,
            flush=True,
        )
    if not dispatcher.work(forever=not options.once):
        raise SegcoreError(
            f"Expected no other dispatcher at work in {dispatcher.workspace}, found "
            f"{queue.worker() or 'one'}: "
            "it ends with its last run; wait for that, or end that process first."
        )
    working = [row.run for row in queue.rows() if row.works]
    return {
        "devices": dispatcher.devices,
        "told": lines,
        "working": working,
        "waiting": [r.run for r in queue.rows() if not r.works],
    }


def _show_work(result: dict[str, Any]) -> str:
    left = [
        f"{len(result[key])} {what}"
        for key, what in (("working", "still work by themselves"), ("waiting", "wait"))
        if result[key]
    ]
    return (
        "Nothing is left to do."
        if not left
        else f"No run is started here any more; {' and '.join(left)}."
    )


def _cluster_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "address",
        nargs="?",
        help=(
            "of a Dask scheduler, such as tcp://10.0.0.5:8786, kept with the workspace; 'none' "
            "forgets it"
        ),
    )


def _cluster(options: Options) -> dict[str, Any]:
    queue = workspace_of(options).queue
    if options.address:
        queue.set_cluster("" if options.address == "none" else options.address)
    return {"address": queue.cluster, "workers": queue.cluster_workers() if queue.cluster else []}


def _show_cluster(result: dict[str, Any]) -> str:
    if not result["address"]:
        return "No cluster: runs work on this machine. Name one with: segscope cluster ADDRESS"
    if not result["workers"]:
        return (
            f"{result['address']} has no worker yet. Start one on each machine: dask worker "
            f"{result['address']} --resources GPU=1"
        )
    rows = [
        [worker["name"], worker["host"], str(worker["gpus"]), str(worker["threads"])]
        for worker in result["workers"]
    ]
    return f"{result['address']}\n" + table(["worker", "host", "GPUs", "threads"], rows)


WORK_COMMANDS: dict[str, Command] = {
    "work": Command(
        "start the runs of a workspace on this machine, without the app",
        _work_arguments,
        _work,
        _show_work,
    ),
    "cluster": Command(
        "name the Dask cluster that runs may be handed to, and list its workers",
        _cluster_arguments,
        _cluster,
        _show_cluster,
    ),
}
