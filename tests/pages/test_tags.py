"""Tags of images on the pages: given beside the image, filtered by, and scored apart."""

from segcore.evaluation.metrics.slices import score_slices, slice_by_tags


def test_a_tag_is_given_beside_the_image_and_filters_the_list(workspace, open_page, read) -> None:
    at = open_page("dataset", dataset="tiny", part="test", sample="test/scene_1")
    field = next(m for m in at.multiselect if m.label == "Tags of this image")
    assert field.value == [] and not [s for s in at.selectbox if s.key == "tagged"]
    workspace.tags.change("tiny", ["test/scene_1"], add=["night"])
    at = open_page("dataset", dataset="tiny", part="test", sample="test/scene_1", tagged="night")
    assert at.selectbox(key="sample").options == ["test/scene_1"]
    field = next(m for m in at.multiselect if m.label == "Tags of this image")
    read.check(field.set_value([]).run())
    assert workspace.tags.of("tiny") == {}


def test_tags_are_parts_of_the_split_with_their_own_scores(trained, open_page, read) -> None:
    workspace, run = trained.workspace, trained.members[0]
    assert (
        "tag"
        not in open_page("evaluate", run=run, split="test", tab="Slices and robustness")
        .button_group(key="part")
        .options
    )
    workspace.tags.change("tiny", ["test/scene_0", "test/scene_2"], add=["night"])
    workspace.tags.change("tiny", ["test/scene_2"], add=["rain"])
    at = open_page("evaluate", run=run, split="test", tab="Slices and robustness")
    read.check(at.button_group(key="part").set_value("tag").run())
    ids, counts = workspace.scores.counts(run, "test")
    wanted = score_slices(
        counts, slice_by_tags([workspace.tags.of("tiny").get(i, ()) for i in ids])
    )
    shown = next(d.value for d in at.dataframe if "slice" in d.value.columns)
    assert list(shown["slice"]) == [r.name for r in wanted] == ["tag = night", "tag = rain"]
    assert list(shown["mean IoU"]) == [100 * r.mean_iou for r in wanted]


def test_the_compare_page_walks_through_tagged_images_only(trained, open_page) -> None:
    trained.workspace.tags.change("tiny", ["test/scene_2"], add=["rain"])
    at = open_page("compare", run=trained.members[0], split="test", tagged="rain")
    assert at.selectbox(key="sample").options == ["test/scene_2"]
