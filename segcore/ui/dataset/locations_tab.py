"""Which classes stand together, where in the image they lie, and in how many pieces."""

import numpy as np
import streamlit as st

from segcore.data.dataset.dataset import Dataset
from segcore.data.statistics.instances import SIZE_EDGES, InstanceStatistics
from segcore.data.statistics.statistics import ClassStatistics
from segcore.ui.dataset import charts
from segcore.ui.shared import session, tables
from segcore.ui.shared.dataset_scans import measured, table_behind


def show(dataset: Dataset, statistics: ClassStatistics, split: str | None, name: str) -> None:
    """Draw the tab.

    Args:
        dataset: The dataset.
        statistics: Counts of the chosen split.
        split: The split, None for all.
        name: Start of the names of files to download.
    """
    names = dataset.label_set.class_names
    together, where = st.columns(2, gap="large")
    with together:
        _cooccurrence(statistics, names, name)
    with where:
        st.subheader("Class location", anchor=False)
        instances = measured(
            "instances",
            dataset,
            split,
            lambda progress: session.workspace().datasets.instances(dataset.name, split, progress),
            "Measure locations and instances",
        )
        if instances is None:
            st.caption(
                "A heat map of where each class occurs, and the sizes of its connected "
                "components. Reads every mask once."
            )
            return
        _places(instances, names, name)
    _instances(instances, names, name)


def _cooccurrence(statistics: ClassStatistics, names: list[str], name: str) -> None:
    st.subheader("Class co-occurrence", anchor=False)
    counts = statistics.cooccurrence()
    figure = charts.cooccurrence(counts, names)
    st.plotly_chart(
        figure,
        key="cooccurrence",
        config=session.CHART,
        alt="Of the images with one class, the percentage that contains another",
    )
    rows = [
        {"images with": a, **dict(zip(names, row, strict=True))}
        for a, row in zip(names, counts.tolist(), strict=True)
    ]
    table_behind(rows, f"{name}-cooccurrence")


def _places(instances: InstanceStatistics, names: list[str], name: str) -> None:
    chosen = names.index(session.choose_from("Class", names, "place"))
    figure = charts.class_places(instances.heat[chosen], names[chosen])
    st.plotly_chart(
        figure,
        key="places",
        config=session.CHART,
        alt=f"Where {names[chosen]} occurs in the image",
    )
    rows, columns = instances.heat.shape[1:]
    table_behind(
        [
            {
                "class": names[c],
                "row": r,
                "column": k,
                "share": round(float(instances.heat[c, r, k]), 6),
            }
            for c in (chosen,)
            for r in range(rows)
            for k in range(columns)
        ],
        f"{name}-places",
    )


def _instances(instances: InstanceStatistics, names: list[str], name: str) -> None:
    st.subheader("Instances (connected components)", anchor=False)
    sizes, table = st.columns(2, gap="large")
    with sizes:
        figure = charts.instance_sizes(instances.histogram, SIZE_EDGES, names)
        st.plotly_chart(
            figure,
            key="instance_sizes",
            config=session.CHART,
            alt="Sizes of the connected components of each class",
        )
    with table:
        rows = [
            {
                "class": names[c],
                "components": int(instances.counts[:, c].sum()),
                "per image with the class": _mean(instances.counts[:, c]),
                "median pixels": None
                if np.isnan(instances.median_size[c])
                else float(instances.median_size[c]),
                "largest": int(instances.largest[c]),
            }
            for c in range(len(names))
        ]
        tables.draw(
            rows,
            column_config={
                "components": st.column_config.NumberColumn(
                    format="localized", help="Connected components of the class in all images."
                ),
                "largest": st.column_config.NumberColumn(
                    format="localized", help="Pixels of the largest component."
                ),
                "per image with the class": st.column_config.NumberColumn(
                    format="%.1f", help="Components / images that contain the class."
                ),
                "median pixels": st.column_config.NumberColumn(
                    format="%.0f", help="Half of the components are smaller."
                ),
            },
            alt="Instances of each class",
        )
        tables.download_csv(rows, f"{name}-instances", "csv_instances")


def _mean(counts: np.ndarray) -> float | None:
    held = counts[counts > 0]
    return float(held.mean()) if len(held) else None
