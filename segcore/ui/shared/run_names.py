"""Titles of runs: an ensemble by what it combines and how, not by its folder's id."""

import re

from segcore.catalog import ENSEMBLE_RULES

_COMBINED = re.compile(
    rf"(.+)-({'|'.join(ENSEMBLE_RULES)})(\d+)((?:-crf)?(?:-filter)?)-([0-9a-f]{{6}})"
)
"""The id of a combination without its split, as ``run_ids.evaluation_id`` makes it."""


def model_id(run: str) -> str:
    """Return the id of a model: a run's id without the split that it happened to be made for."""
    return run.rsplit("--", 1)[0]


def called(run: str) -> str:
    """Return the title of a run where the split is chosen apart: "unet-7qpu, mean of 5 (20cc32)"."""
    stem = model_id(run)
    match = _COMBINED.fullmatch(stem)
    if not match:
        return stem
    members, combined = match[1], _how(match)
    return f"{members} {combined}" if combined.startswith("+") else f"{members}, {combined}"


LONGEST = 52
"""Letters of a title in a selector; what tells runs apart stands at their end."""


def shown(run: str) -> str:
    """Return the title of a run as selectors and links show it: a long one is cut in its middle."""
    return middle(called(run), LONGEST)


def middle(name: str, length: int = 36) -> str:
    """Shorten a long name in its middle: what tells runs apart stands at their end."""
    if len(name) <= length:
        return name
    end = (length - 1) * 2 // 3
    return f"{name[: length - 1 - end]}…{name[-end:]}"


def short_name(run: str) -> str:
    """Return the part of a run's name that distinguishes it from its siblings."""
    stem = run.split("--")[0]
    match = _COMBINED.fullmatch(stem)
    if not match:
        return "-".join(stem.split("-")[-2:])
    combined = _how(match)
    return (
        f"{'-'.join(match[1].split('-')[-2:])} {combined}" if combined.startswith("+") else combined
    )


AFTER = {"crf": " + CRF", "filter": " + filter"}
"""What a title says of the steps after the network, by stage, in the order of the steps."""


def output_name(name: str, stage: str) -> str:
    """Return what a stage of a run is called: of "mean of 5 + CRF (20cc32)" the first "mean of 5 (20cc32)".

    Args:
        name: A title of the run.
        stage: "prediction", "ensemble", "crf" or "filter".
    """
    steps = list(AFTER)
    for later in steps[steps.index(stage) + 1 :] if stage in steps else steps:
        name = name.replace(AFTER[later], "")
    own = AFTER.get(stage, "")
    return name if own in name else f"{name}{own}"


def _how(match: re.Match[str]) -> str:
    """Say how members are combined: "mean of 5 + CRF (20cc32)", or "+ CRF (20cc32)"."""
    after = match[4].replace("-crf", AFTER["crf"]).replace("-filter", AFTER["filter"])
    one = match[3] == "1" and after
    return f"{after.strip() if one else f'{match[2]} of {match[3]}{after}'} ({match[5]})"
