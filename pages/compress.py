"""What if labels were merged?"""

import streamlit as st

from segcore.ui import charts, predictions, state

workspace = state.workspace()
state.header(
    "Compress labels",
    "What if two labels were one? The accuracy gained by merging, against the information lost. Nothing is predicted again.",
)

one, two, three = st.columns([3, 2, 2], vertical_alignment="bottom")
with one:
    run = state.choose_run()
with state.errors_shown():
    dataset = workspace.scenes.dataset_of(run)
with two:
    split = state.choose_split([s for s in dataset.splits if s], default="validation")
with three:
    prior = st.segmented_control(
        "Information counts",
        ["pixel", "image", "uniform"],
        default="pixel",
        key="prior",
        bind="query-params",
        required=True,
        help="What a label is worth: its share of the pixels, of the images it occurs in, or the same for all. "
        "By pixel, merging rare labels looks free.",
    )
if not predictions.offer((run,), split):
    st.stop()

with state.errors_shown():
    result = state.compression(run, split, str(prior))
    label_set = workspace.scores.label_set(run)
names = label_set.class_names
by_id = {c.id: c.name for c in label_set.classes}
path = {row["num_groups"]: row for row in result["path"]}
base = result["baseline"]
most = max(path)
if most < 2:
    st.info("There is only one label: nothing can be merged.")
    st.stop()
number = st.slider(
    "Number of labels",
    1,
    most,
    max(1, most - 2),
    key="labels",
    bind="query-params",
    help="Along the greedy path: from no merge down to one label.",
)
row = path[number]


def change(key: str) -> str | None:
    """Difference to the unmerged labels, in points of percent."""
    return None if row[key] is None or base[key] is None else f"{100 * (row[key] - base[key]):+.2f} points"


cards = st.columns(5)
cards[0].metric(
    "Accuracy",
    state.percent(row["accuracy"]),
    change("accuracy"),
    border=True,
    height="stretch",
    help="It can only rise by merging, so it proves nothing alone.",
)
cards[1].metric(
    "Mean IoU",
    state.percent(row["mean_iou"]),
    change("mean_iou"),
    border=True,
    height="stretch",
    help="May rise without any confusion being resolved.",
)
cards[2].metric(
    "Lift over random",
    "–" if row["lift"] is None else f"{row['lift']:.3f}",
    border=True,
    height="stretch",
    help="(accuracy - expected) / (1 - expected), expected over random merges of the same group sizes. Above 0 only where labels that are "
    "truly confused were merged.",
)
cards[3].metric(
    "Entropy kept",
    state.percent(row["retained_entropy"]),
    border=True,
    height="stretch",
    help="How much of the labels' own entropy the merged labels keep.",
)
cards[4].metric(
    "Honest accuracy",
    "–" if row["honest_accuracy"] is None else f"{row['honest_accuracy']:.3f}",
    None
    if row["honest_accuracy"] is None or base["honest_accuracy"] is None
    else f"{row['honest_accuracy'] - base['honest_accuracy']:+.3f}",
    border=True,
    height="stretch",
    help="Information that the prediction gives about the merged label, divided by that label's entropy (Theil's U): "
    "0 for chance, 1 for perfect.",
)

chart, table = st.columns([3, 2], gap="large")
with chart:
    figure = charts.compression_curve(result["path"], number, result.get("front") or ())
    st.plotly_chart(figure, key="curve", config=state.CHART, alt="Accuracy and mean IoU against the entropy kept")
with table:
    merged = [group for group in row["groups"] if len(group) > 1]
    st.markdown("**Merged labels**" if merged else "**No labels are merged**")
    for group in merged:
        st.markdown("- " + " + ".join(by_id[i] for i in group))
    st.dataframe(
        [
            {"what": title, "before": base[key], "after": row[key]}
            for key, title in (
                ("accuracy", "accuracy"),
                ("mean_iou", "mean IoU"),
                ("kappa", "kappa"),
                ("entropy_bits", "entropy, bits"),
                ("information_bits", "information, bits"),
                ("honest_accuracy", "honest accuracy"),
            )
        ],
        hide_index=True,
        column_config={"before": st.column_config.NumberColumn(format="%.4f"), "after": st.column_config.NumberColumn(format="%.4f")},
        alt="Before and after the merge",
    )
    with st.popover("Save as a label map", icon=":material/save:"):
        name = st.text_input("Name", f"merged-{number}")
        if st.button("Save", key="save_map"):
            with state.errors_shown():
                workspace.scores.save_label_map(run, row["groups"], name)
            st.toast(f"Saved {name}: choose it on the train page.")
st.subheader("Pairs worth a thought", anchor=False)
ADVICE = {
    "merge": ("green", ":material/merge:"),
    "ensemble": ("blue", ":material/groups:"),
    "collect": ("orange", ":material/add_a_photo:"),
}
for verdict in result["verdicts"][:6]:
    color, icon = ADVICE.get(verdict["action"], ("gray", ":material/do_not_disturb_on:"))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(verdict["action"], color=color, icon=icon, width=110)  # type: ignore[arg-type]
        first, second = verdict["pair"]
        st.markdown(f"**{state.plain(by_id[first])} + {state.plain(by_id[second])}**: {state.plain(verdict['reason'])}")
st.caption(f"From the counts of {run} on {split}. Choose a merge on validation, report it on test.")
