"""Which command starts Segscope in a shell, and which installs what is missing.

An extra's command names the checkout and the interpreter that run this, so it can be pasted
anywhere. Where Segscope was installed without a checkout, the command names the extra's packages.
"""

import importlib.metadata
import re
import shlex
import shutil
import sys
from importlib.machinery import PathFinder
from pathlib import Path

from packaging.requirements import Requirement

from segcore.places import front

PACKAGE = "segscope"
OTHER_ENGINES = ("jax", "torch")
_HINT = re.compile(r"(?<![\w./-])segscope (?=[\w-])")


def in_checkout() -> bool:
    """Return whether this is a checkout, from which extras are installed."""
    return (front() / "Makefile").is_file()


def made_by_make() -> bool:
    """Return whether this interpreter is the one of ``make app``, which then installs what is missing."""
    own = front() / ".venv"
    return in_checkout() and own.is_dir() and own.samefile(sys.prefix)


def typed_program() -> list[str]:
    """Return the words by which a shell called this command, [] in the app and in a notebook."""
    script = Path(sys.argv[0])
    if script.parts[-2:] == ("segcore", "__main__.py"):
        return sys.orig_argv[: len(sys.orig_argv) - len(sys.argv) + 1]
    if script.name != PACKAGE:
        return []
    found = shutil.which(PACKAGE)
    return [PACKAGE] if found and script.samefile(found) else [str(script)]


def with_program(text: str) -> str:
    """Return a text for the shell: each ``segscope COMMAND`` in it begins as this command was called."""
    program = shlex.join(typed_program())
    return _HINT.sub(lambda _: f"{program} ", text) if program else text


def shell_command(*words: str) -> str:
    """Return the command line of a ``segscope`` command that works with the interpreter of this app.

    In the shell it begins as this command was called. In the app that is ``segscope`` where a shell
    finds it, else the same by its path, else the package as a module. In a checkout made by ``make
    app`` the paths begin at the checkout.

    Args:
        words: The command and its arguments, without ``segscope``.
    """
    if typed := typed_program():
        return shlex.join([*typed, *words])
    interpreter = Path(sys.executable)
    folder = Path(".venv", "bin") if made_by_make() else interpreter.parent
    if shutil.which(PACKAGE):
        program = [PACKAGE]
    elif interpreter.with_name(PACKAGE).is_file():
        program = [str(folder / PACKAGE)]
    else:
        program = [str(folder / interpreter.name), "-m", "segcore"]
    return shlex.join([*program, *words])


def install_command(*packages: str) -> str:
    """Return the command that installs packages for the interpreter that runs this."""
    return shlex.join([sys.executable, "-m", "pip", "install", *packages])


def extra_command(extra: str) -> str:
    """Return the command that installs an extra.

    Where another engine stands in TensorFlow's place, the command brings TensorFlow only if the
    extra's own packages require it, as KerasHub does.

    Args:
        extra: A key of ``optional-dependencies`` in ``pyproject.toml``, such as "hub".
    """
    if in_checkout():
        other = not _is_here("tensorflow") and any(map(_is_here, OTHER_ENGINES))
        return "SEGSCOPE_TENSORFLOW=0 " * other + install_command("-e", f"{front()}[{extra}]")
    return install_command(*_packages(extra))


def _is_here(package: str) -> bool:
    return PathFinder.find_spec(package) is not None  # past what keeps TensorFlow out of a process


def _packages(extra: str) -> list[str]:
    """Return an extra's requirements, as the installed package lists them.

    Where it lists none, the extra of the current folder, for which the caller is in a checkout.
    """
    try:
        listed = importlib.metadata.requires(PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        listed = []
    needs = []
    for need in map(Requirement, listed):
        if need.marker and not need.marker.evaluate({"extra": ""}):
            own, need.marker = need.marker.evaluate({"extra": extra}), None
            needs += [str(need)] * own
    return needs or [f".[{extra}]"]
