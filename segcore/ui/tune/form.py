"""The form that begins a study: what is fixed, what is varied, how many trials."""

import dataclasses
from functools import partial
from typing import Any

import streamlit as st

from segcore.catalog import ARCHITECTURES, ENCODERS, PRUNERS, SAMPLERS, TUNE_PRESETS
from segcore.config import (
    ModelConfig,
    Range,
    RecipeConfig,
    SearchSpace,
    TrainConfig,
    TuneConfig,
)
from segcore.config.tuning import PRESETS, searchable, searched_by_default
from segcore.data.dataset.dataset import Dataset
from segcore.errors import SegcoreError
from segcore.ui.shared import session
from segcore.ui.tune.names import choice, setting

USUAL = "the usual settings"
RATES = [float(f"{digit}e{power}") for power in range(-6, 0) for digit in (1, 2, 5)] + [1.0]


def form(dataset: Dataset, name: str) -> TuneConfig | None:
    """Draw the form and return the study; None where a choice is refused (the reason is shown).

    Args:
        dataset: What is learned from; it has a training and a validation split.
        name: Its name in the workspace.
    """
    left, middle, right = st.columns([5, 2, 2], gap="large")
    with left:
        preset = st.segmented_control(
            "What is varied",
            list(PRESETS),
            default="quick",
            key="tune_preset",
            required=True,
            format_func=lambda p: TUNE_PRESETS[p].title,
        )
        st.caption(TUNE_PRESETS[preset].summary)
    trials = middle.number_input(
        "Trials", 1, 10_000, 20, help="Settings that are tried, each by a training run of its own."
    )
    epochs = right.number_input("Epochs a trial", 1, 100_000, 10, help="Poor trials end earlier.")
    try:
        base = _base(dataset, name, int(epochs))
        space = _space(dataset, preset)
        config = _search(base, space, int(trials))
    except SegcoreError as error:
        st.warning(str(error), icon=":material/warning:")
        return None
    _say(config)
    return config


def _base(dataset: Dataset, name: str, epochs: int) -> TrainConfig:
    """Draw what every trial has in common."""
    runs = [
        r.run for r in session.workspace().runs.rows() if r.kind == "train" and r.dataset == name
    ]
    with st.expander("What stays the same", icon=":material/lock:"):
        start = st.selectbox(
            "Take from",
            [USUAL, *runs],
            key="tune_base",
            help="Everything that is not varied is as in that run; of a study's trials too.",
        )
        if start != USUAL:
            found = session.workspace().runs.open(start).config
            if isinstance(found, TrainConfig):
                recipe = dataclasses.replace(
                    found.recipe,
                    epochs=epochs,
                    warmup_epochs=min(found.recipe.warmup_epochs, float(epochs)),
                )
                return dataclasses.replace(found, recipe=recipe, group="", member=0)
        one, two, three, four = st.columns(4)
        architecture = one.selectbox(
            "Architecture",
            list(ARCHITECTURES),
            format_func=lambda n: ARCHITECTURES[n].title,
            key="tune_architecture_one",
        )
        encoders = list(ENCODERS)
        encoder = two.selectbox(
            "Encoder",
            encoders,
            index=encoders.index(ModelConfig().encoder),
            format_func=lambda n: ENCODERS[n].title,
            key="tune_encoder_one",
        )
        weights = three.selectbox(
            "Encoder weights",
            ["imagenet", "none"],
            index=0 if ENCODERS[encoder].imagenet else 1,
            format_func={"imagenet": "ImageNet (downloaded once)", "none": "Random"}.__getitem__,
            key=f"tune_weights_{encoder}",
        )
        batch = four.number_input(
            "Batch size",
            1,
            4096,
            RecipeConfig().batch_size,
            key="tune_batch_one",
            help="Images a step.",
        )
        stride = ModelConfig(architecture, encoder, "none").stride
        rows, columns = dataset.samples[0].height, dataset.samples[0].width
        start_size = [
            max(stride, round(side * min(1.0, 256 / rows) / stride) * stride)
            for side in (rows, columns)
        ]
        height = one.number_input(
            "Height",
            stride,
            8192,
            start_size[0],
            step=stride,
            key=f"tune_height_{stride}",
            help="Images are resized to this many rows.",
        )
        width = two.number_input(
            "Width",
            stride,
            8192,
            start_size[1],
            step=stride,
            key=f"tune_width_{stride}",
            help="Images are resized to this many columns.",
        )
        device = three.selectbox(
            "Device", ["auto", *session.workspace().queue.device_choices()], key="tune_device"
        )
    return TrainConfig(
        name,
        ModelConfig(architecture, encoder, weights),
        RecipeConfig(epochs=epochs, batch_size=int(batch)),
        (int(height), int(width)),
        device=device,
    )


def _space(dataset: Dataset, preset: str) -> SearchSpace:
    """Draw the choices of each setting, first as the preset has them."""
    given = PRESETS[preset]
    plans, maps = ["", *dataset.plans()], ["", *dataset.label_maps()]
    options: dict[str, list[Any]] = {
        name: list(values)
        for name, one in searchable().items()
        if isinstance(values := searched_by_default(one), tuple) and values
    }
    options |= {
        name: found
        for name, found in (("balance_plan", plans), ("label_map", maps))
        if len(found) > 1
    }
    chosen: dict[str, Any] = {}
    with st.expander("What is varied, one by one", icon=":material/tune:"):
        st.caption(
            "A setting is varied where it has two choices or more; an empty one stays as it is."
        )
        columns = st.columns(2, gap="large")
        with columns[0]:
            if st.toggle(
                "Vary the learning rate",
                "learning_rate" in given.ranges,
                key=f"tune_vary_rate_{preset}",
            ):
                span = given.ranges.get("learning_rate", Range(1e-4, 1e-2))
                low, high = st.select_slider(
                    "Learning rate from, to",
                    RATES,
                    (span.low, span.high),
                    key=f"tune_rate_{preset}",
                    format_func=lambda r: f"{r:g}",
                )
                chosen["learning_rate"] = Range(float(low), float(high)) if low < high else None
        for place, (name, offered) in enumerate(options.items()):
            with columns[(place + 1) % 2]:
                chosen[name] = tuple(
                    st.multiselect(
                        setting(name),
                        offered,
                        default=list(given.choices.get(name, ())),
                        format_func=partial(choice, name),
                        key=f"tune_{name}_{preset}",
                        placeholder="as it is",
                    )
                )
    if len(chosen.get("label_map", ())) > 1:
        st.warning(
            (
                "Label maps change what is scored: mean IoU over fewer classes is no like for "
                "like, and the study will lean to them."
            ),
            icon=":material/warning:",
        )
    return SearchSpace(**chosen)


def _search(base: TrainConfig, space: SearchSpace, trials: int) -> TuneConfig:
    """Draw who proposes and who gives up."""
    usual = TuneConfig(base.dataset, base, space)
    with st.expander("How it searches", icon=":material/travel_explore:"):
        one, two, three = st.columns(3, gap="large")
        with one:
            sampler = st.selectbox(
                "Proposals",
                list(SAMPLERS),
                format_func=lambda n: SAMPLERS[n].title,
                key="tune_sampler",
            )
            st.caption(SAMPLERS[sampler].summary)
            from_base = st.toggle(
                "Try what stays the same first",
                usual.from_base,
                key="tune_from_base",
                help="The study then says how much it gained.",
            )
        with two:
            pruner = st.selectbox(
                "End poor trials",
                list(PRUNERS),
                index=list(PRUNERS).index(usual.pruner),
                format_func=lambda n: PRUNERS[n].title,
                key="tune_pruner",
            )
            st.caption(PRUNERS[pruner].summary)
            grace = st.number_input("Not before epoch", 1, 100_000, usual.grace, key="tune_grace")
        with three:
            parallel = st.number_input(
                "Trials at a time",
                0,
                1000,
                usual.parallel,
                key="tune_parallel",
                help="0: one a GPU, at least one. The queue gives each its device.",
            )
            seed = st.number_input(
                "Seed of the proposals", 0, 2**32 - 1, usual.seed, key="tune_seed"
            )
    return dataclasses.replace(
        usual,
        trials=trials,
        sampler=sampler,
        pruner=pruner,
        grace=int(grace),
        parallel=int(parallel),
        from_base=from_base,
        seed=int(seed),
    )


def _say(config: TuneConfig) -> None:
    """Say in a line what was asked for."""
    varied = ", ".join(setting(name).lower() for name in config.space.names)
    grid = config.space.size
    known = f"{grid:,} settings on a grid" if config.space.ranges else f"{grid:,} settings in all"
    counted = min(config.planned, 10_000)
    st.caption(
        f"{counted} trials of at most {config.base.recipe.epochs} epochs vary {varied} ({known}). "
        f"Judged by mean IoU on the split *{config.base.validation_split}*; the test split "
        "is never looked at."
    )
