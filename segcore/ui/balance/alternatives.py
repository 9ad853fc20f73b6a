"""What helps where oversampling cannot: class weights, class-centred crops, other strategies."""

from collections.abc import Mapping

import streamlit as st

from segcore.catalog import AUGMENTATIONS, CLASS_WEIGHTS
from segcore.data.augmentation.transforms import PRESETS
from segcore.data.balance.class_weights import RULES, class_weights
from segcore.data.balance.crop_shares import CropShares, balanced_from
from segcore.data.dataset.dataset import Dataset
from segcore.data.statistics.statistics import ClassStatistics
from segcore.ui.shared import session, tables
from segcore.ui.shared.charts.classes import before_after
from segcore.ui.shared.dataset_scans import measured, table_behind


def show(dataset: Dataset, part: ClassStatistics, split: str, name: str) -> None:
    """Draw the two remedies.

    Args:
        dataset: The dataset.
        part: Counts of the split that is used for training.
        split: That split.
        name: Start of the names of files to download.
    """
    weights, crops = st.columns([7, 5], gap="large")
    with weights:
        st.markdown("**Class weights in the loss**")
        st.caption(
            "Errors on rare classes cost more; no image is repeated. Choose it on the Train "
            "page as class weights."
        )
        _weights_table(weight_rows(part), name)
    with crops:
        st.markdown("**Class-centred crops**")
        _about_crops(part)
        _measured_crops(dataset, split, part.label_set.class_names, name)


def weight_rows(part: ClassStatistics) -> list[tables.Row]:
    """Return a row for each class with its weight under each rule, as training uses them.

    Args:
        part: Counts of the split that is used for training.
    """
    by_title = {
        CLASS_WEIGHTS[rule].title: class_weights(part.counts, rule, normalise=True)
        for rule in RULES
    }
    return [
        {"class": n, **{title: round(float(w[c]), 4) for title, w in by_title.items()}}
        for c, n in enumerate(part.label_set.class_names)
    ]


def _weights_table(rows: list[tables.Row], name: str) -> None:
    tables.draw(
        rows,
        column_config={
            CLASS_WEIGHTS[rule].title: st.column_config.NumberColumn(
                format="%.2f", help=CLASS_WEIGHTS[rule].summary
            )
            for rule in RULES
        },
        alt=(
            "Class weights by rule, as training uses them; they average 1 over the classes that "
            "occur"
        ),
    )
    tables.download_csv(rows, f"{name}-class-weights", "csv_weights")


def _about_crops(part: ClassStatistics) -> None:
    """Say what class-centred crops do, which augmentation makes them, and who gains most."""
    presets = [AUGMENTATIONS[p].title for p in PRESETS if "class_crop" in PRESETS[p]]
    st.markdown(
        "A small crop centred on a class leaves out most frequent pixels, so it changes the "
        "pixel frequencies where repeating whole images cannot; a large one hardly does. Every "
        "class is equally likely to be the centre."
    )
    st.caption(
        f"Augmentation preset that cuts such crops: {' or '.join(presets)}. Choose it on the "
        "Train page and preview it below."
    )
    rare = rarest(part)
    if rare:
        st.markdown(
            "Rarest classes in this split: " + ", ".join(session.plain(n) for n in rare) + "."
        )


def rarest(part: ClassStatistics, count: int = 3) -> list[str]:
    """Return the names of the classes with the fewest pixels, of those that occur at all."""
    names = part.label_set.class_names
    return [names[c] for c in part.pixels.argsort(kind="stable") if part.pixels[c]][:count]


def _measured_crops(dataset: Dataset, split: str, names: list[str], name: str) -> None:
    """Measure on the masks what crops do to the pixel frequencies, and draw it."""
    crops = measured(
        "crops",
        dataset,
        split,
        lambda progress: session.workspace().splits.crops(dataset.name, split, progress),
        "Measure crops",
    )
    if crops is None:
        return
    reached = {share: shares.distances() for share, shares in crops.items()}
    whole = crops[0.5].whole.tolist()
    st.markdown(
        f"Measured on {crops[0.5].masks:,} masks with four crops each. Pixel imbalance "
        f"of whole images: **{reached[0.5]['whole']:.3f}**. {crops_verdict(crops)}"
    )
    rows = [
        {
            "crop side": f"1/{round(1 / share)}",
            "anywhere": d["anywhere"],
            "class-centred": d["round_class"],
        }
        for share, d in reached.items()
    ]
    tables.draw(
        rows,
        column_config={
            "crop side": st.column_config.TextColumn(help="Relative to the image side."),
            "anywhere": st.column_config.NumberColumn(
                format="%.3f", help="Pixel imbalance of crops taken anywhere."
            ),
            "class-centred": st.column_config.NumberColumn(
                format="%.3f",
                help="Pixel imbalance of crops around a pixel of a randomly drawn class.",
            ),
        },
        alt="Pixel imbalance by size and kind of crop",
    )
    small = {
        f"crops of 1/{round(1 / share)}": crops[share].round_class.tolist()
        for share in (0.25, 0.125)
    }
    series = {"whole images": whole, **small}
    figure = before_after(names, series)
    st.plotly_chart(
        figure,
        key="windows",
        config=session.CHART,
        alt="Pixel frequencies in class-centred crops",
    )
    table_behind(
        [
            {"class": n, **{k: round(v[c], 6) for k, v in series.items()}}
            for c, n in enumerate(names)
        ],
        f"{name}-windows",
    )


def crops_verdict(crops: Mapping[float, CropShares]) -> str:
    """Say from which size on class-centred crops balance the pixels, as measured.

    Args:
        crops: Shares by side of the crop over that of the image.
    """
    side = balanced_from(crops)
    if side is None:
        smallest = round(1 / min(crops))
        return (
            f"Not even crops of 1/{smallest} of a side balance the pixels here: weight the classes."
        )
    return (
        f"Class-centred crops of 1/{round(1 / side)} of a side or less are better balanced than "
        "whole images and than crops anywhere."
    )


def rules(rows: list[tables.Row], name: str) -> None:
    """Draw what other rules for repeating images reach.

    Args:
        rows: As ``balance_form.compare_rules`` returns them.
        name: Start of the names of files to download.
    """
    st.markdown("**Oversampling strategies**")
    st.caption(
        "Each with its usual amount, under the same target and limit. LVIS and ML-ROS "
        "look at image counts only, never at pixels."
    )
    tables.draw(
        rows,
        column_config={
            "after": st.column_config.NumberColumn(
                "imbalance after",
                format="%.3f",
                help="Imbalance against the target with the copies. Lower is better.",
            ),
            "effective sample size": st.column_config.NumberColumn(
                format="%.0f", help="(sum of repeats)² / sum of squares (Kish, 1965)."
            ),
        },
        alt="Oversampling strategies and the imbalance that each reaches",
    )
    tables.download_csv(rows, f"{name}-rules", "csv_rules")
