"""A checkpoint as a model that MLflow loads: its files, or a reference to where they lie, with the digest beside them.

MLflow's own `transformers` flavour copies a local checkpoint only through code that does not run with transformers 5,
so the flavour here is `python_function` with a loader of Ratchet's: the files stay as they are, as their digest does.
"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ratchet.checkpoints import load_model, load_tokenizer
from ratchet.errors import InputError
from ratchet.identity import checkpoint_digest
from ratchet.jsonl import first_line
from ratchet.registry.files import repository
from ratchet.registry.registered import Registered
from ratchet.steps import link_or_copy
from ratchet.storage import read_json, write_json

if TYPE_CHECKING:
    from mlflow import MlflowClient

Weights = Literal["reference", "upload"]
MODEL_FOLDER, POINTER_FILE = "model", "checkpoint.json"
MOST_TOKENS = 64  # of a continuation, where the caller does not say
LOADER = "ratchet.registry.weights"


def log_weights(client: "MlflowClient", model_id: str, checkpoint: Path, digest: str, weights: Weights) -> None:
    """Log what `mlflow.pyfunc.load_model` needs: `MLmodel`, `model/checkpoint.json` and, on upload, the checkpoint."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        _write(folder, model_id, checkpoint, digest, weights)
        client.log_model_artifacts(model_id, str(folder))


def _write(folder: Path, model_id: str, checkpoint: Path, digest: str, weights: Weights) -> None:
    from mlflow import pyfunc
    from mlflow.models import Model, ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

    (folder / MODEL_FOLDER).mkdir()
    location = None if weights == "upload" else str(checkpoint.absolute())
    write_json(folder / MODEL_FOLDER / POINTER_FILE, {"digest": digest, "location": location})
    if weights == "upload":
        for path in sorted(path for path in checkpoint.iterdir() if path.is_file()):
            link_or_copy(path, folder / MODEL_FOLDER / path.name)
    text = Schema([ColSpec("string")])
    params = ParamSchema([ParamSpec("max_new_tokens", "integer", MOST_TOKENS)])
    signature = ModelSignature(inputs=text, outputs=text, params=params)
    model = Model(model_id=model_id, signature=signature, metadata={"ratchet.digest": digest})
    pyfunc.add_to_model(model, loader_module=LOADER, data=MODEL_FOLDER)
    model.save(str(folder / "MLmodel"))


def stored_weights_fault(model: Registered, source: str, digest: str) -> str | None:
    """Why the files of a version are not that checkpoint; None where they are, or where only a reference was logged.

    What was uploaded is downloaded and its digest taken anew: MLflow lets everybody who may write there change it.
    """
    store = repository(model, source)
    if not any(str(info.path).endswith(".safetensors") for info in store.list_artifacts(MODEL_FOLDER)):
        return None
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(store.download_artifacts(MODEL_FOLDER, scratch))
        try:
            found = checkpoint_digest(folder)
        except InputError as error:
            return f"the uploaded checkpoint: {error.found}"
    return None if found == digest else f"the uploaded checkpoint has the digest {found}"


def located(folder: Path) -> Path:
    """The checkpoint that a downloaded model stands for, after its digest was compared with the one logged."""
    pointer = read_json(folder / POINTER_FILE)
    if not isinstance(pointer, dict) or not isinstance(pointer.get("digest"), str):
        raise InputError("no digest", where=folder / POINTER_FILE, expected="what `ratchet log` wrote")
    location = pointer.get("location")
    checkpoint = folder if location is None else Path(str(location))
    found = checkpoint_digest(checkpoint)
    if found != pointer["digest"]:
        raise InputError(f"digest {found}", where=checkpoint, expected=f"{pointer['digest']}, as it was logged")
    return checkpoint


class Generator:
    """What `mlflow.pyfunc.load_model` gives: `predict(prompts)` is the continuation of each prompt.

    `params` may hold `max_new_tokens`. Decoding is greedy.
    """

    def __init__(self, checkpoint: Path) -> None:
        self.tokenizer: Any = load_tokenizer(checkpoint)
        self.model: Any = load_model(checkpoint)

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> list[str]:
        """The continuations."""
        longest = int((params or {}).get("max_new_tokens", MOST_TOKENS))
        return [self._continued(prompt, longest) for prompt in _prompts(model_input)]

    def _continued(self, prompt: str, longest: int) -> str:
        given = self.tokenizer(prompt, return_tensors="pt", return_token_type_ids=False)
        drawn = self.model.generate(**given, max_new_tokens=longest, do_sample=False)
        continued: str = self.tokenizer.decode(drawn[0][given["input_ids"].shape[1] :], skip_special_tokens=True)
        return continued


def _prompts(model_input: Any) -> list[str]:
    """The texts of a text, a list of texts or the first column of a table."""
    if isinstance(model_input, str):
        return [model_input]
    if hasattr(model_input, "columns"):
        model_input = model_input[model_input.columns[0]]
    return [str(prompt) for prompt in model_input]


def _load_pyfunc(path: str) -> Generator:
    """The name that MLflow asks a loader module for; `path` is the model's folder, downloaded."""
    try:
        return Generator(located(Path(path)))
    except InputError as error:
        raise ValueError(f"MLflow's model can't be loaded: {first_line(error)}") from error
