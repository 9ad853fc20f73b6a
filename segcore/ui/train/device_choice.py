"""The choice of a device: CPU, GPUs, a cluster or a scheduler, with memory, load, temperature."""

from collections.abc import Sequence

import streamlit as st

from segcore.config.requests import ELSEWHERE, JOB_FIELDS
from segcore.config.schema import Setting
from segcore.errors import SegcoreError
from segcore.formatting import GIB, gib
from segcore.ui.shared import session, tables
from segcore.ui.train import presets
from segcore.ui.train.fields import choose
from segcore.ui.train.job_choice import pick_job
from segcore.ui.train.presets import key

TITLES = {
    "auto": "Auto",
    "cpu": "CPU",
    "gpu": "GPUs",
    "cluster": "Cluster",
    "slurm": "Slurm",
    "kubernetes": "Kubernetes",
}
HELP = (
    "Auto: the first free GPU, else the CPU. Several GPUs share each batch. A cluster, Slurm and "
    "Kubernetes choose the machine."
)
SHARES = {
    "cluster": "One if available",
    "cluster:cpu": "None",
    **{f"cluster:{n}": str(n) for n in (1, 2, 4, 8)},
}
"""GPUs that a run gets on a cluster, by the config's value."""


def pick_engine(one: Setting) -> str:
    """Draw the choice among the engines that are installed, if there is one; return its name.

    Args:
        one: The field.
    """
    installed = session.workspace().runs.engines()
    begun = usable_engine(str(one.get(presets.begun())))
    if len(installed) < 2 and begun != "auto":
        return begun
    return choose(one, begun, [*installed, "auto"])


def usable_engine(engine: str) -> str:
    """Return an engine if it is installed or "auto", else the first that is installed."""
    installed = session.workspace().runs.engines()
    return engine if engine in (*installed, "auto") or not installed else installed[0]


def pick_device(begun: str, engine: str) -> str:
    """Draw the devices and the choice among them; return the config's value.

    Args:
        begun: What the form begins with; a GPU that is not here stays a choice, for the run may
            have been another machine's.
        engine: What would compute on them.
    """
    devices = session.workspace().runs.devices()
    gpus = [device.id for device in devices if device.id != "cpu"]
    gpus += [name for name in _names(begun) if name.startswith("gpu:") and name not in gpus]
    start = "gpu" if begun.startswith("gpu:") else begun.partition(":")[0]
    schedulers = session.workspace().schedulers.installed()
    kinds = [
        kind
        for kind in TITLES
        if (kind != "gpu" or gpus) and (kind not in JOB_FIELDS or kind in (*schedulers, start))
    ]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kind = st.segmented_control(
            "Device",
            kinds,
            default=start,
            format_func=TITLES.__getitem__,
            key=key("device"),
            help=HELP,
            required=True,
        )
        chosen = begun if start == kind and kind in ("gpu", *ELSEWHERE) else str(kind)
        if kind == "gpu":
            chosen = _pick_gpus(gpus, begun)
        if kind == "cluster":
            chosen = _pick_share(chosen)
    if kind == "cluster":
        _cluster()
    elif kind in JOB_FIELDS:
        chosen = pick_job(chosen, TITLES[kind])
    else:
        _cards(_names(chosen), engine)
    return chosen


def _pick_gpus(gpus: Sequence[str], begun: str) -> str:
    """Draw the choice among GPUs; the first where none is picked."""
    named = [gpu for gpu in _names(begun) if gpu in gpus] or gpus[:1]
    help_text = "One or more; each batch is divided among them."
    picked = st.pills(
        "GPUs", gpus, selection_mode="multi", default=named, key=key("gpus"), help=help_text
    )
    return ",".join(gpu for gpu in gpus if gpu in (picked or gpus[:1]))


def _pick_share(begun: str) -> str:
    """Draw how many GPUs a run requests of a cluster."""
    shares = list(dict.fromkeys([*SHARES, begun]))
    return str(
        st.selectbox(
            "GPUs per run",
            shares,
            shares.index(begun),
            lambda s: SHARES.get(s, s),
            key=key("cluster_gpus"),
            width=220,
            help="GPUs that a run requests; it waits until one worker has them free.",
        )
    )


def _names(device: str) -> list[str]:
    return [part.strip() for part in device.split(",") if part.strip()]


def _cards(chosen: Sequence[str], engine: str) -> None:
    """Draw a card per device; those that the run would use are marked."""
    devices = session.workspace().runs.devices()
    gpus = [device.id for device in devices if device.id != "cpu"]
    verdicts = {
        device.id: session.workspace().doctor.verdict(device.id, engine) for device in devices
    }
    seen = [gpu for gpu in gpus if verdicts[gpu].usable]
    own = (seen[:1] or ["cpu"]) if list(chosen) == ["auto"] else chosen
    columns = st.columns(2)
    for number, device in enumerate(devices):
        with columns[number % len(columns)].container(border=True, height="stretch"):
            verdict = verdicts[device.id]
            mark = (
                ":material/check_circle:"
                if device.id in own
                else ":material/radio_button_unchecked:"
            )
            mark = mark if verdict.usable else ":red[:material/block:]"
            words = f"{device.cores} cores" if device.cores else device.id
            st.markdown(f"{mark} **{words}** :gray[{session.plain(device.name)}]")
            used = device.memory_used / device.memory if device.memory else 0.0
            st.progress(
                min(used, 1.0),
                text=f"{device.memory_used / GIB:.1f} of {gib(device.memory)} in use",
            )
            facts = [f"{100 * device.load:.0f} % busy"] if device.load is not None else []
            facts += [f"{device.temperature:.0f} °C"] if device.temperature is not None else []
            st.caption(" · ".join(facts) or "Load and temperature unknown")
            if not verdict.usable:
                st.markdown(f":red[{session.plain(verdict.reason)}]")
            if verdict.command:
                st.code(verdict.command, language="bash", wrap_lines=True)


def _cluster() -> None:
    """Draw the cluster's address, saved with the workspace, and its workers on request."""
    queue = session.workspace().queue
    try:
        known = queue.cluster
    except SegcoreError as error:
        st.warning(str(error), icon=":material/warning:")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        address = st.text_input(
            "Scheduler address",
            known,
            key="cluster_address",
            placeholder="tcp://10.0.0.5:8786",
            width=320,
            help="As dask scheduler prints it at its start; saved for all runs of this workspace.",
        )
        asked = st.button(
            "Save and list workers",
            key="cluster_keep",
            icon=":material/lan:",
            disabled=not address.strip(),
        )
    if not asked:
        st.caption(
            (
                "Dask distributed; all machines must see the workspace under the same path. The "
                "address is used by all runs of this workspace."
            )
            if known
            else ":orange[:material/warning:] No cluster is set yet: the run would fail."
        )
        return
    try:
        if address.strip() != known:
            queue.set_cluster(address.strip())
        workers = queue.cluster_workers()
    except SegcoreError as error:
        st.error(str(error), icon=":material/error:")
        return
    if workers:
        tables.draw(
            [
                {
                    "worker": w.name,
                    "machine": w.host,
                    "GPUs": w.gpus,
                    "threads": w.threads,
                }
                for w in workers
            ],
            alt="Workers of the cluster",
        )
    else:
        st.caption("The scheduler has no workers yet: start one on each machine.")
