"""Members that were predicted with different inference views: whoever reads their mean is told."""

from collections.abc import Sequence

from segcore.config import PredictConfig
from segcore.runs.folder.run_folder import RunFolder
from segcore.workspace.runs.runs import Runs, prediction_id


def mixed_views(runs: Runs, members: Sequence[str], split: str) -> str:
    """Say which member was predicted with which views, where they differ.

    Args:
        runs: The runs of the workspace.
        members: Ids of training runs or imports; those without predictions here are passed over.
        split: The split.

    Returns:
        One sentence; "" where all were predicted alike.
    """
    by_views: dict[str, list[str]] = {}
    for member in members:
        run = RunFolder(runs.folder / prediction_id(member, split))
        config = run.config if run.folder.is_dir() else None
        if isinstance(config, PredictConfig):
            by_views.setdefault(config.options.views(), []).append(member)
    if len(by_views) < 2:
        return ""
    parts = (f"{', '.join(names)}: {views}" for views, names in by_views.items())
    return f"The members were predicted with different views: {'; '.join(parts)}."
