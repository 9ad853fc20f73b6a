"""Pictures of a merge: pixels of each merged pair, and whole images in the viewer."""

from collections.abc import Mapping

import streamlit as st

from segcore.ui import viewer
from segcore.ui.compress import queries
from segcore.ui.compress.queries import Groups
from segcore.ui.shared import cached_scores, session

PER_ROW = 4


def examples(run: str, split: str, groups: Groups, names: Mapping[int, str]) -> None:
    """Draw cut-outs of the pixels that merged labels are confused in.

    Args:
        run: Id of the run whose labels are merged.
        split: Name of a split.
        groups: Groups of class ids.
        names: Class names by id.
    """
    with session.errors_shown():
        pairs = session.workspace().merges.confused_pairs(run, split, groups)
    if not pairs:
        st.info(
            ("No two merged labels are confused with each other, so this merge resolves nothing."),
            icon=":material/info:",
        )
        return
    titles = {(a, b): f"{names[a]} and {names[b]}: {pixels:,} pixels" for a, b, pixels in pairs}
    session.prepare("example_pair", list(titles))
    pair = st.selectbox(
        "Merged pair, most confused first",
        list(titles),
        format_func=titles.__getitem__,
        key="example_pair",
    )
    with session.errors_shown():
        cutouts, images = queries.examples(run, split, pair)
    first, second = (session.plain(names[i]) for i in pair)
    if not cutouts:
        st.info(
            (f"{images} images confuse these labels, but none of them has probabilities on disk."),
            icon=":material/info:",
        )
        return
    st.caption(
        f"{images} images of {session.plain(split)} confuse {first} and {second}; those "
        f"with most such pixels are shown. Orange outline: {first} predicted as "
        f"{second}. Cyan outline: {second} predicted as {first}."
    )
    for start in range(0, len(cutouts), PER_ROW):
        for column, cutout in zip(
            st.columns(PER_ROW), cutouts[start : start + PER_ROW], strict=False
        ):
            with column:
                st.image(cutout.picture, width="stretch")
                st.caption(
                    f"{session.plain(cutout.sample)}: {cutout.forward:,} px of {first} predicted "
                    f"as {second}, {cutout.backward:,} the reverse."
                )
                if st.button(
                    "Open in Compare", key=f"example_{cutout.sample}", icon=":material/visibility:"
                ):
                    cached_scores.look_at(run, split, cutout.sample)


def view(run: str, split: str, groups: Groups) -> None:
    """Show whole images under the merged labels in the viewer.

    Args:
        run: Id of the run whose labels are merged.
        split: Name of a split.
        groups: Groups of class ids.
    """
    workspace = session.workspace()
    with session.errors_shown():
        samples = [
            s.id for s in workspace.scenes.predicted_samples(run, split) if s.mask is not None
        ]
        if not samples:
            st.info(
                (
                    f"No probabilities of {session.plain(split)} are on disk, so there is nothing to "
                    "show."
                ),
                icon=":material/info:",
            )
            return
        sample = session.choose_image(samples, "merged_sample", f"Image ({len(samples)} available)")
        done = [row.run for row in workspace.tiers.retrained(run, groups, split) if row.counted]
        shown = (
            {s.id for s in workspace.scenes.predicted_samples(done[0], split)} if done else set()
        )
        retrained = done[0] if sample in shown else ""
        stamps = " ".join(workspace.scores.stamp(r, split) for r in (run, retrained) if r)
        scene = queries.merged_scene(workspace, run, split, sample, groups, retrained, stamps)
    result = viewer.show(scene, key="merged", listen=("step",))
    if result.step:
        session.step(samples, "merged_sample", result.step)
