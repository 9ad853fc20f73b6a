"""The pool of processes: results in order, and never far ahead of who takes them."""

from segcore.light_worker.pool import map_ahead, open_pool


def _double(x):
    return 2 * x


def test_a_map_keeps_the_order_and_never_runs_far_ahead():
    given = []

    def tasks():
        for number in range(20):
            given.append(number)
            yield number

    with open_pool(2) as pool:
        results = map_ahead(_double, tasks(), pool, ahead=3)
        assert next(results) == 0
        assert len(given) <= 4
        assert list(results) == [2 * n for n in range(1, 20)]
