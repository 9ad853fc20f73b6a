"""Whether confidence can be believed: reliability, temperature fitted on validation, risk and coverage."""

from typing import Any

import numpy as np
import streamlit as st

from segcore.evaluation.metrics.report import Report
from segcore.ui.evaluate import boundary, pixel_charts
from segcore.ui.shared import background_tasks, manual, session, tables

FIT = "validation"

SCORES = {
    "ece": (
        "ECE",
        "Expected calibration error: "
        "pixels are put into 15 bins of confidence; the gap between mean confidence and "
        "the share that is right, averaged over bins by "
        "their pixels. 0: of pixels that are 80 % sure, 80 % are right.",
    ),
    "mce": (
        "Largest gap",
        "The gap of the worst of these bins that holds at least a thousandth of the pixels (MCE).",
    ),
    "brier": (
        "Brier score",
        (
            "Mean squared distance of the probabilities to the truth, summed over classes: 0 "
            "best, 2 worst."
        ),
    ),
    "log_loss": (
        "Log loss",
        "Mean of minus the natural logarithm of the true class's probability: 0 best.",
    ),
    "aurc": (
        "AURC",
        "Area under the risk-coverage curve: "
        "the share of wrong pixels among the surest, averaged over how many are kept: low "
        "where the network knows when it errs.",
    ),
}


def show(report: Report, run: str, split: str) -> None:
    """Show how calibrated a run is over a split, as it is and after a temperature that validation gave."""
    if not background_tasks.present(run, split, "", len(report.sample_ids)):
        return
    found = boundary.measured(run, split, "")
    if found is None:
        return
    own = found.measures.confidence()
    if own is None:
        st.info(
            "This run brought masks only: it does not say how sure it is.", icon=":material/info:"
        )
        return
    names = report.label_set.class_names
    temperature, scaled = _scaled(run, split)
    cards = st.columns(len(SCORES))
    for card, (key, (title, help)) in zip(cards, SCORES.items(), strict=True):
        share = key in ("ece", "mce", "aurc")
        change = None
        if scaled is not None:
            change = (
                f"{100 * (scaled[key] - own[key]):+.2f} points"
                if share
                else f"{scaled[key] - own[key]:+.4f}"
            )
        value = session.percent(own[key]) if share else f"{own[key]:.4f}"
        card.metric(
            title,
            value,
            change,
            delta_color="inverse",
            border=True,
            height="stretch",
            help=manual.see(help, "metrics#near-borders-and-probabilities"),
        )
    if scaled is not None and temperature is not None:
        kind = "too unsure: sharpened" if temperature < 1 else "too sure: softened"
        st.caption(
            f"Small figures: the change on {split} at temperature {temperature:.3f}, "
            f"fitted on {FIT} ({kind}). "
            "A temperature divides the logits; it changes no prediction (Guo et al., 2017)."
        )
    one, two = st.columns([3, 2], gap="large")
    with one:
        st.markdown(
            "**Reliability**",
            help="Below the dotted line a network is too sure of itself, above it too modest.",
        )
        classes = [k for k in range(len(names)) if own["classes"][k]["pixels"]]
        chosen = st.multiselect(
            "Classes",
            classes,
            format_func=lambda k: names[k],
            key="reliability_classes",
            placeholder="Add predicted classes",
            max_selections=6,
        )
        series = {"all pixels": own["bins"]}
        if scaled is not None:
            series[f"at temperature {temperature:.2f}"] = scaled["bins"]
        series |= {names[k]: own["classes"][k]["bins"] for k in chosen}
        st.plotly_chart(
            pixel_charts.reliability(series),
            key="reliability",
            config=session.CHART,
            alt="Reliability diagram",
        )
    with two:
        st.markdown(
            "**Risk and coverage**",
            help="If only the surest pixels were answered, how many of those would be wrong?",
        )
        curves = {"as it is": (own["coverage"], own["risk"])}
        st.plotly_chart(
            pixel_charts.risk_coverage(curves),
            key="risk",
            config=session.CHART,
            alt="Risk and coverage",
        )
        tables.draw(
            [
                {
                    "predicted class": names[k],
                    "ECE": own["classes"][k]["ece"],
                    **({"ECE, scaled": scaled["classes"][k]["ece"]} if scaled else {}),
                    "pixels": own["classes"][k]["pixels"],
                }
                for k in sorted(classes, key=lambda k: -(own["classes"][k]["ece"] or 0.0))
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
    st.caption(
        f"From {len(found.measures.sample_ids)} images; confidence is the largest "
        "probability, on average "
        f"{session.percent(own['mean_confidence'])}, while "
        f"{session.percent(own['pixel_accuracy'])} of the pixels are right."
    )


def _scaled(run: str, split: str) -> tuple[float | None, dict[str, Any] | None]:
    """Fit a temperature on validation and score the split with it; (None, None) while that is not done, or makes no sense."""
    workspace = session.workspace()
    with session.errors_shown():
        splits = workspace.scenes.dataset_of(run).splits
    if split == FIT or FIT not in splits:
        if split == FIT:
            st.caption(
                "A temperature is fitted here and shown on the other splits: on its own "
                "split it would flatter itself."
            )
        return None, None
    with session.errors_shown():
        if not workspace.scores.has_counts(run, FIT) or not workspace.pixel_metrics.samples(
            run, FIT
        ):
            with st.container(border=True, horizontal=True, vertical_alignment="center"):
                st.markdown(
                    f"A temperature is fitted on **{FIT}**, whose probabilities are not on disk."
                )
                if st.button(f"Predict {FIT}", icon=":material/play_arrow:", key="predict_fit"):
                    for member in workspace.runs.members(run):
                        workspace.runs.predict_whole(member, FIT)
                    workspace.runs.predict_any(run, FIT)
                    st.rerun()
            return None, None
        if not background_tasks.present(run, FIT, "", len(workspace.scores.counts(run, FIT)[0])):
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
