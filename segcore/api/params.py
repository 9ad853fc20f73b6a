"""What a notebook says once: ``params``, a flat mapping that every function of the API reads.

Its keys are those of :class:`Params` and, flattened, those of ``ModelConfig``, ``RecipeConfig`` and
``TrainConfig`` (see ``docs/notebook-api.md``). An unknown key is refused with the nearest known
one.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from segcore.catalog import ENSEMBLE_RULES, resolve
from segcore.config import ModelConfig, RecipeConfig, TrainConfig, from_json
from segcore.errors import SegcoreError, unknown
from segcore.workspace import Workspace


@dataclass(frozen=True)
class Params:
    """The keys that are not the config of a training run.

    Attributes:
        dataset: Name of the dataset in the workspace.
        source: Folder or archive to import it from when the workspace does not have it yet; "" for
            none.
        workspace: Folder of the workspace; "" takes ``$SEGCORE_WORKSPACE``, else ``./workspace``.
        label_scores: Where the class scores are written, ``;`` between cells.
        max_repeats: Largest repeats of an image in a balance plan.
        budget: Most copies that a balance plan may add, or None.
        target: What a balance plan aims at: "uniform" or "tempered".
        written: Name of the dataset that ``write_segment_data`` makes; "" for the dataset's name
            and "-written".
        members: How many members ``train_model`` trains; each has its own seed, and ``members_by``
            says how they differ besides.
        rule: How members are combined: a name in ``catalog.ENSEMBLE_RULES``.
        merge: Groups of class names that ``reduce_map=True`` merges, saved as the label map
            ``label_map`` (or "reduced").
    """

    dataset: str
    source: str = ""
    workspace: str = ""
    label_scores: str = "label_scores.csv"
    max_repeats: int = 5
    budget: int | None = None
    target: str = "uniform"
    written: str = ""
    members: int = 1
    rule: str = "mean"
    merge: tuple[tuple[str, ...], ...] = ()


def _names(cls: Any) -> list[str]:
    return [f.name for f in dataclasses.fields(cls)]


OWN = _names(Params)
MODEL = _names(ModelConfig)
RECIPE = _names(RecipeConfig)
RUN = [
    name
    for name in _names(TrainConfig)
    if name not in ("dataset", "model", "recipe", "member", "group", "kind")
]
KEYS = [*OWN, *MODEL, *RECIPE, *RUN]


@dataclass(frozen=True)
class Settings:
    """Params, read and checked.

    Attributes:
        own: The keys that are not the config of a run.
        config: The training run that they describe.
        workspace: The workspace, opened; the dataset lies in it.
    """

    own: Params
    config: TrainConfig
    workspace: Workspace


def read_params(path: str | Path) -> dict[str, Any]:
    """Read params from a JSON or YAML file.

    Raises:
        SegcoreError: The file is absent, is neither, or holds an unknown key.
    """
    file = Path(path)
    try:
        text = file.read_text("utf-8")
        data = json.loads(text) if file.suffix.lower() == ".json" else yaml.safe_load(text)
    except OSError as error:
        raise SegcoreError(
            f"Expected a file of params at {file}, but it cannot be read "
            f"({error.strerror}): give its path."
        ) from error
    except (ValueError, yaml.YAMLError) as error:
        first = str(error).splitlines()[0]
        raise SegcoreError(
            f"Expected JSON or YAML in {file.name}, received something else ({first}): "
            "mend that line."
        ) from error
    _split(data)
    return data


def settings(params: Mapping[str, Any]) -> Settings:
    """Check params, open the workspace, and import the dataset where it is not there yet.

    Raises:
        SegcoreError: A key is unknown or missing, a value is refused, or the dataset is neither
            there nor to be imported.
    """
    own, config = _split(params)
    workspace = Workspace(own.workspace or None)
    if own.source and own.dataset not in workspace.datasets.names():
        workspace.datasets.import_(Path(own.source), own.dataset)
    workspace.datasets.open(own.dataset)
    return Settings(own, config, workspace)


def _split(params: Any) -> tuple[Params, TrainConfig]:
    if not isinstance(params, Mapping):
        raise SegcoreError(
            "Expected params as a mapping of keys to values, received "
            f"{type(params).__name__}: write them as {{...}}."
        )
    for key in params:
        if key not in KEYS:
            raise unknown("key of params", key, KEYS)
    if "dataset" not in params:
        raise SegcoreError(
            "Expected the key 'dataset' in params, found none: name a dataset of the "
            "workspace, or a new one and its source."
        )

    def part(names: list[str]) -> dict[str, Any]:
        return {key: params[key] for key in names if key in params}

    own = from_json(Params, {k: str(v) if isinstance(v, Path) else v for k, v in part(OWN).items()})
    if own.rule not in ENSEMBLE_RULES:
        raise unknown("ensemble rule", own.rule, ENSEMBLE_RULES)
    model = {k: str(v) if isinstance(v, Path) else v for k, v in part(MODEL).items()}
    if "architecture" in model:
        pair = resolve(str(model["architecture"]), str(model.get("encoder", ModelConfig.encoder)))
        if model.get("encoder", pair[1]) != pair[1]:
            raise SegcoreError(
                f"Expected the architecture {model['architecture']!r} without an encoder, "
                f"for it means {pair[0]!r} with {pair[1]!r}, "
                f"received the encoder {model['encoder']!r}: leave one of the two out."
            )
        model["architecture"], model["encoder"] = pair
    return own, from_json(
        TrainConfig, {"dataset": own.dataset, "model": model, "recipe": part(RECIPE), **part(RUN)}
    )
