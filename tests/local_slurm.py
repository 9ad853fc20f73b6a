"""A real Slurm of one node on loopback: slurmctld and slurmd with a configuration of their own.

Neither munge nor cgroups nor an account are needed, but root is, as slurmd is written for it.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

CONFIGURATION = """\
ClusterName=segscope
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
AuthType=auth/none
CredType=cred/none
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1,batch_sched_delay=0,sched_min_interval=0
SlurmdTimeout=5
KillWait=5
ReturnToService=2
GresTypes=gpu
NodeName=node NodeHostname={host} NodeAddr=127.0.0.1 CPUs=8 RealMemory=8000 Gres=gpu:1 State=UNKNOWN
PartitionName=main Nodes=node Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str:
    """Say what keeps Slurm from running here; "" where nothing does."""
    absent = [name for name in ("slurmctld", "slurmd", "sbatch") if find(name) is None]
    if absent:
        return f"NO SLURM: no {', '.join(absent)}; install slurmctld, slurmd and slurm-client"
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "NO SLURM: slurmd needs root on Linux"
    return ""


def find(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


class LocalSlurm:
    """A controller and a node; ``environment`` lets clients find them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("state", "spool"):
            (folder / name).mkdir(parents=True)
        ports = [free_port(), free_port()]
        host = socket.gethostname().partition(".")[0]
        text = CONFIGURATION.format(
            host=host, controller_port=ports[0], node_port=ports[1], folder=folder
        )
        self.configuration = folder / "slurm.conf"
        self.configuration.write_text(text)
        (folder / "gres.conf").write_text("NodeName=node Name=gpu File=/dev/null\n")
        self.environment = {"SLURM_CONF": str(self.configuration)}
        self.controller = self._start("slurmctld", "-D", "-i")
        self.node = self.start_node()
        self.wait_for_node("idle")

    def start_node(self) -> subprocess.Popen:
        self.node = self._start("slurmd", "-D", "-N", "node")
        return self.node

    def _start(self, program: str, *options: str) -> subprocess.Popen:
        with open(self.folder / f"{program}.out", "ab") as output:
            return subprocess.Popen(
                [str(find(program)), *options],
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def ask(self, *command: str) -> str:
        done = subprocess.run(
            command,
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.stdout.strip()

    def wait_for_node(self, state: str, seconds: float = 120.0) -> None:
        end = time.monotonic() + seconds
        while self.ask("sinfo", "--noheader", "--format=%T").rstrip("*") != state:
            assert time.monotonic() < end, self.logs()
            time.sleep(0.1)

    def jobs(self) -> dict[str, str]:
        """The state of each job by its number."""
        lines = self.ask("squeue", "--noheader", "--states=all", "--format=%i %T").splitlines()
        return dict(line.split() for line in lines)

    def logs(self) -> str:
        return "\n".join(
            path.read_text(errors="replace")[-3000:] for path in sorted(self.folder.glob("*.log"))
        )

    def close(self) -> None:
        self.controller.send_signal(signal.SIGCONT)
        self.ask("scancel", "--state=RUNNING", "--user=root")
        self.ask("scancel", "--state=PENDING", "--user=root")
        for process in (self.node, self.controller):
            process.kill()
            process.wait()


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])
