"""The form that says what shall learn: made from the tables of the catalogue.

Two choices about the network that depend on its encoder: the weights it begins with, and the size
of its input.
"""

import dataclasses

import streamlit as st

from segcore.catalog import (
    ARCHITECTURES,
    AUGMENTATIONS,
    CLASS_WEIGHTS,
    ENCODERS,
    LOSSES,
    MEMBERS_BY,
    OPTIMIZERS,
    PRECISIONS,
    SCHEDULES,
)
from segcore.config import ModelConfig, TrainConfig
from segcore.errors import SegcoreError
from segcore.ui.shared import session
from segcore.ui.train import presets
from segcore.ui.train.advanced_form import details, pick
from segcore.ui.train.device_choice import pick_device


def form(dataset: str) -> tuple[TrainConfig | None, int]:
    """Draw the form and return the config and the number of members; None where a choice is refused (the reason is shown)."""
    opened = session.workspace().datasets.open(dataset)
    begun = presets.begun() or TrainConfig(dataset)
    model, recipe, key = begun.model, begun.recipe, presets.key
    left, middle, right = st.columns(3, gap="large")
    with left:
        architecture = pick(
            "Architecture",
            ARCHITECTURES,
            model.architecture,
            key("architecture"),
            "The whole network: how coarse features become a class for every pixel.",
        )
        encoder = pick(
            "Encoder",
            ENCODERS,
            model.encoder,
            key("encoder"),
            "The part that reads the image; it may begin with trained weights.",
        )
    with middle:
        weights = choose_weights(encoder, model)
        height, width = choose_size(
            opened.samples[0].height, opened.samples[0].width, architecture, encoder
        )
    with right:
        epochs = st.number_input(
            "Epochs",
            1,
            100_000,
            recipe.epochs,
            help="Passes over the training split; early stopping may end sooner.",
            key=key("epochs"),
        )
        members, members_by = _members(begun)
    with st.expander("Recipe, splits and device", icon=":material/tune:"):
        one, two, three = st.columns(3, gap="large")
        with one:
            loss = pick(
                "Loss",
                LOSSES,
                recipe.loss,
                key("loss"),
                "What training makes small; ignored pixels never count.",
            )
            class_weights = pick(
                "Class weights",
                CLASS_WEIGHTS,
                recipe.class_weights,
                key("class_weights"),
                "How much the loss heeds each class.",
            )
            augmentation = pick(
                "Augmentation",
                AUGMENTATIONS,
                recipe.augmentation,
                key("augmentation"),
                "Random changes to image and mask alike, drawn anew each epoch.",
            )
            batch_size = st.number_input(
                "Batch size",
                1,
                4096,
                recipe.batch_size,
                help="Images a step.",
                key=key("batch_size"),
            )
        with two:
            optimizer = pick(
                "Optimizer",
                OPTIMIZERS,
                recipe.optimizer,
                key("optimizer"),
                "How a gradient becomes a step.",
            )
            schedule = pick(
                "Learning-rate schedule",
                SCHEDULES,
                recipe.schedule,
                key("schedule"),
                "How the learning rate changes over the epochs.",
            )
            rate = st.number_input(
                "Learning rate",
                1e-8,
                10.0,
                recipe.learning_rate,
                format="%.6f",
                help="At the start; the schedule lowers it.",
                key=key("learning_rate"),
            )
        with three:
            warmup = st.number_input(
                "Warm-up epochs",
                0.0,
                1000.0,
                recipe.warmup_epochs,
                help="The learning rate first climbs from 0.",
                key=key("warmup"),
            )
            precision = pick(
                "Precision",
                PRECISIONS,
                recipe.precision,
                key("precision"),
                "The numbers that a step is computed in; weights stay in float32.",
            )
            patience = st.number_input(
                "Patience",
                0,
                100_000,
                recipe.patience,
                help="Epochs without a better validation mean IoU; 0: never stop.",
                key=key("patience"),
            )
            seed = st.number_input(
                "Seed",
                0,
                2**31 - 1,
                begun.seed,
                help="Draws first weights, order and augmentation; member m gets seed + m.",
                key=key("seed"),
            )
        splits = [s for s in opened.splits if s]
        with one:
            train_split = st.selectbox(
                "Learn from",
                splits,
                index=_index(splits, begun.train_split),
                key=key("train_split"),
                help="The split whose images are trained on.",
            )
        with two:
            choices = ["", *splits]
            validation = st.selectbox(
                "Choose the best epoch on",
                choices,
                index=_index(choices, begun.validation_split),
                format_func=lambda s: s or "none",
                key=key("validation_split"),
                help=(
                    "The split that is scored after each epoch; the weights of the best one "
                    "are kept. None: the training images choose."
                ),
            )
        with three:
            maps = ["", *opened.label_maps()]
            label_map = st.selectbox(
                "Label map",
                maps,
                index=_index(maps, begun.label_map),
                format_func=lambda m: m or "none",
                key=key("label_map"),
                bind="query-params" if presets.is_default() else None,
                help="Train with merged labels.",
            )
            plans = ["", *opened.plans()]
            plan = st.selectbox(
                "Balance plan",
                plans,
                index=_index(plans, begun.balance_plan),
                format_func=lambda p: p or "none",
                help="Repeat images that hold rare labels.",
                key=key("balance_plan"),
            )
        device = pick_device(begun.device)
    more = details(weights, begun)
    try:
        config = dataclasses.replace(
            begun,
            dataset=dataset,
            model=ModelConfig(architecture, encoder, weights, more.preprocessing),
            recipe=dataclasses.replace(
                recipe,
                loss=loss,
                optimizer=optimizer,
                learning_rate=float(rate),
                schedule=schedule,
                epochs=int(epochs),
                batch_size=int(batch_size),
                patience=int(patience),
                augmentation=augmentation,
                precision=precision,
                class_weights=class_weights,
                warmup_epochs=float(warmup),
                **more.recipe,
            ),
            size=(int(height), int(width)),
            train_split=train_split,
            validation_split=validation,
            seed=int(seed),
            device=device,
            label_map=label_map,
            balance_plan=plan,
            members_by=members_by,
            **more.run,
        )
    except SegcoreError as error:
        st.warning(str(error), icon=":material/warning:")
        return None, int(members)
    return config, int(members)


def _members(begun: TrainConfig) -> tuple[int, str]:
    """Draw how many runs are started and what tells them apart."""
    one, two = st.columns(2)
    with one:
        members = st.number_input(
            "Members",
            1,
            100,
            1,
            help="Runs started together; their mean probability is an ensemble.",
            key=presets.key("members"),
        )
    with two:
        told = " ".join(f"{entry.title}: {entry.summary}" for entry in MEMBERS_BY.values())
        names = list(MEMBERS_BY)
        chosen = st.selectbox(
            "Differ by",
            names,
            names.index(begun.members_by),
            lambda name: MEMBERS_BY[name].title,
            key=presets.key("members_by"),
            disabled=members < 2,
            help=f"What tells the members of an ensemble apart. {told}",
        )
    if members > 1:
        st.caption(MEMBERS_BY[chosen].summary)
    return int(members), chosen if members > 1 else "seed"


def _index(options: list[str], wanted: str) -> int:
    return options.index(wanted) if wanted in options else 0


def offer_splits(dataset: str) -> None:
    """Say that splits are missing and make them on request."""
    with st.container(border=True):
        st.markdown(
            "This dataset came without splits. Training needs at least **train**, and "
            "**validation** to choose the best epoch."
        )
        one, two, three = st.columns(3)
        method = one.selectbox(
            "Method",
            ["stratified", "random", "grouped"],
            help="Grouped keeps the samples of one folder together.",
        )
        validation = two.number_input(
            "Validation, %", 0, 45, 15, help="Share of the samples that chooses the best epoch."
        )
        test = three.number_input(
            "Test, %", 0, 45, 15, help="Share of the samples that is kept for the final scores."
        )
        if st.button("Make splits", type="primary"):
            fractions = {
                "train": 1 - (validation + test) / 100,
                "validation": validation / 100,
                "test": test / 100,
            }
            with session.errors_shown():
                session.workspace().datasets.make_splits(dataset, method, fractions, 0)
            st.rerun()


def choose_weights(encoder: str, begun: ModelConfig) -> str:
    """Draw what the encoder begins with; return "imagenet", "none" or the path of a file."""
    options = (["imagenet"] if ENCODERS[encoder].imagenet else []) + ["none", "file"]
    titles = {"imagenet": "ImageNet (downloaded once)", "none": "Random", "file": "From a file"}
    file = begun.weights if begun.weights not in titles and begun.encoder == encoder else ""
    start = "file" if file else begun.weights
    key = presets.key(f"weights_{encoder}")
    chosen = st.selectbox(
        "Encoder weights",
        options,
        index=options.index(start) if start in options else 0,
        format_func=lambda o: titles[o],
        key=key,
        help="What the encoder begins with; trained weights need fewer images and epochs.",
    )
    if chosen == "imagenet":
        st.caption(
            "Keras downloads them on first use. Without internet choose random weights, or a file."
        )
    if chosen != "file":
        return str(chosen)
    path = st.text_input(
        "Weights file",
        file,
        placeholder="/weights/encoder.npz",
        help="A path on this machine: .npz (layer/variable arrays), .keras, .weights.h5, Keras' "
        "older .h5, .safetensors, or PyTorch's "
        ".pth or .pt.",
        key=presets.key(f"weights_file_{encoder}"),
    )
    if not path:
        st.caption(
            ":orange[:material/warning:] No file is named yet: until then the encoder "
            "begins with random weights."
        )
    return path or "none"


def choose_size(rows: int, columns: int, architecture: str, encoder: str) -> tuple[int, int]:
    """Draw two number boxes, first set to the image's own size, at most 256 rows, rounded to what the network takes."""
    stride = ModelConfig(architecture, encoder, "none").stride
    scale = min(1.0, 256 / rows)
    start = [max(stride, round(side * scale / stride) * stride) for side in (rows, columns)]
    begun = presets.begun()
    if begun is not None and all(side % stride == 0 for side in begun.size):
        start = list(begun.size)
    sides = []
    for column, title, lines, side in zip(
        st.columns(2), ("Height", "Width"), ("rows", "columns"), start, strict=True
    ):
        told, key = (
            f"Images are resized to this many {lines}.",
            presets.key(f"{title.lower()}_{stride}"),
        )
        with column:
            sides.append(
                int(st.number_input(title, stride, 8192, side, step=stride, help=told, key=key))
            )
    st.caption(
        f"Multiples of {stride}. The images have {rows} x {columns} pixels; scores are "
        "taken at that size."
    )
    return sides[0], sides[1]
