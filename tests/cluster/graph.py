"""A compiled pipeline walked step by step: what Kubeflow's driver decides, without Kubeflow.

Inputs are resolved, conditions are judged, the items of a loop run beside each other and what they made is collected,
artifacts get their addresses; a step itself is run by whoever walks. What the pipelines here do not use (loops over
artifacts, or over texts in the file) is refused, never passed over.
"""

import json
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

PARAMETER = re.compile(r"\{\{\$\.inputs\.parameters\['([^']+)'\]\}\}")
KNOWN = {"parameters", "artifacts"}


@dataclass(frozen=True)
class Step:
    """One step to run: its container as the YAML has it, with every placeholder filled in, and its artifacts.

    An input is a list of artifacts: one, or those that a loop made.
    """

    name: str
    place: str
    image: str
    command: list[str]
    args: list[str]
    inputs: dict[str, list[dict[str, Any]]]
    outputs: dict[str, dict[str, Any]]
    resources: dict[str, Any]
    platform: dict[str, Any]


@dataclass
class Produced:
    """What a task hands on: parameters by name, lists of artifacts by name."""

    parameters: dict[str, Any] = field(default_factory=dict)
    artifacts: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


Runs = Callable[[Step], Mapping[str, Any]]


@dataclass
class Walk:
    """A run of a compiled pipeline; `run` runs a step and returns its output parameters."""

    spec: dict[str, Any]
    platform: dict[str, Any]
    root: str
    job: str
    run: Runs
    done: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def pipeline(self, parameters: Mapping[str, Any]) -> None:
        """Run the whole pipeline with these parameters; those that are not given have their defaults."""
        declared = self.spec["root"].get("inputDefinitions", {}).get("parameters", {})
        missing = [name for name, one in declared.items() if not one.get("isOptional") and name not in parameters]
        assert not missing, missing
        defaults = {name: one["defaultValue"] for name, one in declared.items() if "defaultValue" in one}
        self._dag(self.spec["root"]["dag"], Produced({**defaults, **parameters}), "")

    def _dag(self, dag: Mapping[str, Any], given: Produced, path: str) -> dict[str, Produced]:
        """The tasks of a group, each after those that it takes from; the first failure ends it, but for exit tasks."""
        made: dict[str, Produced] = {}
        waiting = dict(dag["tasks"])
        failed: Exception | None = None
        while waiting:
            name = next(n for n, task in waiting.items() if not set(_before(task)) & set(waiting))
            task = waiting.pop(name)
            at_the_end = task.get("triggerPolicy", {}).get("strategy") == "ALL_UPSTREAM_TASKS_COMPLETED"
            if failed is not None and not at_the_end:
                continue
            try:
                found = self._task(task, given, made, f"{path}/{name}", failed)
            except Exception as error:
                failed = failed or error
                continue
            if found is not None:
                made[name] = found
        if failed is not None:
            raise failed
        return made

    def _task(
        self, task: dict[str, Any], given: Produced, made: dict[str, Produced], path: str, failed: Exception | None
    ) -> Produced | None:
        """What the task hands on; None where its condition does not hold or what it takes was never made."""
        unknown = set(task.get("inputs", {})) - KNOWN
        assert not unknown and "artifactIterator" not in task, (path, unknown)
        if any(one not in made for one in _producers(task)) and failed is None:
            self.skipped.append(path)
            return None
        taken = Produced(self._parameters(task, given, made, failed), _artifacts(task, given, made))
        condition = task.get("triggerPolicy", {}).get("condition")
        if condition is not None and not holds(condition, taken.parameters):
            self.skipped.append(path)
            return None
        component = self.spec["components"][task["componentRef"]["name"]]
        defaults = component.get("inputDefinitions", {}).get("parameters", {})
        for name, one in defaults.items():
            if "defaultValue" in one:
                taken.parameters.setdefault(name, one["defaultValue"])
            if one.get("parameterType") == "NUMBER_INTEGER":  # the YAML has 32.0, which Kubeflow hands on as 32
                taken.parameters[name] = int(taken.parameters[name])
        if "parameterIterator" in task:
            return self._loop(task["parameterIterator"], component["dag"], taken, path)
        if "dag" in component:
            inner = self._dag(component["dag"], taken, path)
            self.done.append(path)
            return _handed_out(component["dag"], inner)
        found = self._execute(component, taken, given.parameters, path)
        self.done.append(path)
        return found

    def _loop(self, iterator: Mapping[str, Any], dag: Mapping[str, Any], taken: Produced, path: str) -> Produced:
        """What the items of the loop made, collected in their order; all of them run at once."""
        items = taken.parameters[iterator["items"]["inputParameter"]]
        assert isinstance(items, list), (path, items)

        def one(number: int) -> Produced:
            given = Produced({**taken.parameters, iterator["itemInput"]: items[number]}, taken.artifacts)
            return _handed_out(dag, self._dag(dag, given, f"{path}/{number}"))

        with ThreadPoolExecutor(max(1, len(items))) as pool:
            made = list(pool.map(one, range(len(items))))
        self.done.append(path)
        return Produced(
            {name: [each.parameters[name] for each in made] for name in (made[0].parameters if made else ())},
            {name: [a for each in made for a in each.artifacts[name]] for name in (made[0].artifacts if made else ())},
        )

    def _parameters(
        self, task: Mapping[str, Any], given: Produced, made: Mapping[str, Produced], failed: Exception | None
    ) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, source in task.get("inputs", {}).get("parameters", {}).items():
            if "componentInputParameter" in source:
                found[name] = given.parameters[source["componentInputParameter"]]
            elif "taskOutputParameter" in source:
                producer = source["taskOutputParameter"]
                found[name] = made[producer["producerTask"]].parameters[producer["outputParameterKey"]]
            elif "taskFinalStatus" in source:
                state = "FAILED" if failed is not None else "SUCCEEDED"
                found[name] = {"state": state, "error": {"code": 9, "message": str(failed)} if failed else {}}
            else:
                found[name] = source["runtimeValue"]["constant"]
        return {name: self._filled(value, given.parameters | found) for name, value in found.items()}

    def _filled(self, value: Any, parameters: Mapping[str, Any]) -> Any:
        """The value with the parameters that its texts name, and with the run's own name and id."""
        if isinstance(value, dict):
            return {key: self._filled(one, parameters) for key, one in value.items()}
        if not isinstance(value, str):
            return value
        text = PARAMETER.sub(lambda match: _text(parameters[match[1]]), value)
        return text.replace("{{$.pipeline_job_name}}", self.job).replace("{{$.pipeline_job_uuid}}", self.job)

    def _execute(self, component: Mapping[str, Any], taken: Produced, around: Mapping[str, Any], path: str) -> Produced:
        """The step, run; what it asks of Kubernetes names parameters of the group around it, as Kubeflow reads them."""
        executor = self.spec["deploymentSpec"]["executors"][component["executorLabel"]]
        if "importer" in executor:
            schema = executor["importer"]["typeSchema"]
            return Produced(artifacts={"artifact": [_artifact("artifact", schema, taken.parameters["uri"])]})
        outputs = component.get("outputDefinitions", {})
        folder = f"{self.root}/{self.job}{path}"
        artifacts = {
            key: _artifact(key, one["artifactType"], f"{folder}/{key}")
            for key, one in outputs.get("artifacts", {}).items()
        }
        container = executor["container"]
        message = json.dumps(_executor_input(taken, artifacts, list(outputs.get("parameters", {}))))

        def filled(text: str) -> str:
            return str(self._filled(text, taken.parameters)).replace("{{$}}", message)

        step = Step(
            name=path.rpartition("/")[2],
            place=folder,
            image=container["image"],
            command=[filled(text) for text in container["command"]],
            args=[filled(text) for text in container["args"]],
            inputs=taken.artifacts,
            outputs=artifacts,
            resources=self._filled(container.get("resources", {}), taken.parameters),
            platform=self._platform(component["executorLabel"], around),
        )
        return Produced(dict(self.run(step)), {key: [one] for key, one in artifacts.items()})

    def _platform(self, label: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """What the step asks of Kubernetes, with the parameters that it names put in."""

        def resolved(value: Any) -> Any:
            if isinstance(value, dict) and set(value) == {"componentInputParameter"}:
                return parameters[value["componentInputParameter"]]
            if isinstance(value, dict):
                return {key: resolved(one) for key, one in value.items()}
            return [resolved(one) for one in value] if isinstance(value, list) else value

        found: dict[str, Any] = resolved(self.platform.get(label, {}))
        return found


def load(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The specification in a compiled file, and what its steps ask of Kubernetes."""
    spec, platform = yaml.safe_load_all(path.read_text())
    return spec, platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]


def holds(condition: str, parameters: Mapping[str, Any]) -> bool:
    """Whether a condition of a compiled pipeline holds: comparisons of parameters and texts, `&&` and `!`."""
    text = re.sub(r"inputs\.parameter_values\['([^']+)'\]", lambda match: repr(_text(parameters[match[1]])), condition)
    python = re.sub(r"!(?!=)", " not ", text.replace("&&", " and ").replace("||", " or "))
    return bool(eval(python, {"__builtins__": {}}))  # noqa: S307  our own compiled pipelines


def _before(task: Mapping[str, Any]) -> list[str]:
    return [*task.get("dependentTasks", []), *_producers(task)]


def _producers(task: Mapping[str, Any]) -> list[str]:
    """The tasks that this one takes something from."""
    inputs = task.get("inputs", {})
    parameters = [
        one["taskOutputParameter"] for one in inputs.get("parameters", {}).values() if "taskOutputParameter" in one
    ]
    artifacts = [
        one["taskOutputArtifact"] for one in inputs.get("artifacts", {}).values() if "taskOutputArtifact" in one
    ]
    return [one["producerTask"] for one in (*parameters, *artifacts)]


def _artifacts(
    task: Mapping[str, Any], given: Produced, made: Mapping[str, Produced]
) -> dict[str, list[dict[str, Any]]]:
    found = {}
    for name, source in task.get("inputs", {}).get("artifacts", {}).items():
        if "componentInputArtifact" in source:
            if source["componentInputArtifact"] in given.artifacts:  # else one that is optional and was not given
                found[name] = given.artifacts[source["componentInputArtifact"]]
        else:
            producer = source["taskOutputArtifact"]
            found[name] = made[producer["producerTask"]].artifacts[producer["outputArtifactKey"]]
    return found


def _handed_out(dag: Mapping[str, Any], inner: Mapping[str, Produced]) -> Produced:
    """What a group hands on of what its tasks made."""
    out = Produced()
    for name, source in dag.get("outputs", {}).get("artifacts", {}).items():
        for one in source["artifactSelectors"]:
            if one["producerSubtask"] in inner:
                out.artifacts[name] = inner[one["producerSubtask"]].artifacts[one["outputArtifactKey"]]
    for name, source in dag.get("outputs", {}).get("parameters", {}).items():
        one = source["valueFromParameter"]
        if one["producerSubtask"] in inner:
            out.parameters[name] = inner[one["producerSubtask"]].parameters[one["outputParameterKey"]]
    return out


def _artifact(name: str, schema: Mapping[str, Any], uri: str) -> dict[str, Any]:
    return {"name": name, "type": dict(schema), "uri": uri, "metadata": {}}


def _executor_input(taken: Produced, artifacts: Mapping[str, Any], parameters: list[str]) -> dict[str, Any]:
    """The message that a lightweight component is started with."""
    return {
        "inputs": {
            "parameterValues": taken.parameters,
            "artifacts": {name: {"artifacts": several} for name, several in taken.artifacts.items()},
        },
        "outputs": {
            "parameters": {name: {"outputFile": f"/tmp/kfp/outputs/{name}"} for name in parameters},
            "artifacts": {name: {"artifacts": [one]} for name, one in artifacts.items()},
            "outputFile": "/tmp/kfp/output_metadata.json",
        },
    }


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
