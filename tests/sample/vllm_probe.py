"""What the vLLM back end does with a checkpoint, as JSON: run by the tests in the environment that has vLLM.

.venv-vllm/bin/python tests/sample/vllm_probe.py CHECKPOINT
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from ratchet.checkpoints import load_tokenizer
from ratchet.records import Sample
from ratchet.sample.engine import Engine, Job, Question
from ratchet.sample.fingerprint import fingerprint, fixed_texts
from ratchet.sample.settings import Sampling
from ratchet.sample.vllm_engine import vllm_engine

TEXTS = ("Once upon a time in a far away land", "Question: what is 2 + 3?\nAnswer:")
SETTINGS = Sampling(attempts=16, max_new_tokens=24, seed=5, stop=("\n\n",), backend="vllm")


def probe(checkpoint: Path) -> dict[str, object]:
    """Attempts at two questions, some of them again in other company, and the fingerprint."""
    tokenizer = load_tokenizer(checkpoint)
    prompts = [tuple(tokenizer(text)["input_ids"]) for text in TEXTS]
    questions = [Question("s", f"p{i}", ids, tuple(range(16))) for i, ids in enumerate(prompts)]
    alone = [Question("s", "p1", prompts[1], (3, 7))]
    twice = [Question("s", name, prompts[0], tuple(range(16))) for name in ("p0", "another")]
    with vllm_engine(Job(checkpoint, SETTINGS, 256)) as engine:
        return {
            "prompts": prompts,
            "together": _drawn(engine, questions),
            "alone": _drawn(engine, alone),
            "twice": _drawn(engine, twice),
            "fingerprint": asdict(fingerprint(fixed_texts(tokenizer, 256), engine)),
        }


def _drawn(engine: Engine, questions: list[Question]) -> list[dict[str, object]]:
    drawn: list[Sample] = [sample for finished in engine.draw(questions) for sample in finished]
    return [asdict(sample) for sample in sorted(drawn, key=lambda s: (s.problem_id, s.attempt))]


if __name__ == "__main__":
    print(json.dumps(probe(Path(sys.argv[1]))))
