"""The form of a search: what stays the same, what varies, how many trials."""

import dataclasses
import math
from functools import partial
from typing import Any

import streamlit as st

from segcore.catalog import ALL_ENCODERS, TUNE_PRESETS
from segcore.config import Range, SearchSpace, TrainConfig, TuneConfig
from segcore.config.schema import Setting, own_settings, settings
from segcore.config.tuning import PRESETS, searchable, searched_by_default, trial_config
from segcore.data.dataset.dataset import Dataset
from segcore.errors import SegcoreError
from segcore.formatting import duration, plural
from segcore.ui.shared import session, start_button
from segcore.ui.train.device_choice import usable_engine
from segcore.ui.train.form import WEIGHTS
from segcore.ui.tune.names import choice, setting

RECOMMENDED = "recommended values"
FIXED = ("architecture", "encoder", "weights", "batch_size", "size", "device")
"""Fields of the base that the form shows; a run's config can be the base for all others."""


def form(dataset: Dataset, name: str) -> TuneConfig | None:
    """Draw the form and return the search; None where a value is refused, with the reason shown.

    Args:
        dataset: A dataset with a training and a validation split.
        name: Its name in the workspace.
    """
    left, middle, right = st.columns([5, 2, 2], gap="large")
    with left:
        preset = st.segmented_control(
            "Search space",
            list(PRESETS),
            default="quick",
            key="tune_preset",
            required=True,
            format_func=lambda p: TUNE_PRESETS[p].title,
        )
        st.caption(TUNE_PRESETS[preset].summary)
    with middle:
        trials = st.number_input(
            "Trials", 1, 10_000, 20, help="Trials to run, each a training run. 1 to 10,000."
        )
    with right:
        epochs = st.number_input(
            "Epochs per trial", 1, 100_000, 10, help="Poor trials end earlier. 1 to 100,000."
        )
    try:
        base = _base(dataset, name, int(epochs))
        config = _search(base, _space(dataset, preset), int(trials))
    except SegcoreError as error:
        st.warning(session.plain(str(error)), icon=":material/warning:")
        return None
    _summary(config)
    return config


def _base(dataset: Dataset, name: str, epochs: int) -> TrainConfig:
    """Draw the values that all trials share: those recommended, or a run's."""
    workspace = session.workspace()
    rows = workspace.runs.rows()
    runs = [row.run for row in rows if row.kind == "train" and row.dataset == name]
    with st.expander("Fixed values", icon=":material/lock:"):
        start = st.selectbox(
            "Copy from",
            [RECOMMENDED, *runs],
            key="tune_base",
            help="All values that are not searched are copied from here.",
        )
        if start == RECOMMENDED:
            base = workspace.launch.suggest(name).config
        else:
            run = workspace.runs.open(start).config
            if not isinstance(run, TrainConfig):
                raise SegcoreError(f"Expected a training run, received {start!r}: choose another.")
            engine = usable_engine(run.engine)
            base = dataclasses.replace(run, group="", member=0, engine=engine)
        values = _fixed(base, start)
    values["epochs"] = epochs
    values["warmup_epochs"] = min(base.recipe.warmup_epochs, float(epochs))
    values["freeze_epochs"] = min(base.recipe.freeze_epochs, epochs)
    return trial_config(dataclasses.replace(base, dataset=name), values)


def _fixed(base: TrainConfig, start: str) -> dict[str, Any]:
    """Draw the shared values that are most often changed."""
    fields, values = settings(TrainConfig), dict[str, Any]()
    columns = st.columns(3, gap="large")
    place = "" if start == RECOMMENDED else f"_{start}"
    for number, name in enumerate(FIXED):
        one, key = fields[name], f"tune_{name}_one{place}"
        option, usual = one.option, one.get(base)
        names = list(option.table or ())
        if name == "weights":
            trained = ALL_ENCODERS[values["encoder"]].imagenet
            names = list(dict.fromkeys([*(["imagenet"] if trained else []), "none", usual]))
            names = [n for n in names if n != "imagenet" or trained]
            key = f"{key}_{values['encoder']}"
        if name == "device":
            names = list(
                dict.fromkeys(["auto", *(d.id for d in session.workspace().runs.devices()), usual])
            )
        with columns[number % 3]:
            if names:
                values[name] = st.selectbox(
                    option.title,
                    names,
                    names.index(usual) if usual in names else 0,
                    partial(_title, one),
                    key=key,
                    help=option.help,
                )
            else:
                text = st.text_input(option.title, one.write(usual), key=key, help=option.help)
                values[name] = one.read(text)
    return values


def _title(one: Setting, name: str) -> str:
    table = one.option.table
    return table[name].title if table is not None else WEIGHTS.get(name, name)


def _space(dataset: Dataset, preset: str) -> SearchSpace:
    """Draw the values of each field to search, beginning with a preset."""
    given = PRESETS[preset]
    names = {"label_maps": list(dataset.label_maps()), "plans": list(dataset.plans())}
    varied: dict[str, Any] = {}
    with st.expander("Values to search", icon=":material/tune:"):
        st.caption("A field with two values or more is searched; an empty one keeps its value.")
        columns = st.columns(2, gap="large")
        for place, (name, one) in enumerate(searchable().items()):
            offered = searched_by_default(one)
            saved = names.get(one.option.names_of)
            if saved is not None:
                offered = ("", *saved) if saved else ()
            if not offered:
                continue
            with columns[place % 2]:
                if isinstance(offered, Range):
                    varied[name] = _range(one, offered, given.ranges.get(name), preset)
                else:
                    varied[name] = tuple(
                        st.multiselect(
                            setting(name),
                            offered,
                            default=list(given.choices.get(name, ())),
                            format_func=partial(choice, name),
                            key=f"tune_{name}_{preset}",
                            placeholder="unchanged",
                        )
                    )
    if len(varied.get("label_map", ())) > 1:
        st.warning(
            "Label maps change what is scored: mean IoU over fewer classes is not comparable, and "
            "the search will favour them.",
            icon=":material/warning:",
        )
    return SearchSpace(**varied)


def _range(one: Setting, usual: Range, given: Range | None, preset: str) -> Range | None:
    """Draw a range on a logarithmic scale; None where it is not searched."""
    title = one.option.title
    if not st.toggle(
        f"Search {title.lower()}", given is not None, key=f"tune_vary_{one.name}_{preset}"
    ):
        return None
    span = given or usual
    least, most = one.option.low or span.low / 1000, one.option.high or span.high * 1000
    powers = range(math.floor(math.log10(span.low)) - 2, math.ceil(math.log10(span.high)) + 2)
    steps = [float(f"{digit}e{power}") for power in powers for digit in (1, 2, 5)]
    values = sorted({*(v for v in steps if least <= v <= most), span.low, span.high})
    low, high = st.select_slider(
        f"{title} range",
        values,
        (span.low, span.high),
        key=f"tune_range_{one.name}_{preset}",
        format_func=lambda value: f"{value:g}",
    )
    return Range(float(low), float(high)) if low < high else None


def _search(base: TrainConfig, space: SearchSpace, trials: int) -> TuneConfig:
    """Draw the sampler, the pruner and their settings."""
    usual = TuneConfig(base.dataset, base, space)
    values: dict[str, Any] = {"trials": trials}
    with st.expander("Sampler and pruner", icon=":material/travel_explore:"):
        columns = st.columns(3, gap="large")
        fields = [one for one in own_settings(TuneConfig) if one.name != "trials"]
        for number, one in enumerate(fields):
            with columns[number % 3]:
                values[one.name] = _search_field(one, one.get(usual))
    return dataclasses.replace(usual, **values)


def _search_field(one: Setting, usual: Any) -> Any:
    option, key = one.option, f"tune_{one.name}"
    if option.table is not None:
        table, names = option.table, list(option.table)
        chosen = st.selectbox(
            option.title,
            names,
            names.index(usual),
            lambda name: table[name].title,
            key=key,
            help=option.help,
        )
        st.caption(table[chosen].summary)
        return chosen
    if one.kind is bool:
        return st.toggle(option.title, usual, key=key, help=option.help)
    low, high = int(option.low or 0), int(option.high or 0)
    return int(st.number_input(option.title, low, high, usual, key=key, help=option.help))


def _summary(config: TuneConfig) -> None:
    """Say in two lines what the search does and how long it takes."""
    varied = ", ".join(setting(name).lower() for name in config.space.names)
    trials = plural(config.planned, "trial")
    epochs = plural(config.base.recipe.epochs, "epoch")
    st.caption(
        f"{trials} of up to {epochs} vary {varied}. Trials are ranked by mean IoU on "
        f"*{config.base.validation_split}*; the test split is not used."
    )
    total = estimated_seconds(config)
    shown = (
        f"up to {duration(total)}; pruning saves time"
        if total
        else ("unknown until a run has finished here")
    )
    st.caption(f":material/schedule: Estimated time, one trial after another: {shown}.")


def estimated_seconds(config: TuneConfig) -> float | None:
    """Return how long all trials take one after another, seconds; None where nothing is known."""
    seconds = start_button.training_seconds(config.base)
    return None if seconds is None else seconds * config.planned


def start(config: TuneConfig) -> None:
    """Draw the button that starts the search."""

    def act() -> None:
        session.request("study", session.workspace().searches.start(config))
        st.toast("Search queued")

    start_button.draw(
        "Start search", "start_search", config.planned, partial(estimated_seconds, config), act
    )
