"""Kubernetes by ``kubectl``: a run is one Job, made from a template in the workspace.

The template is a Job in YAML. The fields of a run replace values in it, and its first container gets
the run as arguments; nothing is put together as text. A Job that a queue of Kueue holds, or whose
pod has to make room, is begun again by Kubernetes, and the run continues.
"""

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from segcore.config.requests import KUBERNETES, job_fields
from segcore.runs.dispatch.clients import Answer, NoAnswer, ask, is_installed, one_line
from segcore.runs.dispatch.schedulers import JobState, Partition, Refused
from segcore.runs.machine.disk import read_bytes, write_bytes

NO_IMAGE = "REGISTRY/segscope:VERSION"
TEMPLATE = """\
# How Segscope submits runs with the device "kubernetes". Written once: edit it as you like.
# Name, labels and arguments come from Segscope; fields of a run (kubernetes:gpus=2,queue=team)
# replace the values below.
apiVersion: batch/v1
kind: Job
metadata: {{}}
#  namespace: vision
#  labels:
#    kueue.x-k8s.io/queue-name: team
spec:
  backoffLimit: 0
  ttlSecondsAfterFinished: 86400
  podFailurePolicy:    # a pod that has to make room is begun again, and the run continues
    rules:
    - action: Ignore
      onPodConditions:
      - type: DisruptionTarget
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 180    # time to save
      containers:
      - name: run
        image: {image}    # with Segscope, in the same version as here
        command: [python]
        resources:
          limits:
            nvidia.com/gpu: 1
            cpu: 4
            memory: 16Gi
        volumeMounts:
        - name: workspace    # the folder of the workspace itself; datasets outside it need a mount too
          mountPath: {folder}
      volumes:
      - name: workspace
        persistentVolumeClaim:
          claimName: segscope
"""
MANAGED = "app.kubernetes.io/managed-by"
TOKEN = "segscope/token"
QUEUE = "kueue.x-k8s.io/queue-name"
LOG_LINES = 50
_UNREACHABLE = re.compile(
    r"unable to connect|connection|timeout|timed out|\beof\b|was refused|request canceled|"
    r"serviceunavailable|deadline exceeded|try again|too many requests|no such host",
    re.IGNORECASE,
)
_PULLING = ("ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull")
_STARTING = ("ContainerCreating", "PodInitializing", "")


class Kubernetes:
    """Kubernetes as :class:`segcore.runs.dispatch.schedulers.Scheduler`.

    Args:
        workspace: Folder of the workspace, which holds the template.
    """

    name, title, part = KUBERNETES, "Kubernetes", "queue"

    def __init__(self, workspace: Path) -> None:
        self._workspace = workspace

    def is_here(self) -> bool:
        """Whether its client is installed on this machine and knows a cluster."""
        known = any(os.environ.get(name) for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"))
        return is_installed("kubectl") and (known or (Path.home() / ".kube" / "config").exists())

    @property
    def template(self) -> Path:
        """The Job that every run is submitted as."""
        return self._workspace / "kubernetes.yaml"

    def write_template(self) -> Path:
        """Write the template where there is none, and return its path.

        Raises:
            SegcoreError: The workspace cannot be written.
        """
        if not self.template.exists():
            folder = json.dumps(str(self._workspace), ensure_ascii=False)
            text = TEMPLATE.format(image=NO_IMAGE, folder=folder)
            write_bytes(self.template, text.encode())
        return self.template

    def check(self, request: str) -> None:
        """Refuse a request in a form that is not known.

        Raises:
            SegcoreError: It is.
        """
        job_fields(request)

    def submit(self, folder: Path, token: str, request: str) -> str:
        """Submit a run and return its Job as "namespace/name".

        Raises:
            Refused: Kubernetes does not take it, or the template is no Job.
            NoAnswer: It did not answer; the Job may be there all the same.
            SegcoreError: The template cannot be read or written.
        """
        job = self.manifest(folder, token, request)
        answer = _kubectl(["apply", "--filename=-", "--output=json"], json.dumps(job, default=str))
        if answer.code == 0:
            made = _parse(answer)
            namespace = _dig(made, "metadata", "namespace")
            return f"{namespace or ''}/{job['metadata']['name']}"
        if _UNREACHABLE.search(answer.message):
            raise NoAnswer(f"Kubernetes could not be reached ({answer.message}).")
        raise Refused(
            f"Kubernetes refused the Job ({answer.message}): correct the fields of the device or "
            f"{self.template.name} in the workspace, then resume the run."
        )

    def manifest(self, folder: Path, token: str, request: str) -> dict[str, Any]:
        """Return the Job of a run: the template with its name, labels, fields and arguments.

        Raises:
            Refused: The template is no Job with a container and an image.
            SegcoreError: It cannot be read, or the request has another form.
        """
        fields = job_fields(request)
        job, container = self._read_template()
        labels = {MANAGED: "segscope", TOKEN: token}
        stem = re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-")[:30].strip("-")
        metadata = _mapping(job, "metadata")
        metadata["name"] = f"segscope-{stem}-{token[:10]}"
        _mapping(metadata, "labels").update(labels)
        if "queue" in fields:
            metadata["labels"][QUEUE] = fields["queue"]
        if "namespace" in fields:
            metadata["namespace"] = fields["namespace"]
        _mapping(_mapping(_mapping(job, "spec"), "template"), "metadata").setdefault("labels", {})
        job["spec"]["template"]["metadata"]["labels"].update(labels)
        _set_resources(_mapping(container, "resources"), fields)
        place = next(
            (m.get("mountPath") for m in _items(container, "volumeMounts") if _is_workspace(m)),
            None,
        )
        inside = Path(str(place)) / "runs" / folder.name if place else folder
        words = ["-P", "-m", "segcore.runs.dispatch.scheduler_job", KUBERNETES, str(inside), token]
        # Kubernetes reads "$(NAME)" in arguments; "$$" is one "$".
        container["args"] = [word.replace("$", "$$") for word in words]
        pod = {
            "name": "SEGSCOPE_POD",
            "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}},
        }
        container["env"] = [*_items(container, "env"), pod]
        return job

    def _read_template(self) -> tuple[dict[str, Any], dict[str, Any]]:
        path = self.write_template()
        try:
            job = yaml.safe_load(read_bytes(path))
        except yaml.YAMLError as error:
            raise Refused(f"Expected YAML in {path} ({one_line(str(error))}): correct it.") from (
                error
            )
        containers = _items(_dig(job, "spec", "template", "spec"), "containers")
        if not isinstance(job, dict) or job.get("kind") != "Job" or not containers:
            raise Refused(
                f"Expected a Job with a container in {path}, found something else: correct it, or "
                "remove that file to get a new one."
            )
        if containers[0].get("image") in (None, "", NO_IMAGE):
            raise Refused(
                f"Expected an image with Segscope in {path}, found none: name it there, then "
                "resume the run."
            )
        return job, containers[0]

    def look(self, ids: Sequence[str]) -> dict[str, JobState]:
        """Return how Jobs are; those that are gone are left out.

        Raises:
            NoAnswer: Kubernetes does not answer.
        """
        states: dict[str, JobState] = {}
        for namespace in dict.fromkeys(id.partition("/")[0] for id in ids):
            answer = _kubectl(
                [
                    "get",
                    "jobs,pods",
                    *_in_namespace(namespace),
                    f"--selector={MANAGED}=segscope",
                    "--output=json",
                ]
            )
            if answer.code != 0:
                raise NoAnswer(f"Kubernetes could not be reached ({answer.message}).")
            items = _items(_parse(answer), "items")
            for job in (item for item in items if item.get("kind") == "Job"):
                id = f"{namespace}/{_dig(job, 'metadata', 'name')}"
                if id in ids:
                    states[id] = self._job_state(id, job, _pods_of(job, items))
        return states

    def _job_state(self, id: str, job: dict[str, Any], pods: list[dict[str, Any]]) -> JobState:
        name = id.partition("/")[2]
        conditions = {
            str(c.get("type")): c
            for c in _items(_dig(job, "status"), "conditions")
            if c.get("status") == "True"
        }
        if "Complete" in conditions:
            return JobState("ended", f"Its Job {name} ended before it could say why: see its log")
        if "Failed" in conditions:
            words = _why_ended(pods) or _said(conditions["Failed"])
            return JobState("ended", f"Its Job {name} {words}", self._log(id))
        if _dig(job, "spec", "suspend") is True:
            queue = _dig(job, "metadata", "labels", QUEUE)
            where = f"the queue {queue} has room for it" if queue else "it is no longer suspended"
            return JobState("waiting", f"Waits until {where} (Job {name})")
        living = [p for p in pods if _dig(p, "status", "phase") in ("Pending", "Running")]
        if not living:
            return JobState("waiting", f"Waits for its pod (Job {name})")
        pod = living[-1]
        if _dig(pod, "status", "phase") == "Running":
            node = one_line(str(_dig(pod, "spec", "nodeName") or "its node"))
            return JobState("active", f"Starting on {node} (Job {name})")
        return JobState("waiting", f"{_why_waiting(pod)} (Job {name})")

    @staticmethod
    def _log(id: str) -> str:
        """Return the end of what a Job's container said; "" where that cannot be had."""
        namespace, _, name = id.partition("/")
        try:
            answer = _kubectl(
                ["logs", f"job/{name}", *_in_namespace(namespace), f"--tail={LOG_LINES}"]
            )
        except NoAnswer:
            return ""
        lines = answer.output.splitlines()[-LOG_LINES:] if answer.code == 0 else []
        return "\n".join(one_line(line) for line in lines)

    def cancel(self, id: str) -> None:
        """Delete a Job with its pod, which gets time to save; one that is gone is left alone.

        Raises:
            NoAnswer: Kubernetes does not answer.
        """
        namespace, _, name = id.partition("/")
        options = ["--ignore-not-found", "--wait=false"]
        answer = _kubectl(["delete", "job", name, *_in_namespace(namespace), *options])
        if answer.code != 0:
            raise NoAnswer(f"Kubernetes could not be reached ({answer.message}).")

    def version(self) -> str:
        """Return the version of the cluster.

        Raises:
            NoAnswer: It does not answer.
        """
        answer = _kubectl(["version", "--output=json"])
        server = _dig(_parse(answer), "serverVersion", "gitVersion") if answer.code == 0 else None
        if not server:
            raise NoAnswer(f"Kubernetes could not be reached ({answer.message}).")
        return one_line(str(server))

    def partitions(self) -> list[Partition]:
        """Return the queues of Kueue, none where it is not installed.

        Raises:
            NoAnswer: Kubernetes does not answer.
        """
        answer = _kubectl(["get", "localqueues.kueue.x-k8s.io", "--output=json"])
        if answer.code != 0 and _UNREACHABLE.search(answer.message):
            raise NoAnswer(f"Kubernetes could not be reached ({answer.message}).")
        queues = _items(_parse(answer), "items") if answer.code == 0 else []
        names = [one_line(str(_dig(queue, "metadata", "name") or "")) for queue in queues]
        return [Partition(name, True, "", 0, "") for name in names if name]


def _kubectl(words: Sequence[str], data: str = "") -> Answer:
    return ask(["kubectl", *words, "--request-timeout=10s"], data)


def _in_namespace(namespace: str) -> list[str]:
    return [f"--namespace={namespace}"] if namespace else []


def _parse(answer: Answer) -> Any:
    try:
        return json.loads(answer.output)
    except (ValueError, RecursionError) as error:
        raise NoAnswer("Kubernetes answered something that is no JSON.") from error


def _dig(value: Any, *keys: str) -> Any:
    """Return what lies under the keys, one below the other; None where anything else does."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _items(value: Any, key: str) -> list[dict[str, Any]]:
    found = _dig(value, key)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _mapping(owner: dict[str, Any], key: str) -> dict[str, Any]:
    """Return the mapping under a key, put there where it is absent."""
    if not isinstance(owner.get(key), dict):
        owner[key] = {}
    return owner[key]


def _is_workspace(mount: dict[str, Any]) -> bool:
    return mount.get("name") == "workspace"


def _set_resources(resources: dict[str, Any], fields: dict[str, str]) -> None:
    limits = _mapping(resources, "limits")
    names = {"cpus": "cpu", "memory": "memory"}
    for field, name in names.items():
        if field in fields:
            limits[name] = fields[field]
            _mapping(resources, "requests").pop(name, None)  # which then equals the limit
    if "gpus" in fields:
        gpu = next((name for name in limits if str(name).endswith("/gpu")), "nvidia.com/gpu")
        limits[gpu] = int(fields["gpus"])
        if not limits[gpu]:
            del limits[gpu]
    if not resources.get("requests", True):
        del resources["requests"]


def _pods_of(job: dict[str, Any], items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    token = _dig(job, "metadata", "labels", TOKEN)
    pods = [
        item
        for item in items
        if item.get("kind") == "Pod" and _dig(item, "metadata", "labels", TOKEN) == token
    ]
    return sorted(pods, key=lambda pod: str(_dig(pod, "metadata", "creationTimestamp")))


def _said(condition: dict[str, Any]) -> str:
    reason, message = condition.get("reason") or "Failed", condition.get("message") or ""
    return f"failed ({one_line(f'{reason}: {message}'.rstrip(': '))})"


def _why_ended(pods: list[dict[str, Any]]) -> str:
    """Return why the last pod of a Job ended, "was evicted (...)"; "" where it does not say."""
    if not pods:
        return ""
    status = _dig(pods[-1], "status")
    if _dig(status, "reason") == "Evicted":
        return f"was evicted ({one_line(str(_dig(status, 'message') or 'no message'))})"
    for container in _items(status, "containerStatuses"):
        ended = _dig(container, "state", "terminated") or {}
        if ended.get("reason") == "OOMKilled":
            return "needed more memory than it was given: ask for more (memory=...)"
        if ended.get("exitCode"):
            return f"ended with exit code {one_line(str(ended['exitCode']))} before it could say why: see its log"
    reason = _dig(status, "reason")
    return f"ended ({one_line(str(reason))})" if reason else ""


def _why_waiting(pod: dict[str, Any]) -> str:
    status = _dig(pod, "status")
    for condition in _items(status, "conditions"):
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return f"No node fits: {one_line(str(condition.get('message') or ''))}"
    for container in _items(status, "containerStatuses"):
        waiting = _dig(container, "state", "waiting") or {}
        reason = str(waiting.get("reason") or "")
        message = one_line(f"{reason}: {waiting.get('message') or ''}".rstrip(": "))
        if reason in _PULLING:
            return f"Its image cannot be had ({message}): correct it in kubernetes.yaml"
        if reason not in _STARTING:
            return f"Its container does not start ({message})"
    return "Its container is being made"
