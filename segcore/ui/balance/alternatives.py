"""What helps where repeating whole images cannot: class weights in the loss, windows round rare classes; and what other rules reach."""

from typing import Any

import streamlit as st

from segcore.catalog import AUGMENTATIONS, CLASS_WEIGHTS
from segcore.data.augmentation.transforms import PRESETS
from segcore.data.balance.class_weights import RULES, class_weights
from segcore.data.dataset.dataset import Dataset
from segcore.data.statistics.statistics import ClassStatistics
from segcore.ui.shared import charts, session, tables
from segcore.ui.shared.dataset_scans import measured, table_behind


def show(dataset: Dataset, part: ClassStatistics, split: str, name: str) -> None:
    """Draw the two remedies.

    Args:
        dataset: The dataset.
        part: Counts of the split that is learned from.
        split: That split.
        name: Start of the names of files to download.
    """
    weights, windows = st.columns(2, gap="large")
    names = part.label_set.class_names
    with weights:
        st.markdown("**Class weights in the loss**")
        st.caption(
            "Errors on rare classes cost more; no image is repeated. Chosen on the train "
            "page under Recipe, as Class weights."
        )
        by_title = {
            CLASS_WEIGHTS[rule].title: class_weights(part.counts, rule, normalise=True)
            for rule in RULES
        }
        rows = [
            {"class": n, **{title: round(float(w[c]), 4) for title, w in by_title.items()}}
            for c, n in enumerate(names)
        ]
        tables.draw(
            rows,
            column_config={
                CLASS_WEIGHTS[rule].title: st.column_config.NumberColumn(
                    format="%.2f", help=CLASS_WEIGHTS[rule].summary
                )
                for rule in RULES
            },
            alt=(
                "Class weights by rule, 1 on average over the classes that occur, as training "
                "takes them"
            ),
        )
        data = session.csv_bytes(rows)
        st.download_button(
            "Download CSV",
            data,
            f"{name}-class-weights.csv",
            "text/csv",
            key="csv_weights",
            icon=":material/download:",
        )
    with windows:
        st.markdown("**Windows round rare classes**")
        presets = [AUGMENTATIONS[p].title for p in PRESETS if "class_crop" in PRESETS[p]]
        st.markdown(
            "A window that is cut round a class leaves most of the frequent ones out, so "
            "it changes the shares of the pixels where a "
            "repeated whole image cannot. Every class is as likely to be the centre."
        )
        st.caption(
            f"The augmentation {' and '.join(presets)} cuts such windows; choose it on the "
            "train page and look at it below."
        )
        rare = [names[c] for c in part.pixels.argsort()[:3] if part.pixels[c]]
        st.markdown("Rarest here: " + ", ".join(session.plain(n) for n in rare) + ".")
        _windows(dataset, split, names, name)


def _windows(dataset: Dataset, split: str, names: list[str], name: str) -> None:
    """Measure on the masks what windows do to the shares of the pixels."""
    found = measured(
        "crops",
        dataset,
        split,
        lambda progress: session.workspace().splits.crops(dataset.name, split, progress),
        "Measure windows",
    )
    if found is None:
        return
    reached = {share: shares.distances() for share, shares in found.items()}
    whole = found[0.5].whole.tolist()
    st.markdown(
        f"Measured on {found[0.5].masks:,} masks, four windows each: the distance of the "
        "pixels from equal shares is "
        f"**{reached[0.5]['whole']:.4f}** in whole images. The smaller the window, the "
        "more a class at its centre weighs."
    )
    rows = [
        {
            "side of the window": f"1/{round(1 / share)}",
            "anywhere": d["anywhere"],
            "round a class": d["round_class"],
        }
        for share, d in reached.items()
    ]
    tables.draw(
        rows,
        column_config={
            "side of the window": st.column_config.TextColumn(help="Over the side of the image."),
            "anywhere": st.column_config.NumberColumn(
                format="%.4f", help="Distance from equal shares in windows cut anywhere."
            ),
            "round a class": st.column_config.NumberColumn(
                format="%.4f", help="In windows round a pixel of a class drawn by lot."
            ),
        },
        alt="Distance of the pixels from equal shares by size and kind of window",
    )
    small = {
        f"windows of 1/{round(1 / share)}": found[share].round_class.tolist()
        for share in (0.25, 0.125)
    }
    series = {"whole images": whole, **small}
    figure = charts.before_after(names, series)
    st.plotly_chart(
        figure,
        key="windows",
        config=session.CHART,
        alt="Shares of the pixels in windows round classes",
    )
    table_behind(
        [
            {"class": n, **{k: round(v[c], 6) for k, v in series.items()}}
            for c, n in enumerate(names)
        ],
        f"{name}-windows",
    )


def rules(rows: list[dict[str, Any]], name: str) -> None:
    """Draw what other rules for repeating images reach.

    Args:
        rows: As ``balance_form.compare_rules`` returns them.
        name: Start of the names of files to download.
    """
    st.markdown("**Rules for repeating images**")
    st.caption(
        "With their usual amounts, under the same target and cap. LVIS and ML-ROS look at "
        "images only, never at pixels."
    )
    tables.draw(
        rows,
        column_config={
            "after": st.column_config.NumberColumn(
                "distance after", format="%.4f", help="Distance from the target with the copies."
            ),
            "effective sample size": st.column_config.NumberColumn(
                format="%.0f", help="(sum of repeats)² / sum of squares (Kish, 1965)."
            ),
        },
        alt="Rules for repeating images, and the distance that each reaches",
    )
    data = session.csv_bytes(rows)
    st.download_button(
        "Download CSV",
        data,
        f"{name}-rules.csv",
        "text/csv",
        key="csv_rules",
        icon=":material/download:",
    )
