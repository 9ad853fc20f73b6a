"""Shares of the classes by pixel and by image, and how uneven they are."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from segcore.data.statistics.imbalance import label_imbalance
from segcore.data.statistics.statistics import ClassFrequency, ClassStatistics, StatisticsSummary
from segcore.palette import background
from segcore.ui.shared import manual, session
from segcore.ui.shared.charts.classes import class_balance
from segcore.ui.shared.dataset_scans import table_behind


def show(statistics: ClassStatistics, summary: StatisticsSummary, name: str) -> None:
    """Draw the tab.

    Args:
        statistics: Counts of the chosen split.
        summary: Their summary.
        name: Start of the names of files to download.
    """
    label_set, classes = statistics.label_set, summary.classes
    drawn = list(range(label_set.num_classes))
    quiet = background(label_set.class_names)
    if quiet and st.toggle("Hide background", key="hide_background", persist_state="session"):
        drawn = [i for i in drawn if i not in quiet]
    names = [label_set.class_names[i] for i in drawn]
    colors = [session.hex_colors(label_set)[i] for i in drawn]
    by_pixel, by_image = st.columns(2, gap="large")
    with by_pixel:
        st.subheader("Pixel frequency", anchor=False)
        shares = [100 * (classes[i].pixel_share) for i in drawn]
        figure = class_balance(names, colors, shares, "%")
        st.plotly_chart(
            figure,
            key="by_pixel",
            config=session.CHART,
            alt="Pixel frequency of each class",
        )
    with by_image:
        st.subheader("Images per class", anchor=False)
        figure = class_balance(names, colors, [classes[i].images for i in drawn], "images")
        st.plotly_chart(
            figure,
            key="by_image",
            config=session.CHART,
            alt="Number of images that contain each class",
        )
    with st.container(horizontal=True, vertical_alignment="center"):
        _links(statistics, classes, name)
    _imbalance(summary)


def _links(statistics: ClassStatistics, classes: Sequence[ClassFrequency], name: str) -> None:
    """Draw the table behind the charts, and the links to the rarest class and to oversampling."""
    ratios = [label_imbalance(statistics.totals(mode)) for mode in ("pixel", "count")]
    table_behind(
        [
            {
                "id": c.id,
                "class": c.name,
                "pixels": c.pixels,
                "pixel_share": c.pixel_share,
                "images": c.images,
                "irlbl_pixel": _finite(pixel),
                "irlbl_count": _finite(image),
            }
            for c, pixel, image in zip(classes, *ratios, strict=True)
        ],
        f"{name}-classes",
        pixel_share=st.column_config.NumberColumn(format="percent"),
        irlbl_pixel=st.column_config.NumberColumn(
            format="%.2f", help="Pixels of the most frequent class / pixels of this class."
        ),
        irlbl_count=st.column_config.NumberColumn(
            format="%.2f", help="Images with the most frequent class / images with this class."
        ),
    )
    held = [c for c in classes if c.images]
    if held:
        rarest = min(held, key=lambda c: (c.images, c.pixels))
        help_text = (
            f"{rarest.images:,} images, the fewest of all classes. Lists them on the Images tab."
        )
        label = f"Show images of the rarest class, {session.plain(rarest.name)}"
        st.button(
            label,
            key="rarest",
            type="tertiary",
            icon=":material/search:",
            help=help_text,
            on_click=_browse,
            args=(rarest.name,),
        )
    st.page_link(
        "pages/balance.py",
        label="Plan oversampling",
        icon=":material/balance:",
    )


def _imbalance(summary: StatisticsSummary) -> None:
    by_pixel, by_image = summary.imbalance["pixel"], summary.imbalance["count"]
    even = np.log2(max(2, len(summary.classes)))
    ratio_help = (
        "Mean imbalance ratio: how much more frequent the most frequent class is, "
        "averaged over classes. 1 is balanced; lower is better (Charte et al., 2015)."
    )
    entropy_help = (
        f"Spread of the frequencies in bits: {even:.2f} if all classes are equally "
        "frequent, 0 if there is only one."
    )
    total_variation = (
        "Total variation between the class frequencies and equal frequencies: the fraction of "
        "pixels, or of (image, class) pairs, that would have to change class. 0 is balanced; lower "
        "is better."
    )
    shown = (
        (
            "Class imbalance (pixels)",
            _written(by_pixel.earth_mover_distance, 3),
            total_variation,
        ),
        (
            "Class imbalance (images)",
            _written(by_image.earth_mover_distance, 3),
            total_variation,
        ),
    )
    for column, (label, value, help) in zip(st.columns(4), shown, strict=False):
        column.metric(
            label, value, border=True, help=manual.see(help, "data-measures#shares-and-distance")
        )
    with st.expander("More measures of imbalance", icon=":material/functions:"):
        _more(summary, ratio_help, entropy_help)


def _more(summary: StatisticsSummary, ratio_help: str, entropy_help: str) -> None:
    """Draw the measures that are looked up, not read at a glance."""
    by_pixel, by_image = summary.imbalance["pixel"], summary.imbalance["count"]
    shown = (
        ("Mean imbalance ratio (pixels)", _written(by_pixel.mean_ir, 2), ratio_help),
        ("Mean imbalance ratio (images)", _written(by_image.mean_ir, 2), ratio_help),
        ("Entropy (pixels)", f"{by_pixel.entropy_bits:.2f} bits", entropy_help),
        ("Entropy (images)", f"{by_image.entropy_bits:.2f} bits", entropy_help),
        (
            "SCUMBLE",
            _written(summary.scumble, 2),
            (
                "SCUMBLE: how far rare and frequent classes share images, 0 to 1. Where it is "
                "high, oversampling images of rare classes also oversamples the frequent ones "
                "(Charte et al., 2014)."
            ),
        ),
    )
    for column, (label, value, help) in zip(st.columns(len(shown)), shown, strict=True):
        column.metric(label, value, help=manual.see(help, "data-measures#imbalance"))


def _browse(name: str) -> None:
    session.request("holding", name)
    st.session_state["show"] = "Images"


def _finite(value: float) -> float | None:
    return float(value) if value == value else None


def _written(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
