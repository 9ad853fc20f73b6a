"""A kubectl with a cluster of its own in the folder $FAKE_CLUSTER; its answers have kubectl's forms.

Pods of applied Jobs run on this machine. What happens to them is in the file ``mode``: "run" (also
without that file), "unschedulable", "no image", "suspended", "evicted", "out of memory"; or of the
cluster itself: "down", "hangs". A pod whose name is in the file ``disrupt`` has to make room.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

CLUSTER = Path(os.environ["FAKE_CLUSTER"])


def main(words: list[str]) -> int:
    mode = _read("mode") or "run"
    if mode == "hangs":
        time.sleep(600)
    if mode == "down":
        print(
            "Unable to connect to the server: dial tcp 127.0.0.1:6443: connect: connection refused",
            file=sys.stderr,
        )
        return 1
    if not any(word.startswith("--request-timeout=") for word in words):
        return 64
    verbs = {"apply": _apply, "get": _get, "delete": _delete, "logs": _logs, "version": _version}
    return verbs[words[0]](words[1:], mode)


def _apply(words: list[str], mode: str) -> int:
    job = json.load(sys.stdin)
    assert words[0] == "--filename=-" and job["apiVersion"] == "batch/v1" and job["kind"] == "Job"
    name, pod = job["metadata"]["name"], job["spec"]["template"]
    if len(name) > 63 or pod["spec"]["containers"][0]["image"] == "forbidden":
        print(
            'Error from server (Forbidden): error when creating "STDIN": admission webhook denied '
            "the request",
            file=sys.stderr,
        )
        return 1
    job["metadata"].setdefault("namespace", "default")
    job["metadata"]["uid"] = f"uid-{name}"
    job["status"] = {}
    job["spec"]["suspend"] = mode == "suspended"
    _write(f"job {name}", job)
    if mode != "suspended":
        _start(job, 0)
    print(json.dumps(job))
    return 0


def _start(job: dict, number: int) -> None:
    """Begin a pod of a Job, as its controller does."""
    name = f"{job['metadata']['name']}-{number}"
    mode = _read("mode") or "run"
    template = job["spec"]["template"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "uid": f"uid-{name}",
            "labels": {**template["metadata"]["labels"], "job-name": job["metadata"]["name"]},
            "creationTimestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ") + f".{number}",
        },
        "spec": {**template["spec"], "nodeName": "node-1"},
        "status": {"phase": "Running", "containerStatuses": [_status({"running": {}})]},
    }
    if mode == "unschedulable":
        pod["status"] = {
            "phase": "Pending",
            "conditions": [
                {
                    "type": "PodScheduled",
                    "status": "False",
                    "reason": "Unschedulable",
                    "message": "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
                }
            ],
        }
    elif mode == "no image":
        waiting = {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "x:\x1b[2J1"'}
        pod["status"] = {
            "phase": "Pending",
            "containerStatuses": [_status({"waiting": waiting})],
        }
    elif mode == "evicted":
        pod["status"] = {
            "phase": "Failed",
            "reason": "Evicted",
            "message": "The node was low on resource: memory.",
        }
    elif mode == "out of memory":
        ended = {"reason": "OOMKilled", "exitCode": 137}
        pod["status"] = {"phase": "Failed", "containerStatuses": [_status({"terminated": ended})]}
    _write(f"pod {name}", pod)
    if mode == "run":
        container = pod["spec"]["containers"][0]
        arguments = [word.replace("$$", "$") for word in container["args"]]
        environment = {
            one["name"]: pod["metadata"]["uid"] if "valueFrom" in one else one["value"]
            for one in container["env"]
        }
        command = [sys.executable, __file__, "kubelet", name, *container["command"], *arguments]
        subprocess.Popen(
            command,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


def _status(state: dict) -> dict:
    return {"name": "run", "ready": "running" in state, "state": state}


def kubelet(name: str, command: list[str]) -> int:
    """Run a pod's container and write how it ended; end it where the pod is deleted or disrupted."""
    with open(CLUSTER / f"log {name}", "ab") as log:
        process = subprocess.Popen([sys.executable, *command[1:]], stdout=log, stderr=log)
    while process.poll() is None:
        if not (CLUSTER / f"pod {name}").exists() or _read("disrupt") == name:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
        time.sleep(0.05)
    if not (CLUSTER / f"pod {name}").exists():
        return 0
    pod = json.loads(_read(f"pod {name}"))
    job_name = pod["metadata"]["labels"]["job-name"]
    if _read("disrupt") == name:
        (CLUSTER / "disrupt").unlink()
        (CLUSTER / f"pod {name}").unlink()
        _start(json.loads(_read(f"job {job_name}")), int(name.rpartition("-")[2]) + 1)
        return 0
    code = process.returncode
    ended = {"exitCode": code, "reason": "Error" if code else "Completed"}
    pod["status"] = {
        "phase": "Failed" if code else "Succeeded",
        "containerStatuses": [_status({"terminated": ended})],
    }
    _write(f"pod {name}", pod)
    return 0


def _get(words: list[str], mode: str) -> int:
    if words[0].startswith("localqueues"):
        print('error: the server doesn\'t have a resource type "localqueues"', file=sys.stderr)
        return 1
    assert "--selector=app.kubernetes.io/managed-by=segscope" in words
    items = []
    for path in sorted(CLUSTER.glob("job *")):
        job = json.loads(path.read_text())
        pods = [
            json.loads(other.read_text())
            for other in sorted(CLUSTER.glob(f"pod {job['metadata']['name']}-*"))
        ]
        phase = pods[-1]["status"]["phase"] if pods else ""
        ended = {"Failed": "Failed", "Succeeded": "Complete"}.get(phase)
        if ended:
            reason = "BackoffLimitExceeded" if ended == "Failed" else "CompletionsReached"
            job["status"]["conditions"] = [{"type": ended, "status": "True", "reason": reason}]
        items += [job, *pods]
    print(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    return 0


def _delete(words: list[str], mode: str) -> int:
    name = words[1]
    for path in (*CLUSTER.glob(f"job {name}"), *CLUSTER.glob(f"pod {name}-*")):
        path.unlink()
    return 0


def _logs(words: list[str], mode: str) -> int:
    name = words[0].removeprefix("job/")
    for path in sorted(CLUSTER.glob(f"log {name}-*"))[-1:]:
        print(path.read_text())
    print(f"container of {name} said this")
    return 0


def _version(words: list[str], mode: str) -> int:
    print(json.dumps({"clientVersion": {}, "serverVersion": {"gitVersion": "v1.31.2"}}))
    return 0


def _read(name: str) -> str:
    try:
        return (CLUSTER / name).read_text()
    except FileNotFoundError:
        return ""


def _write(name: str, value: dict) -> None:
    temporary = CLUSTER / f".{name}.{os.getpid()}"
    temporary.write_text(json.dumps(value))
    temporary.rename(CLUSTER / name)


if __name__ == "__main__":
    if sys.argv[1] == "kubelet":
        sys.exit(kubelet(sys.argv[2], sys.argv[3:]))
    sys.exit(main(sys.argv[1:]))
