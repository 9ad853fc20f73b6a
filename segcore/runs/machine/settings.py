"""The settings of a workspace that hold for all who use it: ``settings.json``."""

import os
from pathlib import Path

from segcore.errors import SegcoreError
from segcore.runs.machine.disk import read_json, write_json

FORMAT = 1
CLUSTER_VARIABLE = "SEGSCOPE_CLUSTER"


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
    write_json(
        Path(workspace) / "settings.json",
        {**_read(Path(workspace)), "format": FORMAT, "cluster": address},
    )


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
