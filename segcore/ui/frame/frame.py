"""What surrounds every page: the rail, the dataset switch, active runs, old links."""

import streamlit as st

from segcore.runs.folder.status import ACTIVE
from segcore.ui.frame import keyboard
from segcore.ui.shared import login, run_progress, session
from segcore.ui.shared.run_names import short_name

STYLE = """<style>
[data-testid="stMainBlockContainer"] { padding: 1rem 1.25rem 2rem; }
[data-testid="stHeader"] { background: none; pointer-events: none; height: 2.5rem; min-height: 0; }
[data-testid="stHeader"] button { pointer-events: auto; }
[data-testid="stCaptionContainer"] { opacity: .8; }
[data-testid^="stBaseButton"] kbd { color: inherit !important; opacity: 1; }
[data-testid="stMain"] [data-testid="stButtonGroup"] button { min-height: 2.5rem; }
[data-testid="stMain"] [data-testid="stPageLink-NavLink"] { min-height: 2.5rem; }
[data-testid="stMain"] [data-testid="stButtonGroup"] [data-testid="stWidgetLabel"] button { min-height: 0; }
.page-title {
  position: absolute; width: 1px; height: 1px; margin: 0; overflow: hidden; clip-path: inset(50%);
}
[data-testid="stElementContainer"]:has(.page-title),
[data-testid="stElementContainer"]:has(style),
[data-testid="stElementContainer"]:has([data-testid="stBidiComponentRegular"] .no-space) { position: absolute; }
@media (min-width: 768px) {
  [data-testid="stSidebar"] { width: 5.25rem !important; min-width: 5.25rem !important; }
  [data-testid="stSidebarContent"] { scrollbar-width: none; scrollbar-gutter: auto; overflow-x: hidden; padding: 0 .25rem; }
  [data-testid="stSidebarHeader"] { padding: .75rem 0 .25rem; height: auto; justify-content: center; margin: 0; }
  [data-testid="stSidebarHeader"] img { height: 2rem; width: 2rem; object-fit: cover; object-position: left; margin: 0; }
  [data-testid="stNavSectionHeader"] { display: none; }
  [data-testid="stSidebarNav"] ul { padding: 0 .25rem; }
  [data-testid="stSidebarNavLinkContainer"] { margin: 0; }
  [data-testid="stSidebarNavLink"] {
    flex-direction: column; gap: 0; padding: .3rem 0 .25rem; margin: 0 0 1px; align-items: center; line-height: 1.2;
  }
  [data-testid="stSidebarNavLink"] > span { margin: 0; }
  [data-testid="stSidebarNavLink"] p, [data-testid="stSidebarNavLink"] span:not([data-testid="stIconMaterial"]) {
    font-size: .7rem; text-align: center; white-space: normal; line-height: 1.15;
  }
  [data-testid="stSidebarContent"] { display: flex; flex-direction: column; }
  [data-testid="stSidebarHeader"] { order: 0; }
  [data-testid="stSidebarUserContent"] { order: 1; padding: 0 .3rem .5rem; }
  [data-testid="stSidebarNav"] { order: 2; padding: 0; }
  [data-testid="stSidebarNavSeparator"] { display: none; }
  [data-testid="stSidebarNav"] section, [data-testid="stSidebarNavItems"] > * { margin: 0; padding-top: 0; }
  [data-testid="stSidebarUserContent"] [data-testid="stVerticalBlock"] { gap: .5rem; }
  [data-testid="stSidebarUserContent"] button { padding: .2rem .1rem; min-height: 0; width: 100%; }
  [data-testid="stSidebarUserContent"] button > div > div:first-child > span { display: flex; flex-direction: column; gap: 0; }
  [data-testid="stSidebarUserContent"] button > div > div:last-child:not(:first-child) { display: none; }
  [data-testid="stSidebarUserContent"] button p { font-size: .65rem; line-height: 1.1; overflow-wrap: anywhere; white-space: normal; }
  [data-testid="stSidebarUserContent"] [data-testid="stProgress"] p { font-size: .65rem; overflow-wrap: anywhere; }
}
@media (max-width: 640px) { [data-testid="stMainBlockContainer"] { padding: 3rem 1rem 2rem; } }
@media (max-width: 1100px) {
  [data-testid="stColumn"]:has([data-testid="stFileUploader"]) { min-width: 100%; }
  [data-testid="stColumn"]:has(.st-key-curve) { min-width: 100%; }
  [data-testid="stColumn"]:has(.st-key-run) { min-width: 17rem; }
  [data-testid="stColumn"]:has(
    > [data-testid="stVerticalBlock"] > [data-testid="stLayoutWrapper"]:only-child > [data-testid="stPopover"]
  ) { min-width: 9rem; }
  [data-testid="stMetricLabel"] * { white-space: normal; overflow: visible; }
  .st-key-gallery [data-testid="stColumn"] { min-width: calc(25% - 1rem); }
  [data-testid="stColumn"]:has(.st-key-crf_controls) { flex: 0 0 11.5rem; min-width: 0; }
  [data-testid="stColumn"]:has(.st-key-crf_controls) + [data-testid="stColumn"] { flex: 1 1 0; min-width: 0; }
  [data-testid="stColumn"]:has(
    > [data-testid="stVerticalBlock"] > [data-testid="stElementContainer"]:only-child > [data-testid="stButtonGroup"]
  ) { min-width: max-content; }
  [data-testid="stColumn"]:has(
    > [data-testid="stVerticalBlock"] > [data-testid="stElementContainer"]:only-child > [data-testid="stButton"]
  ) { min-width: max-content; }
  [data-testid="stColumn"]:has(
    > [data-testid="stVerticalBlock"] > [data-testid="stElementContainer"]:only-child > [data-testid="stSelectbox"]
  ) { min-width: 9rem; }
  [data-testid="stColumn"]:has(
    > [data-testid="stVerticalBlock"] > [data-testid="stElementContainer"]:only-child > [data-testid="stMultiSelect"]
  ) { min-width: 100%; }
  [data-testid="stColumn"]:has(
    > [data-testid="stVerticalBlock"] > [data-testid="stElementContainer"]:only-child > [data-testid="stNumberInput"]
  ) { min-width: 8rem; }
}
@media (max-width: 1300px) {
  [data-testid="stColumn"]:has(
    > [data-testid="stVerticalBlock"] > [data-testid="stElementContainer"]:only-child > [data-testid="stMetric"]
  ) { min-width: 11.5rem; }
  [data-testid="stMetricValue"] { font-size: 1.7rem; }
  [data-testid="stColumn"]:has([data-testid="stDataFrame"]) { min-width: min(24rem, 100%); }
  [data-testid="stButtonGroup"] [role="radiogroup"], [data-testid="stButtonGroup"] [role="group"] { flex-wrap: wrap; }
}
</style>"""
"""Margins, the navigation as a rail of icons, and what gives way in a narrow window.

No theme option sets these. The rail leaves its room to pictures and charts.
"""

DARK = """<style>
[data-testid^="stBaseButton-primary"]:not(:disabled), [data-testid^="stBaseButton-primary"]:not(:disabled) :is(p, span),
[data-testid="stMultiSelectTagsContainer"] [data-tag] span { color: #04201f; }
[data-testid="stMultiSelectTagsContainer"] [data-tag] svg path { stroke: #04201f; }
</style>"""
"""Dark letters on the light accent of the dark theme: white ones cannot be read there."""

OLD_LINKS: dict[str, dict[str, dict[str, str]]] = {
    "compare": {
        "view_of": {
            "Pictures": "Viewer",
            "Scores side by side": "Scores",
            "Fixed and broken": "Pixels",
        },
        "panels": {
            "Image": "image",
            "True mask": "truth",
            "Predicted mask": "prediction",
            "CRF mask": "crf",
            "Merged labels": "merged",
            "Error": "error",
            "Confidence": "confidence",
            "Entropy": "entropy",
            "Disagreement": "disagreement",
            "Fixed and broken": "difference",
        },
        "labels": {"as they are": "unmerged"},
    },
    "dataset": {
        "show": {
            "Balance": "Class balance",
            "Co-occurrence and places": "Co-occurrence and location",
        }
    },
    "evaluate": {
        "tab": {
            "Classes": "Overview",
            "Images, hardest first": "Overview",
            "Borders": "Overview",
            "A against B": "A/B test",
            "Parts of the split": "Slices and robustness",
            "Robustness": "Slices and robustness",
            "Reliability": "Slices and robustness",
            "Confidence": "Calibration and label errors",
            "Label errors": "Calibration and label errors",
        }
    },
    "compress": {
        "way": {
            "along the path": "Greedy",
            "by the tree": "Clustering",
            "by hierarchy": "Hierarchy",
            "by hand": "Manual",
        },
        "merge_tab": {
            "Labels to groups": "Label flow",
            "Predicted and realised": "Expected vs retrained",
            "Chosen and reported": "Holdout check",
        },
    },
}
"""What the selectors hold for choices in links of earlier versions, by page and parameter."""


def style() -> None:
    """Set margins, the rail and what the theme cannot, and let every page answer to its keys."""
    st.html(STYLE + keyboard.STYLE + (DARK if st.context.theme.type == "dark" else ""))
    keyboard.listen()


def translate_link(page: str) -> None:
    """Take over the choices of a link of an earlier version, before the page's selectors read them.

    Args:
        page: Path of the page, "compare".
    """
    for name, values in OLD_LINKS.get(page, {}).items():
        asked = st.query_params.get_all(name)
        today = SEVERAL.get(name, ())
        old = [v for v in asked if v in values and v != values[v] and v not in today]
        if not old or st.session_state.get(f"{name}:translated") == asked:
            continue
        st.session_state[f"{name}:translated"] = asked
        chosen = [values.get(value, value) for value in asked]
        session.request(name, chosen if name in SEVERAL else chosen[0])


SEVERAL = {"panels": ("Image", "Merged labels", "Confidence", "Entropy", "Disagreement")}
"""Parameters of selectors of several values, and the values that links of today hold too."""


def sidebar(page: str) -> None:
    """Show the dataset switch with the workspace's folder, and the active runs, in the rail.

    Args:
        page: Path of the page, "compare".
    """
    with st.sidebar:
        workspace = session.workspace()
        session.prepare_dataset(page)
        name = session.current_dataset()
        with st.popover(
            name or "Workspace", icon=":material/database:", width="stretch", help="Switch dataset"
        ):
            session.dataset_switch()
            st.caption(
                f"Workspace `{workspace.folder}`",
                help="Set with --workspace or $SEGCORE_WORKSPACE when the app starts.",
            )
        login.account()
        _active_runs()


@st.fragment(run_every=5)
@session.guarded
def _active_runs() -> None:
    rows = [r for r in session.workspace().runs.rows() if r.status.state in ACTIVE]
    for row in rows[:3]:
        run_progress.bar(row.status, name=short_name(row.run))
