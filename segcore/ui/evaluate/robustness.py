"""Robustness to noise, blur, darkness and JPEG: launched by a click, drops by class."""

from collections.abc import Sequence

import streamlit as st

from segcore import formatting
from segcore.catalog import CORRUPTIONS
from segcore.config import EvaluateConfig
from segcore.data.augmentation.corruptions import SEVERITIES
from segcore.evaluation.metrics.report import Report
from segcore.evaluation.metrics.robustness import RobustnessSummary
from segcore.ui.evaluate import pixel_charts
from segcore.ui.shared import manual, run_progress, session
from segcore.ui.shared.run_names import model_id
from segcore.workspace import Workspace
from segcore.workspace.scores.robustness import RobustnessResult

TITLES = {name: choice.title for name, choice in CORRUPTIONS.items()}


@st.cache_data(max_entries=32, show_spinner="Comparing the counts …")
def _result_of(_workspace: Workspace, name: str, stamp: str) -> RobustnessResult:
    return _workspace.robustness.result(name)


def show(report: Report, run: str, split: str) -> None:
    """Show the robustness of a run, an ensemble or one of its members; offer to test it."""
    workspace = session.workspace()
    with session.errors_shown():
        config = workspace.runs.open(run).config
    if config.kind == "imported":
        st.info(
            (
                "This run was imported from another tool, so its model cannot be run on "
                "corrupted images."
            ),
            icon=":material/info:",
        )
        return
    if isinstance(config, EvaluateConfig):
        run = session.choose_model(
            "Model",
            [run, *config.members],
            "robust_member",
            help=(
                "The ensemble combines its members' predictions of each corrupted image, "
                "without a CRF. You can also test a single member."
            ),
        )
    with session.errors_shown():
        known = workspace.robustness.started(run, split)
        usable = workspace.robustness.corruptions(run)
    name, again, settings = _choose_test(known, len(report.sample_ids), split, usable)
    if again:
        with session.errors_shown():
            workspace.robustness.start(run, split, *settings)
        st.rerun()
    if not name or not run_progress.follow([name], "Counting", "robust"):
        return
    with session.errors_shown():
        result = _result_of(workspace, name, workspace.robustness.stamp(name))
    _result(result, run, split, report)


def _choose_test(
    known: Sequence[str], counted: int, split: str, usable: Sequence[str]
) -> tuple[str, bool, tuple[list[str], int]]:
    """Let the user choose a finished test or ask for another.

    Args:
        known: Ids of the tests of this run and split, newest first.
        counted: Images of the split that were scored.
        split: Name of the split.
        usable: Corruptions that mean something for these images.

    Returns:
        The test to show, "" without one; whether one is asked for; its corruptions and its
        number of images, 0 for all.
    """
    one, two = st.columns([4, 1], vertical_alignment="bottom")
    with (
        two,
        st.popover("Run again" if known else "Options", icon=":material/tune:", width="stretch"),
    ):
        chosen, number = _settings(counted, usable)
        again = bool(known) and _start_button("robust_count", chosen)
    name = known[0] if known else ""
    with one:
        if len(known) == 1:
            st.caption(
                "Images are corrupted at native resolution before the model sees them; the same "
                "images at every severity."
            )
        elif known:
            name = session.choose_from("Test", known, "robust_run")
        else:
            corruptions = ", ".join(TITLES[n].lower() if n != "jpeg" else "JPEG" for n in chosen)
            st.markdown(
                f"How do the scores drop under {corruptions}? Five severities each, on {number} "
                f"images of {session.plain(split)}. Only counts are stored."
            )
            again = _start_button("robust_start", chosen)
    return name, again, (chosen, 0 if number == counted else number)


def _settings(counted: int, usable: Sequence[str]) -> tuple[list[str], int]:
    """Let the user choose corruptions and how many of the counted images they are applied to."""
    chosen = st.multiselect(
        "Corruptions",
        list(usable),
        list(usable),
        format_func=TITLES.__getitem__,
        key="robust_names",
    )
    if counted <= 1:
        return chosen, 1
    number = st.slider(
        "Images",
        1,
        counted,
        min(32, counted),
        key="robust_images",
        help="Spread evenly over the split; each is predicted 5 times per corruption.",
    )
    return chosen, number


def _start_button(key: str, corruptions: Sequence[str]) -> bool:
    return st.button(
        "Run robustness test",
        type="primary",
        icon=":material/play_arrow:",
        key=key,
        disabled=not corruptions,
    )


def _result(result: RobustnessResult, run: str, split: str, report: Report) -> None:
    _cards(result.summary)
    _curves(result)
    _examples(result, run, report)
    _download(result, f"{model_id(run)}-{split}-robustness.csv")


def _cards(summary: RobustnessSummary) -> None:
    clean, parts = summary.clean, summary.corruptions
    cards = st.columns(1 + len(parts))
    cards[0].metric(
        f"Mean IoU, {summary.num_samples} images",
        formatting.percent(clean.mean_iou),
        border=True,
        height="stretch",
        help=manual.see(
            (
                f"On the same {summary.num_samples} images without corruption, pooled over "
                "these images."
            ),
            "metrics#near-borders-and-probabilities",
        ),
    )
    for card, part in zip(cards[1:], parts, strict=True):
        drop = part.drop
        card.metric(
            f"Under {TITLES[part.corruption]}"
            if part.corruption == "jpeg"
            else f"Under {TITLES[part.corruption].lower()}",
            formatting.percent(part.mean_iou),
            None if drop is None else formatting.points(-drop),
            border=True,
            height="stretch",
            help=manual.see(
                (
                    "Mean IoU averaged over the five severities, and its difference from the clean "
                    "images. "
                )
                + CORRUPTIONS[part.corruption].summary,
                "metrics#near-borders-and-probabilities",
            ),
        )


def _curves(result: RobustnessResult) -> None:
    summary = result.summary
    one, two = st.columns([3, 2], gap="large")
    with one:
        st.markdown(
            "**Severity**",
            help="Mean IoU at each severity; the shaded part is the interval of the drop, each "
            "image's clean and corrupted counts kept together. "
            + next((row.how_sure for row in summary.curves), ""),
        )
        figure = pixel_charts.corruption_curves(summary.curves, summary.clean.mean_iou, TITLES)
        st.plotly_chart(
            figure,
            key="corruption_curves",
            config=session.CHART,
            alt="Mean IoU against the severity of each corruption",
        )
    with two:
        st.markdown(
            "**IoU lost per class, pp**",
            help=(
                "IoU on clean images minus IoU under the corruption, averaged over severities. "
                "Lower is better."
            ),
        )
        figure = pixel_charts.class_drops(summary.corruptions, result.class_names, TITLES)
        st.plotly_chart(
            figure,
            key="class_drops",
            config=session.CHART,
            alt="IoU that each class loses under each corruption, in percentage points",
        )


def _download(result: RobustnessResult, file: str) -> None:
    summary = result.summary
    clean = summary.clean
    st.download_button(
        "Download CSV",
        session.csv_bytes(
            [
                {
                    "corruption": "",
                    "severity": 0,
                    "mean_iou": clean.mean_iou,
                    **dict(zip(result.class_names, clean.iou, strict=True)),
                },
                *(
                    {k: getattr(row, k) for k in ("corruption", "severity", "mean_iou")}
                    | dict(zip(result.class_names, row.iou, strict=True))
                    for row in summary.curves
                ),
            ]
        ),
        file,
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def _examples(result: RobustnessResult, run: str, report: Report) -> None:
    """Show one image under a corruption, at all severities."""
    with st.expander("Corrupted images", icon=":material/visibility:"):
        names = [part.corruption for part in result.summary.corruptions]
        which = str(
            st.segmented_control(
                "Corruption",
                names,
                default=names[0],
                format_func=TITLES.__getitem__,
                key="robust_seen",
                required=True,
            )
        )
        sample = report.sample_ids[0]
        with session.errors_shown():
            pictures = [
                session.workspace().robustness.example(run, sample, which, s, result.seed)
                for s in (0, *SEVERITIES)
            ]
        for column, severity, picture in zip(
            st.columns(len(pictures)), (0, *SEVERITIES), pictures, strict=True
        ):
            column.image(
                picture,
                caption=f"severity {severity}" if severity else session.plain(sample),
                width="stretch",
            )
