"""What runs are called on the pages."""

import pytest

from segcore.config import EvaluateConfig
from segcore.postprocess.parameters import CRFParameters
from segcore.ui.shared.run_names import LONGEST, called, middle, output_name, short_name, shown
from segcore.workspace.runs.run_ids import evaluation_id

FIVE = tuple(f"road-unet-ab12-{n}" for n in range(1, 6))


@pytest.mark.parametrize(
    ("config", "name", "short"),
    [
        (EvaluateConfig("road", FIVE, "test"), "road-unet-ab12, mean of 5 ({})", "mean of 5 ({})"),
        (
            EvaluateConfig("road", FIVE, "test", "majority", CRFParameters()),
            "road-unet-ab12, majority of 5 + CRF ({})",
            "majority of 5 + CRF ({})",
        ),
        (
            EvaluateConfig("road", FIVE[:1], "test", "mean", CRFParameters()),
            "road-unet-ab12-1 + CRF ({})",
            "ab12-1 + CRF ({})",
        ),
        (EvaluateConfig("road", FIVE, "test", name="five"), "five", "five"),
    ],
)
def test_a_combination_is_called_by_what_it_does(config, name, short) -> None:
    run = evaluation_id(config)
    digest = run.removesuffix("--test").rsplit("-", 1)[-1]
    assert called(run) == name.format(digest)
    assert short_name(run) == short.format(digest)


@pytest.mark.parametrize(
    ("name", "stage", "wanted"),
    [
        ("mean of 5 + CRF (1a)", "ensemble", "mean of 5 (1a)"),
        ("mean of 5 + CRF (1a)", "crf", "mean of 5 + CRF (1a)"),
        ("mean of 5 + CRF + filter (1a)", "crf", "mean of 5 + CRF (1a)"),
        ("mean of 5 + CRF + filter (1a)", "filter", "mean of 5 + CRF + filter (1a)"),
        ("five", "crf", "five + CRF"),
        ("ab12-1", "prediction", "ab12-1"),
    ],
)
def test_an_output_is_called_by_the_steps_that_made_it(name, stage, wanted) -> None:
    assert output_name(name, stage) == wanted


def test_a_single_run_keeps_its_name() -> None:
    assert called(FIVE[0]) == FIVE[0] and short_name(FIVE[0]) == "ab12-1"


def test_a_long_name_keeps_what_tells_it_apart() -> None:
    names = [f"fifty-nine-classes-unet-tiny-sn6j-{n}" for n in range(1, 4)]
    short = [middle(name, 24) for name in names]
    assert len(set(short)) == 3 and all(len(name) == 24 for name in short)
    assert short[0].startswith("fifty") and short[0].endswith("unet-tiny-sn6j-1"[-15:])
    assert middle("short") == "short"


def test_a_long_title_keeps_its_end_in_selectors() -> None:
    name = "a-dataset-with-a-very-long-name-deeplabv3plus-efficientnetb4-7qpu"
    assert len(shown(f"{name}-1")) <= LONGEST and shown(f"{name}-1") != shown(f"{name}-2")
    assert shown("unet-7qpu-1") == "unet-7qpu-1"
