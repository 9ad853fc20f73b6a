"""The training form: one field for each declared field of a training config."""

from typing import Any

import streamlit as st

from segcore.catalog import ALL_ENCODERS
from segcore.catalog.hub import is_class, is_hub
from segcore.config import ModelConfig, TrainConfig
from segcore.config.schema import Setting, settings
from segcore.config.training import MAX_SIZE
from segcore.config.tuning import trial_config
from segcore.data.splits.splits import METHODS
from segcore.errors import SegcoreError
from segcore.ui.shared import session
from segcore.ui.train import presets
from segcore.ui.train.device_choice import pick_device, pick_engine
from segcore.ui.train.fields import draw, kept, matches, note

FIELDS = settings(TrainConfig)
COLUMNS = {"training": 2, "advanced": 2}
WEIGHTS = {
    "imagenet": "ImageNet",
    "preset": "Published preset",
    "none": "Random",
    "file": "From a file",
}
DOWNLOADS = {"imagenet": "Downloaded once by Keras.", "preset": "Downloaded once by KerasHub."}


def form(dataset: str) -> tuple[TrainConfig | None, int, str]:
    """Draw the form.

    Args:
        dataset: Name of the dataset.

    Returns:
        The config, None where a value is refused; the ensemble size; and why it is refused.
    """
    opened = session.workspace().datasets.open(dataset)
    names = {
        "splits": [split for split in opened.splits if split],
        "label_maps": list(opened.label_maps()),
        "plans": list(opened.plans()),
    }
    values: dict[str, Any] = {}
    with st.container(border=True, key="train_model"):
        members = _model(dataset, values)
    begun = presets.begun()
    chosen = bool(begun.label_map or begun.balance_plan)  # what a link brought is in view
    with st.expander("Optimization, data and device", chosen, icon=":material/tune:"):
        _section("training", values, names)
        values["engine"] = pick_engine(FIELDS["engine"])
        values["device"] = pick_device(begun.device, values["engine"])
    with st.expander("Advanced", icon=":material/settings:"):
        found = st.text_input(
            "Search settings",
            key="train_search",
            type="search",
            placeholder="title, help or flag",
            help="Shows the settings with this text in their title, help or flag; the others keep their values.",
            live=True,
            icon=":material/search:",
        )
        _section("advanced", values, names, found or "")
    try:
        config = trial_config(begun, values)
    except SegcoreError as error:
        return None, members, str(error)
    presets.keep(config, members)
    return config, members, ""


def _section(
    section: str, values: dict[str, Any], names: dict[str, list[str]], found: str = ""
) -> None:
    """Draw the fields of a section that match a search, in columns, in the order declared.

    Those that do not match keep their values.
    """
    whole = [one for one in FIELDS.values() if one.option.section == section]
    fields = [one for one in whole if matches(one, found)]
    if not fields:
        st.caption(f"No setting matches {session.plain(found)}.")
    values |= {one.name: kept(one) for one in whole if one not in fields}
    count = COLUMNS[section]
    columns = st.columns(count, gap="large")
    for number, one in enumerate(fields):
        with columns[number % count]:
            frozen = one.name == "freeze_epochs" and values["weights"] == "none"
            values[one.name] = draw(one, names.get(one.option.names_of, ()), disabled=frozen)


def _model(dataset: str, values: dict[str, Any]) -> int:
    """Draw architecture, encoder, weights, size, epochs and the ensemble; return its size."""
    left, right = st.columns(2, gap="large")
    with left:
        values["architecture"] = draw(FIELDS["architecture"])
        values["weights"] = ""  # drawn next to the encoder that it belongs to
        values["epochs"] = draw(FIELDS["epochs"])
    with right:
        values["encoder"] = draw(FIELDS["encoder"])
        values["weights"] = choose_weights(FIELDS["weights"], values["encoder"])
    model = ModelConfig(values["architecture"], values["encoder"], "none")
    with left:
        values["size"] = choose_size(_sizes(dataset), model.stride)
    with right:
        members = _members(values)
    extra = [
        one for one in FIELDS.values() if one.option.section == "model" and one.name not in values
    ]
    for one in extra:
        values[one.name] = draw(one)
    return members


def _members(values: dict[str, Any]) -> int:
    """Draw the ensemble's size and what its members differ in."""
    one, two = st.columns(2)
    with one:
        members = int(
            st.number_input(
                "Ensemble size",
                value=presets.members(),
                step=1,
                help="Models trained together; their averaged probabilities are an ensemble.",
                key=presets.key("members"),
            )
        )
        if not 1 <= members <= 100:
            st.caption(":red[:material/error: Enter 1 to 100.]")
    with two:
        chosen = draw(FIELDS["members_by"], disabled=members < 2)
    values["members_by"] = chosen if members > 1 else "seed"
    return members


def choose_weights(one: Setting, encoder: str) -> str:
    """Draw what the encoder starts from; return "imagenet", "preset", "none" or a path."""
    options = (["imagenet"] if ALL_ENCODERS[encoder].imagenet else []) + ["none", "file"]
    if is_hub(encoder):
        options = ["file"] if is_class(encoder) else ["preset", *options]
    begun = presets.begun().model
    file = begun.weights if begun.weights not in WEIGHTS and begun.encoder == encoder else ""
    start = "file" if file else begun.weights
    chosen = str(
        st.selectbox(
            one.option.title,
            options,
            options.index(start) if start in options else 0,
            WEIGHTS.__getitem__,
            key=presets.key(f"weights_{encoder}"),
            help=one.option.help,
        )
    )
    note(one, chosen, DOWNLOADS.get(chosen, ""))
    if chosen != "file":
        return chosen
    path = st.text_input(
        "Weights file",
        file,
        placeholder="/weights/encoder.npz",
        help="A path on this machine: .npz (layer/variable arrays), .keras, .weights.h5, .h5, "
        ".safetensors, .pth or .pt. Of KerasHub's encoders also a preset folder.",
        key=presets.key(f"weights_file_{encoder}"),
    )
    if not path:
        st.caption(":orange[:material/warning:] No file yet: random weights until then.")
    return path or "none"


def _sizes(dataset: str) -> str:
    """Say which sizes the images have, and at which they are scored."""
    launch = session.workspace().launch
    median, extremes = launch.image_size(dataset), launch.image_range(dataset)
    low, high, middle = (f"{height} x {width}" for height, width in (*extremes, median))
    if low == high:
        return f"Images: {low} (height x width); scored at that size."
    return f"Images: {low} to {high} (height x width), median {middle}; each is scored at its own size."


def choose_size(images: str, stride: int) -> tuple[int, int]:
    """Draw height and width; they begin with the form's size if the model's stride allows it.

    Args:
        images: Which sizes the images have, in a sentence.
        stride: Height and width must be multiples of this.
    """
    begun = presets.begun().size
    if any(side % stride for side in begun):
        height, width = (max(stride, round(side / stride) * stride) for side in begun)
        begun = (height, width)
    sides = []
    for column, title, side in zip(st.columns(2), ("Height", "Width"), begun, strict=True):
        with column:
            sides.append(
                int(
                    st.number_input(
                        title,
                        value=side,
                        step=stride,
                        help=f"Training size in pixels, a multiple of {stride}.",
                        key=presets.key(f"{title.lower()}_{stride}"),
                    )
                )
            )
    if any(side % stride or not stride <= side <= MAX_SIZE for side in sides):
        st.caption(f":red[:material/error: Enter multiples of {stride}, {stride} to {MAX_SIZE:,}.]")
    size = (sides[0], sides[1])
    note(FIELDS["size"], size, images)
    return size


def offer_splits(dataset: str) -> None:
    """Say that splits are missing and create them on request."""
    with st.container(border=True):
        st.markdown(
            "This dataset has no splits. Training needs **train**, and **validation** to select "
            "the best epoch."
        )
        one, two, three = st.columns(3)
        with session.errors_shown():
            suited = session.workspace().datasets.split_choice(dataset).method
        methods = [method for method in METHODS if method != "blocks" or suited == "blocks"]
        method = one.selectbox(
            "Method",
            methods,
            methods.index(suited),
            help="Grouped keeps related images, such as those of one folder, in one split.",
        )
        validation = two.number_input(
            "Validation, %", 0, 45, 15, help="Percentage of the images for validation."
        )
        test = three.number_input("Test, %", 0, 45, 15, help="Percentage of the images for test.")
        if st.button("Create splits", type="primary"):
            fractions = {
                "train": 1 - (validation + test) / 100,
                "validation": validation / 100,
                "test": test / 100,
            }
            with session.errors_shown():
                made = session.workspace().datasets.make_splits(dataset, method, fractions, 0)
            if made.warning:
                st.toast(session.plain(made.warning), icon=":material/warning:")
            st.rerun()
