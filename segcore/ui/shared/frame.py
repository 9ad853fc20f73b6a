"""What stands around every page: the workspace and what is under way, in the sidebar."""

import streamlit as st

from segcore.runs.folder.status import ACTIVE
from segcore.ui.shared import figures, session

LAYOUT = """<style>
[data-testid="stMainBlockContainer"] { padding: 4rem 3rem 4rem; }
@media (max-width: 640px) { [data-testid="stMainBlockContainer"] { padding: 4rem 1rem 2rem; } }
@media (max-width: 1300px) {
  [data-testid="stColumn"]:has(
    > [data-testid="stVerticalBlock"] > [data-testid="stElementContainer"]:only-child > [data-testid="stMetric"]
  ) {
    min-width: 11.5rem;
  }
  [data-testid="stMetricValue"] { font-size: 1.7rem; }
  [data-testid="stColumn"]:has(> [data-testid="stVerticalBlock"] > :only-child > [data-testid="stButtonGroup"]) { min-width: 14rem; }
  [data-testid="stColumn"]:has([data-testid="stDataFrame"]) { min-width: min(24rem, 100%); }
  [data-testid="stButtonGroup"] [role="radiogroup"], [data-testid="stButtonGroup"] [role="group"] { flex-wrap: wrap; }
}
</style>"""
"""Less air round the pages than Streamlit leaves: pictures and charts are what they are opened for.
In a narrow window figures, tables and choices go to a further row before they are cut.
"""


def layout() -> None:
    """Set how wide the margins of all pages are, and what gives way in a narrow window; no theme option does."""
    st.html(LAYOUT)


def sidebar() -> None:
    """Show the workspace's folder and its active runs below the navigation."""
    with st.sidebar:
        workspace = session.workspace()
        _active_runs()
        st.caption(
            f"Workspace `{workspace.folder}`",
            help="Set with --workspace or $SEGCORE_WORKSPACE when the app starts.",
        )


@st.fragment(run_every=5)
def _active_runs() -> None:
    rows = [r for r in session.workspace().runs.rows() if r.status.state in ACTIVE]
    for row in rows[:3]:
        left = row.status.seconds_left
        text = f"{row.run}" + (f", {figures.duration(left)} left" if left else "")
        st.progress(min(max(row.status.progress, 0.0), 1.0), text=text)
