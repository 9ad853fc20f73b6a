"""The settings of a workspace that hold for all who use it: ``settings.json``."""

import os
from dataclasses import dataclass
from pathlib import Path

from segcore.errors import SegcoreError
from segcore.runs.machine.disk import read_json, write_json

FORMAT = 1
CLUSTER_VARIABLE = "SEGSCOPE_CLUSTER"


@dataclass(frozen=True)
class PromptableFiles:
    """The two files of a promptable network.

    Attributes:
        encoder: Absolute path of the file that turns an image into an embedding.
        decoder: Absolute path of the file that turns an embedding and clicks into masks.
    """

    encoder: str
    decoder: str


def promptable_files(workspace: Path | str) -> PromptableFiles | None:
    """Return the files of the promptable network that the mask editor offers; None for none.

    Raises:
        SegcoreError: The settings are damaged or newer.
    """
    saved = _read(Path(workspace)).get("promptable")
    if not isinstance(saved, dict):
        return None
    return PromptableFiles(str(saved.get("encoder") or ""), str(saved.get("decoder") or ""))


def set_promptable_files(workspace: Path | str, files: PromptableFiles | None) -> None:
    """Write down the files of the promptable network for all who use the workspace.

    Raises:
        SegcoreError: The settings are damaged or newer, or they cannot be written.
    """
    saved = None if files is None else {"encoder": files.encoder, "decoder": files.decoder}
    _write(Path(workspace), "promptable", saved)


def cluster_address(workspace: Path | str) -> str:
    """Return the cluster's address: ``$SEGSCOPE_CLUSTER``, else the setting; "" for none.

    Raises:
        SegcoreError: The settings are damaged or newer.
    """
    return os.environ.get(CLUSTER_VARIABLE) or str(_read(Path(workspace)).get("cluster") or "")


def set_cluster(workspace: Path | str, address: str) -> None:
    """Write down the address of the cluster for all who use the workspace; "" takes it out.

    Raises:
        SegcoreError: It is no address, the settings are damaged or newer, or they cannot be
            written.
    """
    if address and "://" not in address:
        raise SegcoreError(
            f"Expected an address such as tcp://10.0.0.5:8786, received {address!r}: copy "
            "what the scheduler prints."
        )
    _write(Path(workspace), "cluster", address)


def _write(workspace: Path, name: str, value: object) -> None:
    settings = {**_read(workspace), "format": FORMAT, name: value}
    write_json(workspace / "settings.json", settings)


def _read(workspace: Path) -> dict[str, object]:
    path = workspace / "settings.json"
    if not path.exists():
        return {}
    data = read_json(path)
    version = data.get("format")
    if not isinstance(version, int) or version > FORMAT:
        raise SegcoreError(
            f"Expected settings in format {FORMAT} or older in {path}, found {version!r}: "
            "update, or remove that file."
        )
    return data
