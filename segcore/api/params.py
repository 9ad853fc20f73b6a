"""``params``: a flat mapping that every function of the notebook API reads.

Its keys are those of :class:`Params` and the declared fields of ``TrainConfig`` (see
``docs/notebook-api.md``). An unknown key is refused with the nearest known one.
"""

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from segcore.catalog import ENSEMBLE_RULES, resolve
from segcore.config import ModelConfig, TrainConfig, from_json
from segcore.config.mapping import convert
from segcore.config.schema import check, option
from segcore.config.schema import settings as settings_of
from segcore.config.tuning import trial_config
from segcore.errors import SegcoreError, unknown
from segcore.runs.machine.engines import new_config
from segcore.workspace import Workspace, workspace_folder

NO_PLAN = "none"
"""What ``balance_plan`` says to train without a plan, whatever :func:`mlos` wrote."""


@dataclass(frozen=True)
class Params:
    """The keys that are not the config of a training run.

    Attributes:
        dataset: Name of the dataset in the workspace.
        source: Folder or archive to import it from if the workspace does not have it yet; "" for
            none.
        workspace: Folder of the workspace; "" takes ``$SEGCORE_WORKSPACE``, else ``./workspace``.
        label_scores: File that the class scores are written to, ``;`` between cells.
        budget: Most copies that a balance plan may add, or None.
        target: What a balance plan aims at: "uniform" or "tempered".
        written: Name of the dataset that ``write_segment_data`` makes; "" for the dataset's name
            and "-written".
        merge: Groups of class names that ``reduce_map=True`` merges, saved as the label map
            ``label_map`` (or "reduced").
    """

    dataset: str
    source: str = ""
    workspace: str = ""
    label_scores: str = "label_scores.csv"
    max_repeats: int = option(
        5, "Max repeats", "Most repeats of an image in a balance plan.", low=1, high=100
    )
    budget: int | None = None
    target: str = "uniform"
    written: str = ""
    members: int = option(
        1,
        "Ensemble size",
        "Models that train_model trains; each has its own seed, and members_by says what else "
        "differs.",
        low=1,
        high=100,
    )
    rule: str = option("mean", "Aggregation", "How members are combined.", table=ENSEMBLE_RULES)
    merge: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        """Refuse unknown names and numbers out of range."""
        check(self)


OWN = [f.name for f in dataclasses.fields(Params)]
FIELDS = settings_of(TrainConfig)
KEYS = [*OWN, *FIELDS]


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


class _Loader(yaml.SafeLoader):
    """Reads YAML as version 1.2 does: 1e-3 is a number."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+"),
    list("-+.0123456789"),
)


def read_params(path: str | Path) -> dict[str, Any]:
    """Read params from a JSON or YAML file.

    Raises:
        SegcoreError: The file is missing, is neither, or holds an unknown key or a wrong value.
    """
    file = Path(path)
    try:
        text = file.read_text("utf-8")
        is_json = file.suffix.lower() == ".json"
        data = json.loads(text) if is_json else yaml.load(text, _Loader)
    except OSError as error:
        raise SegcoreError(
            f"Expected a file of params at {file}, but it cannot be read ({error.strerror}): "
            "check its path."
        ) from error
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        first = (str(error).splitlines() or ["too deep"])[0]
        raise SegcoreError(
            f"Expected JSON or YAML in {file.name}, received something else ({first}): fix that "
            "line."
        ) from error
    _split(data)
    params: dict[str, Any] = data
    return params


def settings(params: Mapping[str, Any]) -> Settings:
    """Check params, open the workspace, and import the dataset if it is not there yet.

    Raises:
        SegcoreError: A key is unknown or missing, a value is refused, or the dataset is neither in
            the workspace nor can be imported; no workspace is created then.
    """
    own, config = _split(params)
    folder = workspace_folder(own.workspace or None)
    if not own.source and not (folder / "datasets" / own.dataset).is_dir():
        raise SegcoreError(
            f"Expected the dataset {own.dataset!r} in the workspace {folder}, found none: set "
            "'source' to import it, or 'workspace'."
        )
    workspace = Workspace(own.workspace or None)
    if own.source and own.dataset not in workspace.datasets.names():
        workspace.datasets.import_(Path(own.source), own.dataset)
    workspace.datasets.open(own.dataset)
    return Settings(own, config, workspace)


def _split(params: Any) -> tuple[Params, TrainConfig]:
    """Return the two parts of params, checked."""
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
            "Expected the key 'dataset' in params, found none: name a dataset of the workspace, or "
            "a new one and its source."
        )
    plain = {k: str(v) if isinstance(v, Path) else v for k, v in params.items()}
    own = from_json(Params, {key: plain[key] for key in OWN if key in plain})
    values = {
        key: convert(key, one.kind, plain[key]) for key, one in FIELDS.items() if key in plain
    }
    if "architecture" in values:
        usual = ModelConfig()
        pair = resolve(values["architecture"], values.get("encoder", usual.encoder))
        if values.get("encoder", pair[1]) != pair[1]:
            raise SegcoreError(
                f"Expected the architecture {values['architecture']!r} without an encoder, for it "
                f"means {pair[0]!r} with {pair[1]!r}, received the encoder "
                f"{values['encoder']!r}: leave one of the two out."
            )
        values["architecture"], values["encoder"] = pair
    return own, trial_config(new_config(own.dataset), values)
