"""The part of the training form that is folded away: preprocessing, fine-tuning, evaluation, speed, several machines."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from segcore.catalog import BATCH_NORMS, PREPROCESSING, SUBMODEL_RULES, Choice
from segcore.config import TrainConfig
from segcore.ui.train.presets import key as keyed


@dataclass(frozen=True)
class Details:
    """What was chosen.

    Attributes:
        preprocessing: For :class:`ModelConfig`.
        recipe: Keywords for :class:`RecipeConfig`.
        run: Keywords for :class:`TrainConfig`.
    """

    preprocessing: str
    recipe: dict[str, Any]
    run: dict[str, Any]


def pick(label: str, table: Mapping[str, Choice], default: str, key: str, help: str) -> str:
    """Draw a select box over a table of the catalogue, with the chosen entry's one-line explanation below it."""
    names = list(dict.fromkeys([*table, default]))  # a sum of losses stands in no table
    chosen = st.selectbox(
        label,
        names,
        index=names.index(default),
        format_func=lambda n: table[n].title if n in table else n,
        key=key,
        help=help,
    )
    if chosen not in table:
        return str(chosen)
    entry = table[chosen]
    st.caption(entry.summary + (f" ({entry.paper})" if entry.paper else ""))
    return str(chosen)


def details(weights: str, begun: TrainConfig) -> Details:
    """Draw the details, folded away; their defaults change nothing.

    Args:
        weights: The encoder's weights as chosen; freezing is offered for trained ones.
        begun: What the form begins with.
    """
    recipe: dict[str, Any] = {}
    usual = begun.recipe
    with st.expander("Fine-tuning, evaluation, speed", icon=":material/settings:"):
        one, two, three = st.columns(3, gap="large")
        with one:
            preprocessing = pick(
                "Preprocessing",
                PREPROCESSING,
                begun.model.preprocessing,
                keyed("preprocessing"),
                (
                    "What is done to each image before the network sees it, here and wherever "
                    "it is used."
                ),
            )
            recipe["freeze_epochs"] = int(
                st.number_input(
                    "Frozen epochs",
                    0,
                    100_000,
                    usual.freeze_epochs,
                    disabled=weights == "none",
                    help=(
                        "First epochs that leave a trained encoder as it is: the new decoder "
                        "cannot spoil it. Then all is tuned."
                    ),
                    key=keyed("freeze_epochs"),
                )
            )
            recipe["cut_mix"] = float(
                st.number_input(
                    "CutMix",
                    0.0,
                    1.0,
                    usual.cut_mix,
                    step=0.1,
                    help="Share of images that get a rectangle of another.",
                    key=keyed("cut_mix"),
                )
            )
        with two:
            recipe["batch_norm"] = pick(
                "Batch normalisation",
                BATCH_NORMS,
                usual.batch_norm,
                keyed("batch_norm"),
                "Where evaluation takes the means of batch normalisation from.",
            )
            recipe["monitor"] = st.selectbox(
                "Best epoch by",
                ["mean_iou", "loss"],
                index=["mean_iou", "loss"].index(usual.monitor),
                format_func={"mean_iou": "mean IoU", "loss": "loss"}.__getitem__,
                key=keyed("monitor"),
                help=(
                    "The validation score that chooses the epoch whose weights are kept, and "
                    "that patience watches."
                ),
            )
            recipe["average"] = float(
                st.number_input(
                    "Averaged weights",
                    0.0,
                    0.99999,
                    usual.average,
                    format="%.4f",
                    help="Momentum of a running average; 0 for none.",
                    key=keyed("average"),
                )
            )
        with three:
            recipe["clip_norm"] = float(
                st.number_input(
                    "Largest gradient norm",
                    0.0,
                    1e6,
                    usual.clip_norm,
                    help="Longer gradients are shortened; 0 never clips.",
                    key=keyed("clip_norm"),
                )
            )
            recipe["weight_decay"] = float(
                st.number_input(
                    "Weight decay",
                    0.0,
                    10.0,
                    usual.weight_decay,
                    format="%.5f",
                    help="Of AdamW; the others have none.",
                    key=keyed("weight_decay"),
                )
            )
            recipe["jit"] = st.toggle(
                "Compile with XLA",
                usual.jit,
                help="May pay on a GPU, after a longer first step. On a CPU it is seldom faster.",
                key=keyed("jit"),
            )
            deterministic = st.toggle(
                "Repeat bit for bit",
                begun.deterministic,
                key=keyed("deterministic"),
                help=(
                    "The same seed gives the same weights on the same machine, interrupted or "
                    "not; slower on a GPU."
                ),
            )
        with two:
            hosts = st.text_input(
                "Several machines",
                ", ".join(begun.hosts),
                key=keyed("hosts"),
                placeholder="10.0.0.5:2222, 10.0.0.6:2222",
                help=(
                    "Addresses with ports, this machine first; all see the workspace under one "
                    "path. The log says what to start there."
                ),
            )
        with one:
            titles = {
                "": "One network for all labels",
                **{name: entry.title for name, entry in SUBMODEL_RULES.items()},
            }
            rules = list(titles)
            submodels = st.selectbox(
                "Submodels",
                rules,
                rules.index(begun.submodels),
                titles.__getitem__,
                key=keyed("submodels"),
                help=(
                    "One network for all labels, or one a group of the label map, combined "
                    "where they are scored."
                ),
            )
            st.caption(
                SUBMODEL_RULES[submodels].summary
                if submodels
                else "Or one network a group of the label map, one a class without a map."
            )
    listed = tuple(host.strip() for host in hosts.split(",") if host.strip())
    return Details(
        preprocessing,
        recipe,
        {"deterministic": deterministic, "hosts": listed, "submodels": submodels},
    )
