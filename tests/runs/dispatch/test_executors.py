"""A cluster lent for a map: what breaks in it is a sentence."""

from types import SimpleNamespace

import pytest

from segcore.errors import SegcoreError
from segcore.runs.dispatch import executors
from segcore.runs.dispatch.executors import cluster_executor


@pytest.fixture
def cluster(monkeypatch):
    """A cluster that answers, and lends nothing."""
    cluster = SimpleNamespace(address="tcp://box:8786", close=lambda: None)
    monkeypatch.setattr(executors, "cluster_address", lambda workspace: cluster.address)
    monkeypatch.setattr(executors, "Cluster", lambda address: cluster)
    monkeypatch.setattr(executors, "_lend", lambda *rest: None)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("CommClosedError", "box:8786 went away: start its scheduler"),
        ("ClosedClientError", "box:8786 went away: start its scheduler"),
        ("KilledWorker", "Several machines of the cluster ended over one task"),
    ],
)
def test_which_error_it_is_depends_on_what_was_under_way(cluster, tmp_path, name, words):
    with pytest.raises(SegcoreError, match=words), cluster_executor(tmp_path):
        raise type(name, (OSError,), {})


def test_an_error_of_the_work_itself_passes(cluster, tmp_path):
    with pytest.raises(OSError, match="disk"), cluster_executor(tmp_path):
        raise OSError("disk")
