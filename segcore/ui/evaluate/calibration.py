"""Calibration: reliability, a temperature fitted on validation, risk and coverage."""

from collections.abc import Mapping, Sequence

import numpy as np
import streamlit as st

from segcore import formatting
from segcore.evaluation.metrics.pixel_metrics import Confidence, ReliabilityBin
from segcore.evaluation.metrics.report import Report
from segcore.ui.evaluate import boundary, pixel_charts
from segcore.ui.shared import background_tasks, manual, session, tables
from segcore.workspace.scores.pixel_metrics import Measured

FIT = "validation"

RATES = ("ece", "mce", "aurc")
"""Scores that are fractions, shown in percent."""

SCORES = {
    "ece": (
        "ECE",
        (
            "Expected calibration error: pixels are grouped into 15 bins of confidence; the "
            "gap between mean confidence and accuracy, averaged over the bins by their "
            "pixels. 0 is perfect: of pixels with 80 % confidence, 80 % are correct."
        ),
    ),
    "mce": (
        "Largest gap",
        (
            "The gap of the worst bin with at least a thousandth of the pixels (MCE). Lower "
            "is better."
        ),
    ),
    "brier": (
        "Brier score",
        (
            "Mean squared difference between probabilities and ground truth, summed over "
            "classes: 0 is best, 2 worst."
        ),
    ),
    "log_loss": (
        "Log loss",
        "Mean negative natural logarithm of the true class's probability: 0 is best.",
    ),
    "aurc": (
        "AURC",
        (
            "Area under the risk-coverage curve: the error rate among the most confident "
            "pixels, averaged over how many are kept. Low if the model knows when it is "
            "wrong."
        ),
    ),
}


def show(report: Report, measured: Measured, run: str, split: str) -> None:
    """Show how calibrated a run is, as it is and after a temperature from validation."""
    own = measured.measures.confidence()
    if own is None:
        st.info(
            "This run imported masks only, so there is no confidence to calibrate.",
            icon=":material/info:",
        )
        return
    names = report.label_set.class_names
    temperature, scaled = _scaled(run, split)
    _cards(own, scaled)
    if scaled is not None and temperature is not None:
        kind = "under-confident: sharpened" if temperature < 1 else "over-confident: softened"
        st.caption(
            f"Below each value: the change on {split} at temperature {temperature:.2f}, "
            f"fitted on {FIT} ({kind}). A temperature divides the logits and changes no "
            "prediction (Guo et al., 2017)."
        )
    classes = [k for k in range(len(names)) if own.classes[k].pixels]
    one, two = st.columns([3, 2], gap="large")
    with one:
        scaled_bins: dict[str, Sequence[ReliabilityBin]] = {}
        if scaled is not None:
            scaled_bins[f"at temperature {temperature:.2f}"] = scaled.bins
        _reliability(own, scaled_bins, names, classes)
    with two:
        _risk(own)
        _classes_table(own, scaled, names, classes)
    st.caption(
        f"Based on {len(measured.measures.sample_ids)} images. Confidence is the largest "
        f"probability: {formatting.percent(own.mean_confidence)} on average, while "
        f"{formatting.percent(own.pixel_accuracy)} of the pixels are correct."
    )


def _cards(own: Confidence, scaled: Confidence | None) -> None:
    cards = st.columns(len(SCORES))
    for card, (key, (title, help)) in zip(cards, SCORES.items(), strict=True):
        show_value, show_change = (
            (formatting.percent, formatting.change) if key in RATES else (_decimals, _signed)
        )
        value = getattr(own, key)
        card.metric(
            title,
            show_value(value),
            None if scaled is None else show_change(getattr(scaled, key) - value),
            delta_color="inverse",
            border=True,
            height="stretch",
            help=manual.see(help, "metrics#near-borders-and-probabilities"),
        )


def _decimals(value: float) -> str:
    return formatting.number(value)


def _signed(change: float) -> str:
    return formatting.signed(change, 4)


def _reliability(
    own: Confidence,
    scaled_bins: Mapping[str, Sequence[ReliabilityBin]],
    names: list[str],
    classes: list[int],
) -> None:
    st.markdown(
        "**Reliability**",
        help="Below the dotted line the model is over-confident, above it under-confident.",
    )
    chosen = st.multiselect(
        "Classes",
        classes,
        format_func=lambda k: names[k],
        key="reliability_classes",
        placeholder="Add predicted classes",
        max_selections=6,
    )
    series: dict[str, Sequence[ReliabilityBin]] = {"all pixels": own.bins, **scaled_bins}
    series |= {names[k]: own.classes[k].bins for k in chosen}
    st.plotly_chart(
        pixel_charts.reliability(series),
        key="reliability",
        config=session.CHART,
        alt="Reliability diagram",
    )


def _risk(own: Confidence) -> None:
    st.markdown(
        "**Risk and coverage**",
        help="If only the most confident pixels were answered, how many of those would be wrong?",
    )
    st.plotly_chart(
        pixel_charts.risk_coverage({"unscaled": (own.coverage, own.risk)}),
        key="risk",
        config=session.CHART,
        alt="Risk and coverage",
    )


def _classes_table(
    own: Confidence, scaled: Confidence | None, names: list[str], classes: list[int]
) -> None:
    tables.draw(
        [
            {
                "predicted class": names[k],
                "ECE": own.classes[k].ece,
                **({"ECE, scaled": scaled.classes[k].ece} if scaled else {}),
                "pixels": own.classes[k].pixels,
            }
            for k in sorted(classes, key=lambda k: -(own.classes[k].ece or 0.0))
        ],
        height=210,
        column_config={
            "ECE": st.column_config.NumberColumn(
                format="percent",
                help="Calibration error among the pixels predicted as this class",
            ),
            "ECE, scaled": st.column_config.NumberColumn(
                format="percent", help="The same after the temperature"
            ),
            "pixels": st.column_config.NumberColumn(
                format="localized", help="Pixels predicted as this class"
            ),
        },
        alt="Calibration error of each predicted class",
    )


def _scaled(run: str, split: str) -> tuple[float | None, Confidence | None]:
    """Fit a temperature on validation and score with it; (None, None) while that is missing."""
    workspace = session.workspace()
    with session.errors_shown():
        splits = workspace.scenes.dataset_of(run).splits
    if split == FIT or FIT not in splits:
        if split == FIT:
            st.caption(
                "A temperature fitted here applies to the other splits; on its own split it "
                "would be optimistic."
            )
        return None, None
    with session.errors_shown():
        if not workspace.scores.has_counts(run, FIT) or not workspace.pixel_metrics.samples(
            run, FIT
        ):
            with st.container(border=True, horizontal=True, vertical_alignment="center"):
                st.markdown(
                    f"The temperature is fitted on **{FIT}**, which has no probabilities on disk."
                )
                if st.button(f"Predict {FIT}", icon=":material/play_arrow:", key="predict_fit"):
                    for member in workspace.runs.members(run):
                        workspace.runs.predict_whole(member, FIT)
                    workspace.runs.predict_any(run, FIT)
                    st.rerun()
            return None, None
        if not background_tasks.present(run, FIT, "", len(workspace.scores.sample_ids(run, FIT))):
            return None, None
        fitted = boundary.measured(run, FIT, "")
        if fitted is None or np.isnan(fitted.temperature):
            return None, None
        images = len(workspace.pixel_metrics.samples(run, split))
        key = (
            f"scaled {run} {split} {fitted.temperature:.6f} "
            f"{workspace.scores.stamp(run, split)} {images}"
        )
    work = background_tasks.passed(
        key,
        lambda tell: workspace.pixel_metrics.scaled(run, split, fitted.temperature, tell),
        f"Apply the temperature to {split}",
        boundary.HELP,
        at_once=True,
    )
    return fitted.temperature, work
