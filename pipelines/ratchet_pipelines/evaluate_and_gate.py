"""Any checkpoint against a base and a champion: all are tried on the same problems, profiled, and the gate decides.

For checkpoints that were trained elsewhere, and for those whose evidence is to be made anew.
"""

from typing import Any

from kfp import dsl

from ratchet_pipelines.stages import Run, begun, decided, given, logged, measured

NAME = "evaluate-and-gate"


def _decided_and_logged(run: Run, candidate: Any, profile: Any, **references: Any) -> None:
    decision = decided(run, "candidate", profile, **references)
    logged(run, candidate, profile, decision, 0)


@dsl.pipeline(
    name=NAME, description="Profile a checkpoint beside a base and a champion, and say whether it may be promoted."
)
def evaluate_and_gate(
    data_problems: str,
    model_candidate: str,
    model_base: str,
    model_champion: str,
    gate_policy: str,
    run_workspace: str,
    mlflow_tracking_uri: str,
    mlflow_experiment: str = NAME,
    run_name: str = NAME,
    run_seed: int = 0,
    evaluate_attempts: int = 32,
    evaluate_temperature: float = 1.0,
    sample_max_new_tokens: int = 512,
    sample_backend: str = "vllm",
    sample_prompt: str = "plain",
    sample_gpus: str = "1",
    sample_cpu: str = "8",
    sample_memory: str = "64Gi",
    grade_cpu: str = "4",
    grade_memory: str = "16Gi",
    small_cpu: str = "2",
    small_memory: str = "8Gi",
    cluster_claim: str = "ratchet-workspace",
    cluster_node_selector: dict = {},  # type: ignore[type-arg]  # noqa: B006  what kfp reads
    cluster_tolerations: list = [],  # type: ignore[type-arg]  # noqa: B006
    cluster_mlflow_secret: str = "ratchet-mlflow",
    cluster_s3_secret: str = "ratchet-s3",
    cluster_signing_secret: str = "ratchet-signing",
) -> None:
    """Profile a checkpoint beside a base and a champion, and say whether it may be promoted.

    Args:
        data_problems: Problem file, .jsonl or .parquet, with splits eval and ood.
        model_candidate: Checkpoint to decide about, a Hugging Face folder with safetensors weights.
        model_base: Checkpoint that it was once made from.
        model_champion: Checkpoint that is in use; the same as model_base where nothing was promoted yet.
        gate_policy: The promotion policy, as YAML text.
        run_workspace: Folder that outlives this run's pods; a run started again on it goes on where it was.
        mlflow_tracking_uri: MLflow server that the checkpoint and its profile are logged to.
        mlflow_experiment: MLflow experiment.
        run_name: Name of this run in MLflow.
        run_seed: Seed of everything drawn at random.
        evaluate_attempts: Attempts an evaluation problem.
        evaluate_temperature: Temperature of the evaluation's attempts.
        sample_max_new_tokens: Longest answer, in tokens.
        sample_backend: vllm, or transformers where there are no accelerators.
        sample_prompt: plain, or chat for the chat template of the checkpoint.
        sample_gpus: Accelerators of a sampling pod.
        sample_cpu: Processors of a sampling pod.
        sample_memory: Memory of a sampling pod.
        grade_cpu: Processors of a grading pod, one worker each.
        grade_memory: Memory of a grading pod, 3 GiB for each processor at least.
        small_cpu: Processors of the other pods.
        small_memory: Memory of the other pods; 8 GiB hold a million attempts.
        cluster_claim: Volume claim that every pod mounts at /workspace; run_workspace lies in it.
        cluster_node_selector: Labels of the nodes that have the accelerators.
        cluster_tolerations: Taints of those nodes that the pods tolerate.
        cluster_mlflow_secret: Secret with MLFLOW_TRACKING_USERNAME, _PASSWORD or _TOKEN, if MLflow wants one.
        cluster_s3_secret: Secret with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_ENDPOINT_URL, if need be.
        cluster_signing_secret: Secret with RATCHET_SIGNING_KEY, the key that verdicts are signed with.
    """
    settings = dict(locals())
    run = begun(given(data_problems, dsl.Dataset, "problems"), settings, "evaluate-and-gate")
    base = measured(run, "base", "base", given(model_base, dsl.Model, "base")).outputs["profile"]
    candidate = given(model_candidate, dsl.Model, "candidate")
    profile = measured(run, "candidate", "candidate", candidate, base=base).outputs["profile"]
    with dsl.If(model_champion == model_base, name="nothing-was-promoted-yet"):
        _decided_and_logged(run, candidate, profile, base=base, champion=base)
    with dsl.Else(name="against-a-champion"):
        champion = measured(run, "champion", "champion", given(model_champion, dsl.Model, "champion"))
        _decided_and_logged(run, candidate, profile, base=base, champion=champion.outputs["profile"])
