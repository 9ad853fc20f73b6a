"""What helps where repeating whole images cannot: class weights in the loss, windows round rare classes."""

import streamlit as st

from segcore.catalog import AUGMENTATIONS, CLASS_WEIGHTS
from segcore.data.statistics import ClassStatistics
from segcore.data.transforms import PRESETS
from segcore.data.weights import RULES, class_weights
from segcore.ui import state


def show(part: ClassStatistics, name: str) -> None:
    """Draw the two remedies.

    Args:
        part: Counts of the split that is learned from.
        name: Start of the names of files to download.
    """
    weights, windows = st.columns(2, gap="large")
    names = part.label_set.class_names
    with weights:
        st.markdown("**Class weights in the loss**")
        st.caption("Errors on rare classes cost more; no image is repeated. Chosen on the train page under Recipe, as Class weights.")
        by_title = {CLASS_WEIGHTS[rule].title: class_weights(part.counts, rule, normalise=True) for rule in RULES}
        rows = [{"class": n, **{title: round(float(w[c]), 4) for title, w in by_title.items()}} for c, n in enumerate(names)]
        st.dataframe(
            rows,
            hide_index=True,
            column_config={title: st.column_config.NumberColumn(format="%.2f") for title in by_title},
            alt="Class weights by rule, 1 on average over the classes that occur, as training takes them",
        )
        data = state.csv_bytes(rows)
        st.download_button("Download CSV", data, f"{name}-class-weights.csv", "text/csv", key="csv_weights", icon=":material/download:")
    with windows:
        st.markdown("**Windows round rare classes**")
        presets = [AUGMENTATIONS[p].title for p in PRESETS if "class_crop" in PRESETS[p]]
        st.markdown(
            "A window that is cut round a class leaves most of the frequent ones out, so it changes the shares of the pixels where a "
            "repeated whole image cannot. Every class is as likely to be the centre."
        )
        st.caption(f"The augmentation {' and '.join(presets)} cuts such windows; choose it on the train page and look at it below.")
        rare = [names[c] for c in part.pixels.argsort()[:3] if part.pixels[c]]
        st.markdown("Rarest here: " + ", ".join(state.plain(n) for n in rare) + ".")
