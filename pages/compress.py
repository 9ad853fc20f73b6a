"""What if labels were merged?"""

import streamlit as st

from segcore.ui.compress import charts, manual_merge, queries, summary
from segcore.ui.compress import chooser as compress_chooser
from segcore.ui.compress import examples as compress_examples
from segcore.ui.compress import tiers as compress_tiers
from segcore.ui.shared import run_names, session, split_predictions

workspace = session.workspace()
session.header(
    "Compress labels",
    (
        "Which labels could be merged? Accuracy gained against information lost, from "
        "the stored counts."
    ),
)

one, two, three = st.columns([6, 4, 6], vertical_alignment="bottom")
with one:
    run = session.choose_run()
with session.errors_shown():
    dataset = workspace.scenes.dataset_of(run)
splits = [s for s in dataset.splits if s]
with two:
    split = session.choose_split(splits, default="validation")
with three:
    prior = st.segmented_control(
        "Entropy weighting",
        ["pixel", "image", "uniform", "importance"],
        default="pixel",
        key="prior",
        bind="query-params",
        required=True,
        help=(
            "How much a label counts: by its pixels, by the images that contain it, "
            "equally, or by the importance that you set. By pixel, merging rare labels "
            "looks free."
        ),
    )
if not split_predictions.offer((run,), split):
    st.stop()

with session.errors_shown():
    label_set = workspace.scores.label_set(run)
by_id = {c.id: c.name for c in label_set.classes}
if label_set.num_classes < 2:
    st.info("This run has a single label, so nothing can be merged.")
    st.stop()

chooser, limits = st.columns([3, 1], gap="large")
with limits:
    rate = st.number_input(
        "Trade-off rate",
        0.0,
        10.0,
        0.1,
        step=0.05,
        help=(
            "Percentage points of accuracy that you demand for each point of entropy given "
            "up. Merges that gain less are not suggested."
        ),
    )
    apart = compress_chooser.apart_pairs(by_id)
    importance = compress_chooser.importance(by_id)
with session.errors_shown():
    study = queries.study(run, split, str(prior), importance, apart, float(rate))
with chooser:
    groups = compress_chooser.choose(
        run, study, by_id, dict(zip(by_id, session.hex_colors(label_set), strict=True)), apart
    )
with session.errors_shown():
    found = queries.merge(run, split, groups, str(prior), importance, apart)
summary.cards(found)
workspace.checklist.note("merge", dataset.name)

trade_off, tree, flow, examples, view, tiers, reported = st.tabs(
    [
        "Trade-off",
        "Tree and confusion",
        "Label flow",
        "Example pixels",
        "Merged masks",
        "Expected vs retrained",
        "Holdout check",
    ],
    key="merge_tab",
    bind="query-params",
    on_change="rerun",
)
with trade_off:
    chart, table = st.columns([5, 4], gap="medium")
    with chart:
        figure = charts.trade_off(study["path"], study["front"], study["null_band"], found["after"])
        st.plotly_chart(
            figure,
            key="curve",
            config=session.CHART,
            alt="Accuracy and mean IoU against the entropy kept",
        )
        certified = (
            "All merges were compared."
            if study["front_certified"]
            else "Found by search; other merges may be as good."
        )
        st.caption(f"{study['front_compared']:,} merges compared. {certified}")
    with table:
        merged = [group for group in groups if len(group) > 1]
        st.markdown("**Merged labels**" if merged else "**No labels are merged**")
        for group in merged:
            st.markdown("- " + " + ".join(session.plain(by_id[i]) for i in group))
        summary.table(found)
if tree.open:
    with tree, session.errors_shown():
        summary.tree(study, label_set, workspace.scores.counts(run, split)[1].sum(0), groups)
if flow.open:
    with flow:
        summary.flow(study, label_set, found, groups)
if examples.open:
    with examples:
        compress_examples.examples(run, split, groups, by_id)
if view.open:
    with view:
        compress_examples.view(run, split, groups)
if tiers.open:
    with tiers:
        compress_tiers.show(run, split, splits, groups, by_id)
if reported.open:
    with reported:
        summary.reported(run, split, splits, groups, str(prior), importance)

with st.popover("Save as label map", icon=":material/save:"):
    name = st.text_input("Name", f"merged-{len(groups)}")
    saved = st.button("Save label map", key="save_map", icon=":material/save:")
    trained = st.button(
        "Save and train with these labels", key="train_map", icon=":material/model_training:"
    )
    if saved or trained:
        with session.errors_shown():
            workspace.scores.save_label_map(run, groups, name)
        st.toast(f"Saved {session.plain(name)}. Choose it on the Train page.")
        if trained:
            st.switch_page(
                "pages/train.py", query_params={"dataset": dataset.name, "label_map": name}
            )

st.subheader("Suggested merges", anchor=False)
ADVICE = {
    "merge": ("green", ":material/merge:"),
    "ensemble": ("blue", ":material/groups:"),
    "collect": ("orange", ":material/add_a_photo:"),
    "train": ("orange", ":material/model_training:"),
}
for verdict in study["verdicts"][:6]:
    color, icon = ADVICE.get(verdict["action"], ("gray", ":material/do_not_disturb_on:"))
    mark, reason, attempt = st.columns([3, 14, 3], vertical_alignment="center")
    mark.badge(verdict["action"], color=color, icon=icon)  # type: ignore[arg-type]
    first, second = verdict["pair"]
    reason.markdown(
        f"**{session.plain(by_id[first])} + {session.plain(by_id[second])}**: "
        f"{session.plain(verdict['reason'])}"
    )
    key = f"try_{first}_{second}"
    attempt.button(
        "Preview",
        key=key,
        on_click=manual_merge.take,
        args=((first, second),),
        help="Merge only these two labels",
    )
st.caption(
    f"From the counts of {session.plain(run_names.called(run))} on {split}. Choose "
    "merges on validation and report them on test."
)
