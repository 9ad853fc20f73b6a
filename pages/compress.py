"""Which labels could be merged?"""

import streamlit as st

from segcore import formatting
from segcore.config import EvaluateConfig, TrainConfig
from segcore.ui.compress import (
    back_off,
    charts,
    chooser,
    examples,
    manual_merge,
    queries,
    summary,
    tiers,
)
from segcore.ui.compress import verdict as advice
from segcore.ui.shared import (
    cached_scores,
    login,
    run_links,
    run_names,
    session,
    split_predictions,
)

ACTIONS = {
    "merge": ("green", ":material/merge:"),
    "ensemble": ("blue", ":material/groups:"),
    "collect": ("orange", ":material/add_a_photo:"),
    "train": ("orange", ":material/model_training:"),
}
SUGGESTED = 6
"""Suggestions that are listed at most."""

TABS = (
    "Tree and confusion",
    "Label flow",
    "Example pixels",
    "Merged masks",
    "Expected vs retrained",
    "Holdout check",
    "Back off",
)


def training_behind(run: str) -> dict[str, str]:
    """Return the link to a run's settings; of an ensemble to its first member's, of an import none."""
    config = workspace.runs.open(run).config
    if isinstance(config, EvaluateConfig):
        run, config = config.members[0], workspace.runs.open(config.members[0]).config
    return {"from_run": run} if isinstance(config, TrainConfig) else {}


workspace = session.workspace()
session.header(
    "Compress labels",
    "Which labels could be merged? Accuracy gained against information lost, from the stored "
    "counts.",
)

one, two, three, four = st.columns([5, 4, 5, 2], vertical_alignment="bottom", gap="small")
with one:
    run = session.choose_run()
with session.errors_shown():
    dataset = workspace.scenes.dataset_of(run)
splits = [s for s in dataset.splits if s]
asked = st.query_params.get("split")
if asked in splits and asked != st.session_state.get("linked_split"):
    st.session_state["linked_split"] = asked  # a link says the split, once
    session.request("merge_split", asked)
with two:
    # Merges are chosen on validation; the choice of other pages, mostly test, is not taken over.
    split = session.choose_split(splits, default="validation", key="merge_split")
with three:
    prior = str(
        st.segmented_control(
            "Entropy weighting",
            ["pixel", "image", "uniform", "importance"],
            default="pixel",
            key="prior",
            bind="query-params",
            required=True,
            help="How much a label counts: by its pixels, by the images that contain it, equally, "
            "or by the importance that you set. By pixel, merging rare labels looks free.",
        )
    )
if not split_predictions.offer((run,), split):
    st.stop()

with session.errors_shown():
    label_set = workspace.scores.label_set(run)
    pixels = queries.class_pixels(run, split)
by_id = {c.id: c.name for c in label_set.classes}
colors = dict(zip(by_id, session.hex_colors(label_set), strict=True))
if label_set.num_classes < 2:
    st.info("This run has a single label, so nothing can be merged.")
    st.stop()

with four, st.popover("Terms", icon=":material/tune:", width="stretch"):
    rate = st.number_input(
        "Trade-off rate",
        0.0,
        10.0,
        0.1,
        step=0.05,
        help="Percentage points of accuracy that you demand for each point of entropy given up "
        "(0 to 10). Merges that gain less are not suggested.",
    )
    apart = chooser.apart_pairs(by_id)
    importance = chooser.importance(by_id)
with session.errors_shown():
    what_if, bands = queries.what_if(run, split, prior, importance, apart, float(rate))

top = st.container()  # what the choice below amounts to, drawn once it is known
suggested, choice = st.columns([1, 1], gap="large")
with suggested:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.markdown("**Suggested merges**", width="stretch")
        st.caption("accuracy gained · entropy kept", width="content")
    weak = advice.too_weak(what_if.baseline.kappa)
    listed = advice.suggestions(what_if.verdicts, label_set.class_names, pixels)
    bits = what_if.baseline.entropy_bits
    if weak:
        st.info(advice.emphasised(weak), icon=":material/info:")
    elif not listed:
        st.caption("No two classes that occur in this split are confused enough to merge.")
    for pair_advice in [] if weak else listed[:SUGGESTED]:
        color, icon = ACTIONS.get(pair_advice.action, ("gray", ":material/do_not_disturb_on:"))
        first, second = (label_set.classes[i].id for i in pair_advice.pair)
        lost = pair_advice.lost_bits[prior]
        with st.container(horizontal=True, vertical_alignment="center"):
            st.badge(pair_advice.action, color=color, icon=icon, width=84)  # type: ignore[arg-type]
            st.markdown(
                f"**{session.plain(by_id[first])} + {session.plain(by_id[second])}**",
                help=session.plain(pair_advice.reason),
                width="stretch",
            )
            st.markdown(
                f":gray[{formatting.points(pair_advice.accuracy_gain)} · "
                f"{formatting.percent(1 - lost / bits if bits else None)}]",
                width="content",
            )
            st.button(
                "Preview",
                key=f"try_{first}_{second}",
                on_click=manual_merge.take,
                args=((first, second),),
                help="Merge only these two labels",
                type="tertiary",
            )
with choice:
    start = advice.first_merge(what_if.path, label_set.class_names, pixels)
    groups = chooser.choose(run, what_if, by_id, colors, apart, start)
    beside = st.container()

with top, session.errors_shown():
    found = queries.merge(run, split, groups, prior, importance, apart)
workspace.checklist.note("merge", dataset.name)
verdict = advice.judge(found, label_set.class_names, split, what_if.verdicts)
boxes = {
    "recommended": (st.success, ":material/check_circle:"),
    "rejected": (st.warning, ":material/cancel:"),
}
box, icon = boxes.get(verdict.kind, (st.info, ":material/info:"))
with top:
    box(advice.emphasised(verdict), icon=icon)
    summary.cards(found)
with beside:
    st.plotly_chart(
        charts.trade_off(what_if.path, what_if.front, bands, found.after),
        key="curve",
        config=session.CHART,
        alt="Accuracy and mean IoU against the entropy kept",
    )
    source = what_if.front_source
    compared = (
        f"All {source.compared:,} merges were compared."
        if source.certified
        else f"A search compared {source.compared:,} merges; others may be as good."
    )
    merged = ", ".join(
        " + ".join(session.plain(by_id[i]) for i in group) for group in groups if len(group) > 1
    )
    st.caption(compared + (f" Merged here: {merged}." if merged else ""))
summary.all_metrics(found)

session.prepare("merge_tab", TABS)
tabs = dict(
    zip(
        TABS,
        st.tabs(TABS, key="merge_tab", bind="query-params", on_change="rerun"),
        strict=True,
    )
)
if tabs["Label flow"].open:
    with tabs["Label flow"]:
        summary.flow(what_if, label_set, found)
elif tabs["Example pixels"].open:
    with tabs["Example pixels"]:
        examples.examples(run, split, groups, by_id)
elif tabs["Merged masks"].open:
    with tabs["Merged masks"]:
        examples.view(run, split, groups)
elif tabs["Expected vs retrained"].open:
    with tabs["Expected vs retrained"]:
        tiers.show(run, split, splits, groups, by_id)
elif tabs["Back off"].open:
    with tabs["Back off"]:
        back_off.show(run, split, splits)
elif tabs["Holdout check"].open:
    with tabs["Holdout check"]:
        terms = prior, importance, apart, float(rate)
        summary.reported(run, split, splits, groups, by_id, terms)
else:
    with tabs["Tree and confusion"], session.errors_shown():
        summary.tree(what_if, label_set, cached_scores.confusion(run, split), groups)

with st.popover("Save as label map", icon=":material/save:"):
    name = st.text_input("Name", f"merged-{len(groups)}")
    saved = st.button(
        "Save label map", key="save_map", icon=":material/save:", **login.editors_only()
    )
    trained = st.button(
        "Save and train with these labels",
        key="train_map",
        icon=":material/model_training:",
        **login.editors_only(),
    )
    if saved or trained:
        with session.errors_shown():
            workspace.scores.save_label_map(run, groups, name)
        st.toast(f"Saved {session.plain(name)}. Choose it on the Train page.")
        if trained:
            session.request("dataset", dataset.name)
            run_links.train_with(label_map=name, **training_behind(run))
outputs = [
    cached_scores.stage_title(stage).removeprefix("+ ")
    for stage in workspace.scores.stages(run, split)
]
of = f" ({outputs[0]}, without {', '.join(outputs[1:])})" if len(outputs) > 1 else ""
st.caption(
    f"From the counts of {session.plain(run_names.called(run))}{of} on {split}. Choose merges on "
    "validation and report them on test."
)
