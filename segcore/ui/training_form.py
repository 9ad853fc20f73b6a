"""The form that says what shall learn: made from the tables of the catalogue."""

import dataclasses
import shlex

import streamlit as st

from segcore.catalog import ARCHITECTURES, AUGMENTATIONS, CLASS_WEIGHTS, ENCODERS, LOSSES, MEMBERS_BY, OPTIMIZERS, PRECISIONS, SCHEDULES
from segcore.config import ModelConfig, TrainConfig
from segcore.errors import SegcoreError
from segcore.ui import starting, state
from segcore.ui.device_choice import pick_device
from segcore.ui.network_choice import choose_size, choose_weights
from segcore.ui.training_details import details, pick


def form(dataset: str) -> tuple[TrainConfig | None, int]:
    """Draw the form and return the config and the number of members; None where a choice is refused (the reason is shown)."""
    opened = state.workspace().datasets.open(dataset)
    begun = starting.begun() or TrainConfig(dataset)
    model, recipe, key = begun.model, begun.recipe, starting.key
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
            "Encoder", ENCODERS, model.encoder, key("encoder"), "The part that reads the image; it may begin with trained weights."
        )
    with middle:
        weights = choose_weights(encoder, model)
        height, width = choose_size(opened.samples[0].height, opened.samples[0].width, architecture, encoder)
    with right:
        epochs = st.number_input(
            "Epochs", 1, 100_000, recipe.epochs, help="Passes over the training split; early stopping may end sooner.", key=key("epochs")
        )
        members, members_by = _members(begun)
    with st.expander("Recipe, splits and device", icon=":material/tune:"):
        one, two, three = st.columns(3, gap="large")
        with one:
            loss = pick("Loss", LOSSES, recipe.loss, key("loss"), "What training makes small; ignored pixels never count.")
            class_weights = pick(
                "Class weights", CLASS_WEIGHTS, recipe.class_weights, key("class_weights"), "How much the loss heeds each class."
            )
            augmentation = pick(
                "Augmentation",
                AUGMENTATIONS,
                recipe.augmentation,
                key("augmentation"),
                "Random changes to image and mask alike, drawn anew each epoch.",
            )
            batch_size = st.number_input("Batch size", 1, 4096, recipe.batch_size, help="Images a step.", key=key("batch_size"))
        with two:
            optimizer = pick("Optimizer", OPTIMIZERS, recipe.optimizer, key("optimizer"), "How a gradient becomes a step.")
            schedule = pick(
                "Learning-rate schedule", SCHEDULES, recipe.schedule, key("schedule"), "How the learning rate changes over the epochs."
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
                "Warm-up epochs", 0.0, 1000.0, recipe.warmup_epochs, help="The learning rate first climbs from 0.", key=key("warmup")
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
                help="The split that is scored after each epoch; the weights of the best one are kept. None: the training images choose.",
            )
        with three:
            maps = ["", *opened.label_maps()]
            label_map = st.selectbox(
                "Label map",
                maps,
                index=_index(maps, begun.label_map),
                format_func=lambda m: m or "none",
                key=key("label_map"),
                bind="query-params" if starting.is_default() else None,
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
            "Members", 1, 100, 1, help="Runs started together; their mean probability is an ensemble.", key=starting.key("members")
        )
    with two:
        told = " ".join(f"{entry.title}: {entry.summary}" for entry in MEMBERS_BY.values())
        names = list(MEMBERS_BY)
        chosen = st.selectbox(
            "Differ by",
            names,
            names.index(begun.members_by),
            lambda name: MEMBERS_BY[name].title,
            key=starting.key("members_by"),
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
        st.markdown("This data set came without splits. Training needs at least **train**, and **validation** to choose the best epoch.")
        one, two, three = st.columns(3)
        method = one.selectbox("Method", ["stratified", "random", "grouped"], help="Grouped keeps the samples of one folder together.")
        validation = two.number_input("Validation, %", 0, 45, 15, help="Share of the samples that chooses the best epoch.")
        test = three.number_input("Test, %", 0, 45, 15, help="Share of the samples that is kept for the final scores.")
        if st.button("Make splits", type="primary"):
            fractions = {"train": 1 - (validation + test) / 100, "validation": validation / 100, "test": test / 100}
            with state.errors_shown():
                state.workspace().datasets.make_splits(dataset, method, fractions, 0)
            st.rerun()


def command_line(config: TrainConfig, members: int) -> str:
    """Return the shell command that starts the same runs."""
    options = {
        **dataclasses.asdict(config.model),
        "size": f"{config.size[0]}x{config.size[1]}",
        **dataclasses.asdict(config.recipe),
        "train_split": config.train_split,
        "validation_split": config.validation_split,
        "label_map": config.label_map,
        "balance_plan": config.balance_plan,
        "device": config.device,
        "hosts": ",".join(config.hosts),
        "submodels": "" if config.group else config.submodels,  # of a launched part it would ask for parts of a part
        "seed": config.seed,
        "members": members,
        "members_by": config.members_by,
        "deterministic": config.deterministic,
    }
    words = ["python", "-m", "segcore", "train", config.dataset]
    for name, value in options.items():
        option = f"--{name.replace('_', '-')}"
        if value is True:
            words += [option]
        elif value is not False and (value != "" or name == "validation_split"):
            words += [option, str(value)]
    return shlex.join(words)
