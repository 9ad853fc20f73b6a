"""Which waiting run goes next: moves, priorities, runs held back one by one."""

from segcore.runs.queue import jobs
from segcore.runs.queue.queue import Queue


def test_moves_stop_at_the_ends_and_leave_what_works(tmp_path):
    with Queue(tmp_path) as queue:
        for run in "abcd":
            queue.add(run, "train", "cpu")
        assert queue.claim("a", ["cpu"])
        queue.move("d", -1)
        assert [job.run for job in queue.jobs()] == ["a", "b", "d", "c"]
        queue.move("d", -99)
        assert [job.run for job in queue.jobs()] == ["a", "d", "b", "c"]
        queue.move("d", 99)
        queue.move("a", 2)  # works: not moved
        queue.move("unknown", 1)
        assert [job.run for job in queue.jobs()] == ["a", "b", "c", "d"]


def test_a_move_crosses_priorities(tmp_path):
    with Queue(tmp_path) as queue:
        queue.add("low", "train", "cpu")
        queue.add("high", "train", "cpu", priority=5)
        queue.move("low", -1)
        assert [job.run for job in queue.jobs()] == ["low", "high"]
        queue.set_priority("high", 9)
        assert [job.run for job in queue.jobs()] == ["high", "low"]


def test_a_held_run_is_passed_over_and_forgets_it_when_it_leaves(tmp_path):
    with Queue(tmp_path) as queue:
        for run in ("a", "b_", "bx"):
            queue.add(run, "train", "cpu")
        queue.hold("a")
        queue.hold("nobody")
        assert queue.held() == {"a"} and jobs.has_work(queue)
        queue.hold("b_")
        queue.hold("bx")
        assert not jobs.has_work(queue)
        queue.hold("b_", False)
        assert queue.held() == {"a", "bx"} and jobs.has_work(queue)
        assert queue.remove("a", None) and queue.held() == {"bx"}
        queue.add("a", "train", "cpu")
        assert queue.held() == {"bx"}


def test_the_dispatcher_passes_over_what_is_held(workspace):
    for id in "ab":
        workspace.run(id, steps=1)
    jobs.pause(workspace.folder)
    jobs.submit(workspace.folder, ["a", "b"])
    jobs.hold(workspace.folder, "a")
    jobs.set_priority(workspace.folder, "a", 7)
    jobs.pause(workspace.folder, False)
    workspace.wait_for(b="finished")
    workspace.wait(lambda: workspace.dispatcher() is None)
    assert workspace.states()["a"] == "queued" and jobs.held(workspace.folder) == {"a"}
    jobs.hold(workspace.folder, "a", False)
    workspace.wait_for(a="finished")
    assert len(workspace.starts("a")) == 1 and jobs.held(workspace.folder) == set()


def test_a_stop_ends_a_held_run(workspace):
    workspace.run("a", steps=1)
    jobs.pause(workspace.folder)
    jobs.submit(workspace.folder, ["a"])
    jobs.hold(workspace.folder, "a")
    jobs.move(workspace.folder, "a", 3)
    assert jobs.stop(workspace.folder, "a").state == "interrupted"
    assert jobs.waiting(workspace.folder) == [] and jobs.held(workspace.folder) == set()
