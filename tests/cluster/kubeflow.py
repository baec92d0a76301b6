"""Steps of a compiled pipeline as Jobs on a cluster: the image, command, arguments and settings that the YAML names.

A pod first fetches the step's artifacts from S3, then runs the step, then stores what it made, each in a container of
its own: what Kubeflow's launcher does around a step. A step that fails by itself ends the run; a pod that the cluster
takes away is made again.
"""

import json
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cluster.access import Cluster
from tests.cluster.graph import Step

from ratchet.images import IMAGES

LOCAL = "/s3"  # where Kubeflow mounts the objects of s3://
CARRY = (Path(__file__).parent / "carry.py").read_text()
UNPRIVILEGED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True}
ALREADY_THERE = (409,)


class StepFailed(Exception):
    """A step ended badly, or did not end: the cluster's own words, and the end of what it printed."""


@dataclass
class Kubeflow:
    """What all steps of a run share: the cluster, a namespace, images, and how the object store is reached."""

    cluster: Cluster
    namespace: str
    image: Callable[[str], str]
    s3: Any
    store: Mapping[str, str]
    """AWS variables, for the containers that carry artifacts."""
    limit_s: float = 300
    watch: Callable[[str, str], None] = lambda step, job: None
    """Called with the step's name and its Job's, once the Job is made."""
    durations: dict[str, float] = field(default_factory=dict)

    def run(self, step: Step) -> dict[str, Any]:
        """The output parameters of the step, after its Job has succeeded."""
        began = time.monotonic()
        name = f"{step.name}-{uuid.uuid4().hex[:6]}"
        self.cluster.batch.create_namespaced_job(self.namespace, self._job(name, step))
        self.watch(step.name, name)
        self._wait(name, step.name)
        self.durations[step.name] = time.monotonic() - began
        return self._output(step)

    def _wait(self, job: str, step: str) -> None:
        end = time.monotonic() + self.limit_s
        while time.monotonic() < end:
            status = self.cluster.batch.read_namespaced_job(job, self.namespace).status
            if status.succeeded:
                return
            if status.conditions and any(c.type == "Failed" and c.status == "True" for c in status.conditions):
                raise StepFailed(f"step {step}: {self._said(job)}")
            time.sleep(0.5)
        raise StepFailed(f"step {step} did not end within {self.limit_s:g} s: {self._said(job)}")

    def _output(self, step: Step) -> dict[str, Any]:
        """What the step returned: the executor writes it to a file, which was carried to the store."""
        bucket, _, key = _place(step).removeprefix("s3://").partition("/")
        body = self.s3.get_object(Bucket=bucket, Key=f"{key}/output_metadata.json")["Body"].read()
        found: dict[str, Any] = json.loads(body).get("parameterValues", {})
        return found

    def _job(self, name: str, step: Step) -> dict[str, Any]:
        platform = step.platform
        metadata = {"labels": {**platform["podMetadata"]["labels"], "test": "pipeline"}}
        fail_as_kubeflow_does = [
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
            {"action": "FailJob", "onExitCodes": {"operator": "NotIn", "values": [0]}},
        ]
        return {
            "metadata": {"name": name},
            "spec": {
                "backoffLimit": 3,
                "podFailurePolicy": {"rules": fail_as_kubeflow_does},
                "template": {"metadata": metadata, "spec": self._pod(step)},
            },
        }

    def _pod(self, step: Step) -> dict[str, Any]:
        platform = step.platform
        folders = platform["emptyDirMounts"]
        mounts = [{"name": one["volumeName"], "mountPath": one["mountPath"]} for one in folders]
        mounts += [{"name": "objects", "mountPath": LOCAL}]
        user = {key: _plain(value) for key, value in platform["securityContext"].items()}
        claims = [(f"claim-{n}", one) for n, one in enumerate(platform["pvcMount"])]
        volumes = [{"name": n, "persistentVolumeClaim": {"claimName": c["pvcNameParameter"]}} for n, c in claims]
        claimed = [{"name": n, "mountPath": c["mountPath"]} for n, c in claims]
        return {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "activeDeadlineSeconds": int(platform["activeDeadlineSeconds"]),
            "securityContext": {**user, "seccompProfile": {"type": "RuntimeDefault"}},
            "nodeSelector": platform.get("nodeSelector", {}).get("nodeSelectorJson", {}),
            "tolerations": [one for found in platform.get("tolerations", []) for one in found["tolerationJson"]],
            "volumes": [
                *({"name": one["volumeName"], "emptyDir": _empty_dir(one)} for one in folders),
                {"name": "objects", "emptyDir": {}},
                *volumes,
            ],
            "initContainers": [
                self._carrier("fetch", mounts, [one["uri"] for several in step.inputs.values() for one in several]),
                {
                    "name": "step",
                    "image": self.image(_name_of(step.image)),
                    "command": step.command,
                    "args": step.args,
                    "env": _secrets(platform),
                    "resources": {"limits": _limits(step.resources), "requests": {"cpu": "100m", "memory": "256Mi"}},
                    "volumeMounts": [*mounts, *claimed],
                    "securityContext": UNPRIVILEGED,
                },
            ],
            "containers": [
                self._carrier("store", mounts, [_place(step), *(one["uri"] for one in step.outputs.values())])
            ],
        }

    def _carrier(self, verb: str, mounts: list[dict[str, Any]], uris: list[str]) -> dict[str, Any]:
        return {
            "name": verb,
            "image": self.image("base"),
            "command": ["python", "-c", CARRY, verb, *uris],
            "env": [{"name": key, "value": value} for key, value in self.store.items()],
            "volumeMounts": mounts,
            "securityContext": UNPRIVILEGED,
        }

    def _said(self, job: str) -> str:
        """The cluster's words about the job's pods, and the end of what the step printed."""
        pods = self.cluster.core.list_namespaced_pod(self.namespace, label_selector=f"job-name={job}").items
        names = {pod.metadata.name for pod in pods}
        events = self.cluster.core.list_namespaced_event(self.namespace).items
        words = [f"{one.reason}: {one.message}" for one in events if one.involved_object.name in names]
        logs = [self._log(pod.metadata.name, container) for pod in pods for container in ("fetch", "step", "store")]
        return "; ".join(dict.fromkeys(words)) + "\n" + "\n".join(logs)[-3000:]

    def _log(self, pod: str, container: str) -> str:
        from kubernetes.client import ApiException

        try:
            found = self.cluster.core.read_namespaced_pod_log(
                pod, self.namespace, container=container, _preload_content=False
            )
        except ApiException:  # a container that never started has no log
            return ""
        return str(found.data.decode(errors="replace"))


def _name_of(image: str) -> str:
    """The name in IMAGES of an image of the compiled pipeline."""
    return next(name for name, reference in IMAGES.items() if reference == image)


def _place(step: Step) -> str:
    """Where what the step returned is kept: beside its artifacts."""
    return f"{step.place}/executor"


def _secrets(platform: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "name": one["envVar"],
            "valueFrom": {
                "secretKeyRef": {
                    "name": found["secretNameParameter"],
                    "key": one["secretKey"],
                    "optional": found.get("optional", False),
                }
            },
        }
        for found in platform.get("secretAsEnv", [])
        for one in found["keyToEnv"]
    ]


def _limits(resources: Mapping[str, Any]) -> dict[str, str]:
    limits = {"cpu": str(resources["resourceCpuLimit"]), "memory": str(resources["resourceMemoryLimit"])}
    accelerator = resources.get("accelerator")
    if accelerator and accelerator["resourceCount"] != "0":
        limits[accelerator["resourceType"]] = accelerator["resourceCount"]
    return limits


def _empty_dir(mount: dict[str, Any]) -> dict[str, Any]:
    return {key: mount[key] for key in ("sizeLimit", "medium") if key in mount}


def _plain(value: Any) -> Any:
    """Numbers, which the compiled file has as text."""
    return int(value) if isinstance(value, str) else value
