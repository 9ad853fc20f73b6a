"""Which processes of a run over several machines start by themselves."""

from segcore.runs.dispatch.worker_entry import tasks_here


def test_processes_of_the_first_address_start_here():
    assert tasks_here([]) == []
    assert tasks_here(["127.0.0.1:2222", "127.0.0.1:2223", "10.0.0.6:2222", "127.0.0.1:2224"]) == [
        1,
        3,
    ]
    assert tasks_here(["10.0.0.5:1", "10.0.0.6:1"]) == []
    assert tasks_here(["[::1]:1", "[::1]:2"]) == [1]
