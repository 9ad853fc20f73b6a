"""Creating train/val/test splits or k folds, with a preview before they are saved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from segcore import formatting
from segcore.data.dataset.dataset import Dataset
from segcore.data.health.split_groups import choose_split
from segcore.data.splits.blocks import Blocks
from segcore.data.splits.splits import GROUPINGS, METHODS, SplitPart
from segcore.labels import list_names
from segcore.ui.dataset import charts
from segcore.ui.shared import session, tables
from segcore.ui.shared.dataset_scans import stamp, table_behind
from segcore.workspace import Workspace
from segcore.workspace.datasets.new_splits import NewSplits
from segcore.workspace.splits import Folds

PARTS, FOLDS = "Train/val/test", "K-fold"
SHIFT = (
    "Total variation between the class frequencies of the split and of the full "
    "dataset: 0 is identical; lower is better."
)
NAMED = 8
"""Groups of a split that the preview names."""


@dataclass(frozen=True)
class Wish:
    """What is asked for.

    Attributes:
        dataset: Name of the dataset.
        method: A name in ``splits.METHODS``.
        group_by: A name in ``splits.GROUPINGS``, or "".
        seed: Seed of the draw.
        validation: Per cent of the samples for validation (three parts).
        test: Per cent for test (three parts).
        folds: k, 0 for three parts.
        hold_out: The split that stays in every fold, or "".
        gap: Pixels between windows of different splits, for blocks.
    """

    dataset: str
    method: str
    group_by: str
    seed: int
    validation: int = 15
    test: int = 15
    folds: int = 0
    hold_out: str = ""
    gap: int = 0

    def make(self, workspace: Workspace, save: bool) -> NewSplits | Folds:
        """Return the splits or folds of this form, saved if ``save`` is set."""
        if self.folds:
            return workspace.splits.make_folds(
                self.dataset,
                self.folds,
                self.method,
                self.seed,
                group_by=self.group_by,
                hold_out=self.hold_out,
                save=save,
            )
        shares = (1 - (self.validation + self.test) / 100, self.validation / 100, self.test / 100)
        fractions = dict(zip(("train", "validation", "test"), shares, strict=True))
        how: dict[str, Any] = {
            "group_by": self.group_by,
            "blocks": Blocks(gap=self.gap),
            "save": save,
        }
        return workspace.datasets.make_splits(
            self.dataset, self.method, fractions, self.seed, **how
        )


def show(dataset: Dataset, name: str) -> None:
    """Draw the form, what it would make, and the folds made before.

    Args:
        dataset: The dataset.
        name: Start of the names of files to download.
    """
    st.subheader("Create splits", anchor=False)
    wish = _ask(dataset)
    if wish is not None:
        _propose(dataset, wish, name)
    _folds(dataset, name)


def propose_method(dataset: str, method: str) -> None:
    """Choose the method in the form.

    Args:
        dataset: Name of the dataset that it is for: another one starts with what suits it.
        method: A name in ``splits.METHODS``.
    """
    st.session_state["split_method_of"] = dataset
    st.session_state["split_method"] = method


def _ask(dataset: Dataset) -> Wish | None:
    kind = st.segmented_control(
        "Kind",
        [PARTS, FOLDS],
        default=PARTS,
        required=True,
        key="split_kind",
        help=(
            "Train/val/test: one split of each kind. K-fold: each sample is in validation "
            "once, so the score rests on all samples; every fold becomes its own dataset on "
            "the Train page and takes no disk space."
        ),
    )
    with st.container(border=True):
        one, two, three, four, five = st.columns([3, 3, 2, 2, 2], vertical_alignment="bottom")
        state = st.session_state
        if state.get("split_method_of") != dataset.name or "split_method" not in state:
            suited = session.workspace().datasets.split_choice(dataset.name)
            propose_method(dataset.name, suited.method)
        method = one.selectbox(
            "Method", list(METHODS), format_func=str.capitalize, key="split_method"
        )
        group_by = _ask_groups(dataset, two) if method == "grouped" else ""
        sizes = _ask_folds(dataset, three, four) if kind == FOLDS else _ask_percentages(three, four)
        seed = int(
            five.number_input(
                "Seed",
                0,
                2**31 - 1,
                0,
                key="split_seed",
                help="The same seed gives the same splits.",
            )
        )
        gap = _ask_gap() if method == "blocks" and kind == PARTS else 0
        st.caption(
            "  \n".join(
                f"**{known.capitalize()}**: {meaning}" for known, meaning in METHODS.items()
            )
        )
        asked = st.button("Preview splits", key="preview_splits", icon=":material/call_split:")
    wish = Wish(dataset.name, str(method), group_by, seed, gap=gap, **sizes)
    if asked:
        st.session_state["proposed_splits"] = wish
    return wish if st.session_state.get("proposed_splits") == wish else None


def _ask_groups(dataset: Dataset, place: DeltaGenerator) -> str:
    """Ask what stays together; return a name in ``splits.GROUPINGS``, or "" for what fits."""
    titles = {
        "folder": "folders",
        "prefix": "drives (name before the number)",
        "scene": "scenes (whole rasters)",
    }
    titles[""] = f"Auto-detect: {titles[choose_split(dataset, 2, 'grouped').group_by]}"
    return str(
        place.selectbox(
            "Groups",
            ["", *GROUPINGS],
            format_func=titles.__getitem__,
            key="split_groups",
            help="Images of one group stay in one split.",
        )
    )


def _ask_gap() -> int:
    """Ask for the gap between windows of different splits, in pixels."""
    return int(
        st.number_input(
            "Gap, pixels",
            0,
            100_000,
            0,
            step=256,
            key="split_gap",
            width=220,
            help=(
                "Windows nearer than this to a window of another split are left without a split, "
                "those of train first."
            ),
        )
    )


def _ask_folds(dataset: Dataset, left: DeltaGenerator, right: DeltaGenerator) -> dict[str, Any]:
    """Ask for k, and whether the test split stays; return ``folds`` and ``hold_out``."""
    folds = int(left.number_input("Folds", 2, 20, 5, key="split_folds"))
    keep_test = "test" in dataset.splits and right.checkbox(
        "Keep test",
        True,
        key="split_hold_out",
        help="The current test split stays the test split of every fold.",
    )
    return {"folds": folds, "hold_out": "test" if keep_test else ""}


def _ask_percentages(left: DeltaGenerator, right: DeltaGenerator) -> dict[str, Any]:
    """Ask for the size of two splits, in per cent; return ``validation`` and ``test``."""
    return {
        "validation": int(left.number_input("Validation, %", 0, 90, 15, key="split_validation")),
        "test": int(right.number_input("Test, %", 0, 90, 15, key="split_test")),
    }


@st.cache_data(max_entries=20, show_spinner="Creating splits …")
def _proposal(_workspace: Workspace, stamp: str, key: str, _wish: Wish) -> NewSplits | Folds:
    return _wish.make(_workspace, save=False)


def _propose(dataset: Dataset, wish: Wish, name: str) -> None:
    workspace = session.workspace()
    with session.errors_shown():
        proposal = _proposal(workspace, stamp(dataset), repr(wish), wish)
    if isinstance(proposal, Folds):
        rows = [
            replace(part, split=fold.name)
            for fold in proposal.folds
            for part in fold.report
            if part.split == "validation"
        ]
        held = (
            f"; {len(dataset.select(wish.hold_out)):,} test samples are held out"
            if wish.hold_out
            else ""
        )
        st.markdown(
            f"The validation part of each of the {wish.folds} folds; the rest is for "
            f"training{held}:"
        )
        _groups({f.name: f.groups.get("validation", []) for f in proposal.folds}, rows, {})
        report(dataset, rows, f"{name}-proposed-folds", "Folds, preview")
    else:
        asked = {"validation": wish.validation, "test": wish.test}
        _groups(proposal.groups, proposal.report, asked)
        report(dataset, proposal.report, f"{name}-proposed-splits", "Splits, preview")
        warning = workspace.splits.trained_on(dataset.name)
        if warning:
            st.warning(warning, icon=":material/warning:")
    if proposal.warning:
        st.warning(session.plain(proposal.warning), icon=":material/warning:")
    label = f"Save {wish.folds} folds" if wish.folds else "Save splits"
    if st.button(label, type="primary", icon=":material/check:"):
        with session.errors_shown(), st.spinner("Writing …"):
            wish.make(workspace, save=True)
        del st.session_state["proposed_splits"]
        st.toast(f"{wish.folds} folds saved as datasets." if wish.folds else "Splits saved.")
        st.rerun()


def _groups(
    groups: Mapping[str, Sequence[str]], rows: Sequence[SplitPart], asked: Mapping[str, int]
) -> None:
    """Say which groups go where, and where whole groups miss the share that was asked for.

    Args:
        groups: Names of the groups by split.
        rows: What each split holds.
        asked: Per cent of the samples that were asked for, of the splits to score on.
    """
    lines = []
    for row in rows:
        names = [session.plain(name) for name in groups.get(row.split, ())]
        if not names:
            continue
        share = formatting.percent(row.share)
        missed = row.split in asked and abs(100 * row.share - asked[row.split]) >= 1
        wanted = f"; {share} of the images, {asked[row.split]} % asked" if missed else ""
        lines.append(f"**{session.plain(row.split)}**: {list_names(names, NAMED)}{wanted}")
    st.markdown("  \n".join(lines))
    alone = [split for split in asked if len(groups.get(split, ())) == 1]
    if alone:
        st.caption(
            f"A single group in {session.plain(', '.join(alone))}: scores there say little about "
            "other groups. Ask for a larger share."
        )


def report(dataset: Dataset, rows: Sequence[SplitPart], name: str, alt: str) -> None:
    """Draw how alike some parts of a dataset are.

    Args:
        dataset: The dataset.
        rows: As ``splits.split_report`` returns them.
        name: Name of the file to download, without ending.
        alt: What this is, for those who cannot see it.
    """
    names = dataset.label_set.class_names
    table = [
        {
            "split": r.split,
            "images": r.num_samples,
            "share": r.share,
            "difference from full set": r.shift,
        }
        for r in rows
    ]
    tables.draw(
        table,
        column_config={
            "images": st.column_config.NumberColumn(format="localized"),
            "share": st.column_config.NumberColumn(
                format="percent", help="Of all samples that have a split."
            ),
            "difference from full set": st.column_config.NumberColumn(format="%.4f", help=SHIFT),
        },
        alt=alt,
    )
    st.plotly_chart(
        charts.split_shares(names, rows),
        key=name,
        config=session.CHART,
        alt=f"Pixel frequency of each class: {alt.lower()}",
    )
    table_behind(
        [{"class": n, **{r.split: r.pixel_share[c] for r in rows}} for c, n in enumerate(names)],
        name,
    )


def _folds(dataset: Dataset, name: str) -> None:
    splits = session.workspace().splits
    folds = splits.folds_of(dataset.name)
    if not folds:
        return
    st.subheader("Folds", anchor=False)
    rows = splits.fold_scores(dataset.name)
    best: dict[str, float] = {}
    for row in rows:
        best[row.fold] = max(best.get(row.fold, 0.0), row.mean_iou or 0.0)
    cells = [
        {"fold": f, "runs": sum(r.fold == f for r in rows), "best mean IoU": best.get(f)}
        for f in folds
    ]
    tables.draw(
        cells,
        column_config={
            "best mean IoU": st.column_config.NumberColumn(
                format="percent", help="Best mean IoU of the fold's runs on its validation split."
            )
        },
        alt="Folds and the runs trained on them",
    )
    if len(best) == len(folds):
        mean = sum(best.values()) / len(best)
        deviation = (sum((v - mean) ** 2 for v in best.values()) / (len(best) - 1)) ** 0.5
        st.markdown(
            f"Over the folds: **{formatting.percent(mean)} ± {100 * deviation:.1f} pp** (mean and "
            "standard deviation of the best runs)."
        )
    else:
        st.caption(
            f"{len(folds) - len(best)} of {len(folds)} folds have no finished run yet. Each "
            "is a dataset on the Train page."
        )
    with st.container(horizontal=True):
        st.page_link(
            "pages/train.py",
            label="Train on a fold",
            icon=":material/model_training:",
            query_params={"dataset": folds[0]},
        )
        tables.download_csv(cells, f"{name}-folds", "csv_folds")
