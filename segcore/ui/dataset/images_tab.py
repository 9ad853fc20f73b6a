"""What the images look like: sizes, brightness, channel means."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from segcore.data.dataset.dataset import Dataset
from segcore.data.statistics.appearance import ImageStatistics
from segcore.formatting import percent
from segcore.ui.dataset import charts
from segcore.ui.shared import session, tables
from segcore.ui.shared.dataset_scans import measured, table_behind


def show(dataset: Dataset, split: str | None, name: str) -> None:
    """Draw the tab.

    Args:
        dataset: The dataset.
        split: The split, None for all (then brightness is drawn by split).
        name: Start of the names of files to download.
    """
    looks = measured(
        "appearance",
        dataset,
        split,
        lambda progress: session.workspace().datasets.appearance(dataset.name, split, progress),
        "Measure sizes and brightness",
    )
    if looks is None:
        st.caption("Image sizes, brightness and channel means by split. Reads every image once.")
        return
    of = np.array(looks.splits)
    splits = [s for s in dataset.splits if (of == s).any()] or [""]
    left, right = st.columns(2, gap="large")
    with left:
        _sizes(looks, name)
        if dataset.bands is None:
            _channels(looks, splits)
        else:
            _bands(dataset, split)
    with right:
        _brightness(looks, splits, name)


def _sizes(looks: ImageStatistics, name: str) -> None:
    st.subheader("Sizes", anchor=False)
    sizes = looks.size_counts()
    if len(sizes) == 1:
        ((height, width),) = sizes
        st.markdown(
            f"All {len(looks.sample_ids):,} images are {height} x {width} pixels (height x width)."
        )
    else:
        st.plotly_chart(
            charts.image_sizes(sizes),
            key="sizes",
            config=session.CHART,
            alt="Image sizes",
        )
    table_behind(
        [{"height": h, "width": w, "images": n} for (h, w), n in sizes.items()], f"{name}-sizes"
    )


def _channels(looks: ImageStatistics, splits: Sequence[str]) -> None:
    of = np.array(looks.splits)
    st.subheader("Channels", anchor=False)
    rows = []
    for part in splits:
        chosen = of == part
        means, deviations = looks.means[chosen].mean(0), looks.deviations[chosen].mean(0)
        rows.append(
            {
                "split": part or "all",
                "images": int(chosen.sum()),
                **{
                    c: round(float(m), 2)
                    for c, m in zip(("red", "green", "blue"), means, strict=True)
                },
                **{
                    f"{c} SD": round(float(d), 2)
                    for c, d in zip(("red", "green", "blue"), deviations, strict=True)
                },
            }
        )
    tables.draw(
        rows,
        column_config={
            name: st.column_config.NumberColumn(
                format="%.1f",
                help="Standard deviation, 0 to 255" if name.endswith("SD") else "Mean, 0 to 255",
            )
            for name in list(rows[0])[2:]
        },
        alt="Mean and standard deviation of each channel by split, 0 to 255",
    )


def _bands(dataset: Dataset, split: str | None) -> None:
    """Draw the figures of the channels that networks see."""
    st.subheader("Bands", anchor=False)
    figures = measured(
        "bands",
        dataset,
        split,
        lambda progress: session.workspace().bands.figures(dataset.name, split, progress),
        "Measure bands",
    )
    if figures is None:
        st.caption("Mean, deviation, range and gaps of each band. Reads every image once.")
        return
    tables.draw(
        [
            {
                "band": one.name,
                "mean": one.mean,
                "deviation": one.std,
                "least": one.minimum,
                "2 %": one.low,
                "98 %": one.high,
                "greatest": one.maximum,
                "no value": percent(one.missing),
            }
            for one in figures
        ],
        alt="Figures of each band in the rasters' own units",
    )
    st.caption(
        "In the rasters' own units. Networks are normalised by the training split alone; the "
        "brightness on this page is that of the bands shown."
    )


def _brightness(looks: ImageStatistics, splits: Sequence[str], name: str) -> None:
    of = np.array(looks.splits)
    st.subheader("Brightness", anchor=False)
    shades = {part or "all": looks.brightness[of == part].tolist() for part in splits}
    st.plotly_chart(
        charts.brightness(shades),
        key="brightness",
        config=session.CHART,
        alt="Brightness of the images by split",
    )
    table_behind(
        [
            {
                "sample": s,
                "split": p,
                "height": int(h),
                "width": int(w),
                "brightness": round(float(b), 2),
            }
            for s, p, (h, w), b in zip(
                looks.sample_ids, looks.splits, looks.sizes, looks.brightness, strict=True
            )
        ],
        f"{name}-brightness",
    )
    st.caption(
        "A split that is darker or brighter than the training split tests conditions "
        "that training did not cover."
    )
