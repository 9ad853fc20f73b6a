"""What a run asks of a scheduler (Slurm, Kubernetes): fields, the template of its jobs, partitions."""

import streamlit as st

from segcore.config.requests import JOB_FIELDS, job_fields, job_request
from segcore.errors import SegcoreError
from segcore.ui.shared import session, tables
from segcore.ui.train.presets import key

TITLES = {"gpus": "GPUs", "cpus": "CPUs", "qos": "QOS", "time": "Time limit"}
FIRST = ("gpus", "cpus", "memory", "time", "partition", "queue", "namespace")
"""The order of the fields; those that are absent here follow."""


def pick_job(begun: str, title: str) -> str:
    """Draw the fields of a job, its template and its scheduler; return the config's device.

    Args:
        begun: The device that the form begins with.
        title: The scheduler's name.
    """
    name = begun.partition(":")[0]
    try:
        given = job_fields(begun)
    except SegcoreError:
        given = {}
    forms = JOB_FIELDS[name]
    order = sorted(forms, key=lambda field: FIRST.index(field) if field in FIRST else len(FIRST))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        fields = {
            field: st.text_input(
                TITLES.get(field, field.capitalize()),
                given.get(field, ""),
                key=key(f"job_{name}_{field}"),
                placeholder="as in template",
                width=150,
                help=f"For example {forms[field][1]}. Empty: what the template below says.",
            ).strip()
            for field in order
        }
    chosen = job_request(name, fields)
    try:
        job_fields(chosen)
    except SegcoreError as error:
        st.error(str(error), icon=":material/error:")
    st.caption(
        f"The run becomes one job of {title}. All nodes must see the workspace under the same path."
    )
    _scheduler(name, title)
    _template(name)
    return chosen


def _scheduler(name: str, title: str) -> None:
    """Draw on request whether the scheduler answers, with its partitions."""
    schedulers = session.workspace().schedulers
    if st.button(f"Check {title}", key=f"check_{name}", icon=":material/lan:"):
        try:
            report = schedulers.report(name)
        except SegcoreError as error:
            st.error(str(error), icon=":material/error:")
        else:
            st.caption(f"{title} {session.plain(report.version)} answers.")
            if not report.partitions:
                st.caption("It lists no queues.")
                return
            tables.draw(
                [
                    {
                        "name": part.name,
                        "state": "up" if part.is_up else "down",
                        "longest job": part.time or "unknown",
                        "nodes": part.nodes or None,
                        "GPUs a node": part.gpus or "none",
                    }
                    for part in report.partitions
                ],
                alt=f"Partitions of {title}",
            )


def _template(name: str) -> None:
    """Draw the switch that shows the template of every job, to be edited."""
    schedulers = session.workspace().schedulers
    if not st.toggle("Edit job template", key=f"edit_template_{name}"):
        return
    with session.errors_shown():
        text = schedulers.template(name)
        if not text:
            st.caption("There is none yet: the first run writes it.")
            if st.button("Write template", key=f"write_template_{name}"):
                schedulers.write_template(name)
                st.rerun()
            return
        edited = st.text_area(
            "Template of every job",
            text,
            key=f"template_{name}_{hash(text)}",
            height=420,
            help="Saved with the workspace, for all its runs.",
        )
        if st.button("Save template", key=f"save_template_{name}", disabled=edited == text):
            schedulers.set_template(name, edited)
            st.rerun()
