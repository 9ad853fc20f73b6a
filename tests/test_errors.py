"""An unknown name is answered by those that were probably meant."""

from segcore.errors import MOST_NAMES, unknown, unknown_split

RUNS = [f"aerial-unet-resnet{n}-1" for n in range(30, 0, -1)]


def test_names_that_contain_the_text_come_first_then_the_newest() -> None:
    runs = [*RUNS, "aerial-fpn-squeezenet-1", "aerial-unet-squeezenet-1"]
    assert str(unknown("run", "SQ", runs, ordered=True)) == (
        "Unknown run 'SQ': expected one of aerial-fpn-squeezenet-1, aerial-unet-squeezenet-1, "
        f"{', '.join(RUNS[: MOST_NAMES - 2])} and {len(runs) - MOST_NAMES} more."
    )


def test_the_only_name_that_contains_the_text_is_suggested() -> None:
    runs = [*RUNS, "aerial-unet-squeezenet-1"]
    assert str(unknown("run", "sq", runs)) == (
        "Unknown run 'sq': did you mean 'aerial-unet-squeezenet-1'?"
    )


def test_few_names_are_listed_sorted_and_none_is_reported() -> None:
    assert str(unknown("order", "z", "cab")) == "Unknown order 'z': expected one of a, b, c."
    assert "none exists yet" in str(unknown("order", "z", []))


def test_a_split_of_a_dataset_without_splits() -> None:
    assert "segscope split tiny" in str(unknown_split("tiny", "train", ["", ""]))
    assert str(unknown_split("tiny", "trian", ["train", ""])) == (
        "Unknown split 'trian': did you mean 'train'?"
    )
