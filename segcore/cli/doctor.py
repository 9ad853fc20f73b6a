"""``segscope doctor``: what this machine can train on, checked rather than assumed."""

import argparse
from typing import Any

from segcore.cli.command import Command, Options, workspace_of
from segcore.workspace.launch.doctor import STATES

MARKS = {"ok": "ok     ", "warning": "warning", "fails": "FAILS  "}


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "Exit code 0: all is well, 1: warnings, 2: something fails."


def _doctor(options: Options) -> dict[str, Any]:
    return workspace_of(options).doctor.examine().to_json()


def _show(diagnosis: dict[str, Any]) -> str:
    width = max(len(check["name"]) for check in diagnosis["checks"])
    lines = []
    for check in diagnosis["checks"]:
        lines.append(f"{MARKS[check['state']]}  {check['name']:{width}}  {check['reason']}")
        fix = ": ".join(part for part in (check["fix"], check["command"]) if part)
        if fix:
            lines.append(f"{'':9}{'':{width}}  fix: {fix}")
    return "\n".join(lines)


DOCTOR_COMMANDS = {
    "doctor": Command(
        "check what this machine can train on",
        _arguments,
        _doctor,
        _show,
        exit_code=lambda diagnosis: STATES.index(diagnosis["state"]),
    )
}
