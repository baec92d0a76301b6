"""One YAML file a run: what `ratchet run` reads, and what is kept beside the run's results."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from ratchet.config import Strict

Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0)]


class GeneratedProblems(Strict):
    """The quickstart's own arithmetic word problems."""

    type: Literal["arithmetic"]
    train: Count
    """Training problems, each with a reference solution."""
    eval: Count
    """Problems that the gate compares on."""
    ood: Annotated[int, Field(ge=0)]
    """Problems outside the training distribution."""


class ProblemFile(Strict):
    """Problems of your own."""

    type: Literal["file"]
    path: Path
    """A .jsonl or .parquet file of Problem records with splits train, eval and ood."""


class UntrainedModel(Strict):
    """The quickstart's Llama of about a million parameters, from random weights."""

    type: Literal["untrained"]


class BaseCheckpoint(Strict):
    """A checkpoint of your own."""

    type: Literal["checkpoint"]
    path: Path
    """A Hugging Face folder with safetensors weights."""


class FirstIteration(Strict):
    """How M_1 is made from the base model and the reference solutions."""

    epochs: Count
    learning_rate: Rate


class Train(Strict):
    """How each later round is trained on the model's own correct answers."""

    epochs: Count
    learning_rate: Rate
    batch_size: Count
    max_length: Count
    """Longest prompt with answer, in tokens."""


class Sample(Strict):
    """The attempts at training problems that a round learns from."""

    problems: Annotated[int, Field(ge=0)] = 0
    """How many training problems are attempted; 0 for all."""
    attempts: Count
    temperature: Rate
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    max_new_tokens: Count
    keep_per_problem: Count
    """Most correct answers kept of one problem."""
    pods: Count = 1
    """Shards that sampling and grading are cut into; on one machine two of them work at a time."""


class Evaluate(Strict):
    """The attempts that profiles are made of."""

    attempts: Count
    temperature: Rate


class Tracking(Strict):
    """Where checkpoints are logged."""

    experiment: str
    tracking_uri: str | None = None
    """An MLflow server; without one, an SQLite database in the run's folder."""


class RunConfig(Strict):
    """A whole self-improvement run."""

    name: str
    seed: Annotated[int, Field(ge=0)] = 0
    rounds: Annotated[int, Field(ge=1, le=20)]
    """Rounds after M_1; the run ends earlier at a round that the gate blocks."""
    problems: Annotated[GeneratedProblems | ProblemFile, Field(discriminator="type")]
    model: Annotated[UntrainedModel | BaseCheckpoint, Field(discriminator="type")]
    first: FirstIteration
    sample: Sample
    train: Train
    evaluate: Evaluate
    policy: Path
    """The promotion policy, relative to this file."""
    mlflow: Tracking
