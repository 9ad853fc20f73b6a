"""Executors for heavy maps over samples: the workspace's cluster where there is one.

A task is a function of a module and what it is given; both travel, so workers need the same version
and the same paths.
"""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from segcore.errors import SegcoreError
from segcore.runs.dispatch.dask import Cluster
from segcore.runs.machine.settings import cluster_address


class ClusterExecutor(Executor):
    """The executor of a cluster's client, which also knows how wide it is.

    Attributes:
        width: Tasks that are worked on at a time.
    """

    def __init__(self, executor: Executor, width: int) -> None:
        self._executor = executor
        self.width = width

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        """Submit one task."""
        return self._executor.submit(function, *arguments, **named)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more tasks; without ``wait`` those in progress are called off."""
        self._executor.shutdown(wait=wait)


def _complain(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@contextmanager
def cluster_executor(
    workspace: Path | str, tell: Callable[[str], None] = _complain, wanted: bool = True
) -> Iterator[ClusterExecutor | None]:
    """Lend the executor of the workspace's cluster for the length of a block.

    None where no cluster is named or wanted, and, after a sentence to ``tell``, where it does not
    answer or no machine of it is free and sees the workspace: the caller then works by itself.

    Args:
        workspace: Folder of the workspace.
        tell: Is given that sentence.
        wanted: Whether to ask at all; small work is done sooner here.

    Raises:
        SegcoreError: The cluster went away, or machines died, while the block ran.
    """
    try:
        address = cluster_address(workspace) if wanted else ""
        cluster = Cluster(address) if address else None
    except SegcoreError as error:
        tell(f"{error} This machine works alone meanwhile.")
        cluster = None
    if cluster is None:
        yield None
        return
    lent: ClusterExecutor | None = None
    try:
        lent = _lend(cluster, workspace, tell)
        yield lent
    except Exception as error:
        name = type(error).__name__  # of Dask's own errors: the package may be absent
        if isinstance(error, CancelledError) or name in ("CommClosedError", "ClosedClientError"):
            raise SegcoreError(
                f"The cluster at {cluster.address} went away: start its scheduler, then do this "
                "again."
            ) from error
        if name == "KilledWorker":
            raise SegcoreError(
                "Several machines of the cluster ended over one task (out of memory?): see "
                "their logs."
            ) from error
        raise
    finally:
        with suppress(SegcoreError):
            if lent is not None:
                lent.shutdown(wait=False)
            cluster.close()


def _lend(
    cluster: Cluster, workspace: Path | str, tell: Callable[[str], None]
) -> ClusterExecutor | None:
    try:
        executor, width = cluster.executor(workspace)
    except SegcoreError as error:
        tell(f"{error} This machine works alone meanwhile.")
        return None
    if not width:
        tell(
            f"No worker of the cluster at {cluster.address} is free and sees {workspace}: "
            "this machine works alone meanwhile."
        )
        return None
    return ClusterExecutor(executor, width)
