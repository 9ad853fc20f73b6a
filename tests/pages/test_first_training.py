"""During the first training of a dataset: pages that need its result lead to it."""

import pytest

from segcore.config import ModelConfig, RecipeConfig, TrainConfig
from segcore.runs.queue import jobs

CONFIG = TrainConfig("tiny", ModelConfig("unet", "tiny", "none"), RecipeConfig(epochs=3), (32, 64))
PAGES = ("compare", "evaluate", "compress", "ensemble", "predict")


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("state", ["running", "queued"])
def test_a_page_that_needs_a_result_links_to_the_training(made_up, open_page, name, state) -> None:
    run = made_up.write("tiny-first-1", CONFIG, state=state)
    at = open_page(name, dataset="tiny")
    (link,) = [e.proto for e in at.get("page_link") if e.proto.label == "Watch the training"]
    assert link.page == "runs" and f"run={run.id}" in link.query_string
    does = "is running" if state == "running" else "waits in the queue"
    assert f"**tiny** has no finished runs yet. Its training {does}." in [
        m.value for m in at.markdown
    ]


def test_a_deletion_names_the_training_that_it_would_break(made_up, open_page, read) -> None:
    run = made_up.write("tiny-first-1", CONFIG, state="running")
    at = open_page("dataset", dataset="tiny")
    read.check(at.button(key="delete_dataset").click().run())
    words = " ".join(m.value for m in at.markdown).replace("\\", "")
    assert "1 run of it still runs or waits, and will fail:" in words and run.id in words


def test_a_training_is_watched_whatever_run_was_looked_at_before(
    trained, started, open_page, read
) -> None:
    at = open_page("compress")
    read.check(at.selectbox(key="run").set_value(trained.members[0]).run())
    read.check(at.switch_page("pages/train.py").run())
    read.check(at.button(key="start_training").click().run())
    (job,) = [job for job in jobs.waiting(trained.workspace.folder) if job.kind == "train"]
    assert at.selectbox(key="run").value == job.run
