"""Running the shell's commands inside a test."""

from pathlib import Path

import psutil

from segcore.cli import main


def run_shell(capsys, folder: Path, *words: object) -> tuple[int, str, str]:
    """Run a command in a workspace: its exit code, standard output and standard error."""
    code = 0
    try:
        main([*map(str, words), "--workspace", str(folder)])
    except SystemExit as end:
        code = int(end.code or 0)
    return code, *capsys.readouterr()


def end_processes_of(folder: Path) -> None:
    """End the processes whose command line names a folder, other than this one."""
    for process in psutil.process_iter(["cmdline"]):
        names = any(str(folder) in part for part in process.info["cmdline"] or [])
        if names and process.pid != psutil.Process().pid:
            process.kill()
