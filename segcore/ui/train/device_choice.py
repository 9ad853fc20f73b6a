"""Where a run works: this machine's processor, any of its GPUs, or a cluster; each device with its memory, load and temperature."""

from collections.abc import Sequence

import streamlit as st

from segcore.errors import SegcoreError
from segcore.ui.shared import session, tables
from segcore.ui.train.presets import key

GIB = 1 << 30
TITLES = {"auto": "By itself", "cpu": "Processor", "gpu": "Chosen GPUs", "cluster": "Cluster"}
HELP = (
    "By itself: the first free GPU, else the processor. Several GPUs share each batch. A "
    "cluster chooses the machine."
)
SHARES = {
    "cluster": "One where there is any",
    "cluster:cpu": "None",
    **{f"cluster:{n}": str(n) for n in (1, 2, 4, 8)},
}
"""How many GPUs a run gets of a cluster, by what a config says."""


def pick_device(begun: str) -> str:
    """Draw the devices and the choice among them; return it as a config says it.

    Args:
        begun: What the form begins with; a GPU that is not here stays a choice, for the run may
            have been another machine's.
    """
    devices = session.workspace().runs.devices()
    gpus = [device.id for device in devices if device.id != "cpu"]
    gpus += [name for name in _names(begun) if name.startswith("gpu:") and name not in gpus]
    start = "gpu" if begun.startswith("gpu:") else begun.partition(":")[0]
    kinds = [kind for kind in TITLES if kind != "gpu" or gpus]
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
        chosen = begun if start == kind and kind in ("gpu", "cluster") else str(kind)
        if kind == "gpu":
            named = [gpu for gpu in _names(begun) if gpu in gpus] or gpus[:1]
            told = "One or more; each batch is divided among them."
            picked = (
                st.pills(
                    "GPUs", gpus, selection_mode="multi", default=named, key=key("gpus"), help=told
                )
                or gpus[:1]
            )
            chosen = ",".join(gpu for gpu in gpus if gpu in picked)
        if kind == "cluster":
            shares = list(dict.fromkeys([*SHARES, chosen]))
            chosen = str(
                st.selectbox(
                    "GPUs for a run",
                    shares,
                    shares.index(chosen),
                    lambda s: SHARES.get(s, s),
                    key=key("cluster_gpus"),
                    width=220,
                    help=(
                        "What a run asks of the cluster; it waits until one worker has that "
                        "much free."
                    ),
                )
            )
    if kind == "cluster":
        _cluster()
    else:
        _cards(_names(chosen))
    return chosen


def _names(device: str) -> list[str]:
    return [part.strip() for part in device.split(",") if part.strip()]


def _cards(chosen: Sequence[str]) -> None:
    """Draw a card a device; those that the run would get are marked."""
    devices = session.workspace().runs.devices()
    gpus = [device.id for device in devices if device.id != "cpu"]
    own = (gpus[:1] or ["cpu"]) if list(chosen) == ["auto"] else chosen
    columns = st.columns(max(3, min(4, len(devices))))
    for number, device in enumerate(devices):
        with columns[number % len(columns)].container(border=True, height="stretch"):
            mark = (
                ":material/check_circle:"
                if device.id in own
                else ":material/radio_button_unchecked:"
            )
            words = f"{device.cores} cores" if device.cores else device.id
            st.markdown(f"{mark} **{words}** :gray[{session.plain(device.name)}]")
            used = device.memory_used / device.memory if device.memory else 0.0
            st.progress(
                min(used, 1.0),
                text=f"{device.memory_used / GIB:.1f} of {device.memory / GIB:.1f} GiB in use",
            )
            facts = [f"{100 * device.load:.0f} % busy"] if device.load is not None else []
            facts += [f"{device.temperature:.0f} °C"] if device.temperature is not None else []
            st.caption(" · ".join(facts) or "Load and temperature are not told.")


def _cluster() -> None:
    """Draw the cluster's address, kept for all who use the workspace, and its workers on request."""
    queue = session.workspace().queue
    try:
        known = queue.cluster
    except SegcoreError as error:
        st.warning(str(error), icon=":material/warning:")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        address = st.text_input(
            "Address of its scheduler",
            known,
            key="cluster_address",
            placeholder="tcp://10.0.0.5:8786",
            width=320,
            help="As dask scheduler prints it when it starts; kept for all runs of this workspace.",
        )
        asked = st.button(
            "Keep and ask its workers",
            key="cluster_keep",
            icon=":material/lan:",
            disabled=not address.strip(),
        )
    if not asked:
        st.caption(
            (
                "Dask distributed; all machines see the workspace under one path. The address "
                "holds for all runs of this workspace."
            )
            if known
            else ":orange[:material/warning:] No cluster is named yet: a run for it would fail."
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
        st.caption("It answers, and has no worker yet: start one on each machine.")
