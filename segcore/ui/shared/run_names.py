"""What runs are called on the pages: an ensemble by what it combines and how, not by the id that its folder has."""

import re

from segcore.catalog import ENSEMBLE_RULES

_COMBINED = re.compile(
    rf"(.+)-({'|'.join(ENSEMBLE_RULES)})(\d+)((?:-crf)?(?:-filter)?)-([0-9a-f]{{6}})"
)
"""The id of a combination without its split, as :func:`segcore.workspace.runs.run_ids.evaluation_id` makes it."""


def called(run: str) -> str:
    """Return how a run is called where the split is chosen apart: "camvid-unet-7qpu, mean of 5 (20cc32)"; unlike runs differ."""
    stem = run.rsplit("--", 1)[0]
    found = _COMBINED.fullmatch(stem)
    if not found:
        return stem
    members, combined = found[1], _how(found)
    return f"{members} {combined}" if combined.startswith("+") else f"{members}, {combined}"


def short_name(run: str) -> str:
    """Return the part of what a run is called that tells it from its siblings."""
    stem = run.split("--")[0]
    found = _COMBINED.fullmatch(stem)
    if not found:
        return "-".join(stem.split("-")[-2:])
    combined = _how(found)
    return (
        f"{'-'.join(found[1].split('-')[-2:])} {combined}" if combined.startswith("+") else combined
    )


def _how(found: re.Match[str]) -> str:
    """Say what is done to the members: "mean of 5 + CRF (20cc32)", or of a single one "+ CRF (20cc32)"."""
    after = found[4].replace("-crf", " + CRF").replace("-filter", " + filter")
    one = found[3] == "1" and after
    return f"{after.strip() if one else f'{found[2]} of {found[3]}{after}'} ({found[5]})"
