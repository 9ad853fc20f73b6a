"""Commands about the queue: work (a dispatcher without the app), cluster, slurm, kubernetes."""

import argparse
import signal
import sys
from functools import partial
from typing import Any

from segcore.cli.command import Command, Options, workspace_of
from segcore.cli.tables import table
from segcore.errors import SegcoreError
from segcore.formatting import plural
from segcore.installing import with_program
from segcore.text_files import plain_text


def _work_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--once",
        action="store_true",
        help="end when the queue is empty; otherwise wait for more runs until Ctrl-C",
    )
    parser.add_argument(
        "--share",
        action="store_true",
        help="first prepare the queue for machines that share this folder over the network",
    )


def _work(options: Options) -> dict[str, Any]:
    queue = workspace_of(options).queue
    if options.share:
        queue.share()
    lines: list[str] = []

    def report(line: str) -> None:
        lines.append(line)
        print(with_program(plain_text(line)), file=sys.stderr, flush=True)

    dispatcher = queue.dispatcher(report)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: dispatcher.end())
    if not options.once:
        print(
            f"Running the queue of {dispatcher.workspace} on {', '.join(dispatcher.devices)}; stop "
            "with Ctrl-C.",
            file=sys.stderr,
            flush=True,
        )
    if not dispatcher.work(forever=not options.once):
        raise SegcoreError(
            f"Expected no other dispatcher of {dispatcher.host} in {dispatcher.workspace}, found "
            f"{queue.worker() or 'one'}: it ends with its last run; wait for that, or end that "
            "process first."
        )
    working = [row.run for row in queue.rows() if row.works]
    return {
        "devices": dispatcher.devices,
        "messages": lines,
        "working": working,
        "waiting": [r.run for r in queue.rows() if not r.works],
    }


def _show_work(result: dict[str, Any]) -> str:
    left = [
        f"{plural(len(result[key]), 'run')} {state}"
        for key, state in (("working", "still running"), ("waiting", "queued"))
        if result[key]
    ]
    return f"Stopped; {' and '.join(left)}." if left else "The queue is empty."


def _cluster_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "address",
        nargs="?",
        help=(
            "address of a Dask scheduler, such as tcp://10.0.0.5:8786, saved with the workspace; "
            "'none' removes it"
        ),
    )


def _cluster(options: Options) -> dict[str, Any]:
    queue = workspace_of(options).queue
    if options.address:
        queue.set_cluster("" if options.address == "none" else options.address)
    workers = queue.cluster_workers() if queue.cluster else []
    return {"address": queue.cluster, "workers": [worker.to_json() for worker in workers]}


def _show_cluster(result: dict[str, Any]) -> str:
    if not result["address"]:
        return "No cluster: runs use this machine. Set one with: segscope cluster ADDRESS"
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


def _scheduler(name: str, options: Options) -> dict[str, Any]:
    schedulers = workspace_of(options).schedulers
    result = schedulers.report(name).to_json()
    if not schedulers.template(name):
        schedulers.write_template(name)
    return result


def _show_scheduler(result: dict[str, Any]) -> str:
    fields = ",".join(f"{name}={example}" for name, example in result["fields"].items())
    lines = [
        f"{result['title']} {result['version']} answers.",
        f"Template of every job: {result['template']}",
        f"A run says --device {result['device']}, or with any of these fields:",
        f"  --device {result['device']}:{fields}",
    ]
    if result["partitions"]:
        rows = [
            [
                part["name"],
                "up" if part["is_up"] else "down",
                part["time"] or "-",
                str(part["nodes"] or "-"),
                part["gpus"] or "-",
            ]
            for part in result["partitions"]
        ]
        lines.append(table(["name", "state", "longest job", "nodes", "GPUs a node"], rows))
    return "\n".join(lines)


def _scheduler_command(name: str, summary: str) -> Command:
    return Command(summary, lambda parser: None, partial(_scheduler, name), _show_scheduler)


QUEUE_COMMANDS: dict[str, Command] = {
    "work": Command(
        "run the queue of a workspace on this machine, without the app",
        _work_arguments,
        _work,
        _show_work,
    ),
    "cluster": Command(
        "set the Dask cluster that runs may use, and list its workers",
        _cluster_arguments,
        _cluster,
        _show_cluster,
    ),
    "slurm": _scheduler_command(
        "slurm", "ask Slurm for its partitions, and name the template of its jobs"
    ),
    "kubernetes": _scheduler_command(
        "kubernetes", "ask Kubernetes for its queues, and name the template of its jobs"
    ),
}
