"""The short ways to what newcomers want most: one button each."""

from segcore.ui.train import card


def test_the_rarest_class_leads_to_its_images(trained, open_page, read) -> None:
    at = open_page("dataset", dataset="tiny", show="Class balance")
    part = trained.workspace.datasets.statistics("tiny").summary()
    fewest = min(c.images for c in part.classes)
    button = at.button(key="rarest")
    (rarest,) = [c for c in part.classes if button.label.endswith(c.name)]
    assert rarest.images == fewest
    read.check(button.click().run())
    assert at.selectbox(key="holding").value == rarest.name
    assert at.selectbox(key="sample").options == trained.workspace.datasets.holding(
        "tiny", None, rarest.name
    )


def test_five_members_of_the_suggested_plan_are_started_at_once(
    workspace, started, open_page, read
) -> None:
    at = open_page("train", dataset="tiny")
    read.check(at.button(key="start_members").click().run())
    rows = [row for row in workspace.runs.rows() if row.kind == "train"]
    queued = [workspace.runs.open(row.run).config for row in rows]
    assert len(queued) == card.ENSEMBLE and {c.seed for c in queued} == set(
        range(queued[-1].seed, queued[-1].seed + card.ENSEMBLE)
    )
    assert {c.model for c in queued} == {workspace.launch.suggest("tiny").config.model}
    assert read.title(at) == "Runs"


def test_the_image_that_the_crf_hurts_most_is_gone_to(trained, open_page, read) -> None:
    at = open_page("compare", run=trained.ensemble, split="test", sample="test/scene_2")
    read.check(at.button(key="crf_hurts").click().run())
    images, gains = trained.workspace.rankings.order(trained.ensemble, "test", "crf_gain")
    assert gains == sorted(gains)
    assert (
        at.selectbox(key="sort").value == "CRF gain"
        and at.selectbox(key="sample").value == images[0]
    )
    alone = open_page("compare", run=trained.members[0], split="test")
    assert "crf_hurts" not in {b.key for b in alone.button}


def test_a_pair_with_a_verdict_is_tried_alone(trained, open_page, read) -> None:
    at = open_page("compress", run=trained.members[0], split="validation")
    study = trained.workspace.merges.what_if(trained.members[0], "validation").to_json()
    first, second = study["verdicts"][0]["pair"]
    read.check(at.button(key=f"try_{first}_{second}").click().run())
    names = dict(zip([3, 5, 8, 11], ["field", "forest", "road", "roof"], strict=True))
    assert at.button_group(key="way").value == "Manual"
    merged = f"{names[first]} + {names[second]}"
    assert [m.value for m in at.markdown if " + " in m.value and "**" not in m.value] == [merged]
