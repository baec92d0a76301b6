"""The process that draws problems of reasoning-gym: one JSON object a line, each with a prompt and an entry.

Run by `ratchet.imports.gym` as `python -m ratchet.imports.gym_draw DRAW`, with PYTHONHASHSEED=0.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import asdict
from typing import Any

from ratchet.grade.gym import LONGEST_ENTRY
from ratchet.grade.gym_judge import judge

DRAWS_A_PROBLEM, MORE_DRAWS = 20, 1000  # before a family counts as exhausted


class Fault(Exception):
    """Why a draw is impossible, and what would be possible."""

    def __init__(self, found: str, expected: str) -> None:
        self.found, self.expected = found, expected
        super().__init__(found)


def main() -> None:
    """Print what is drawn, or the fault in its place."""
    draw, out = json.loads(sys.argv[1]), sys.stdout
    with redirect_stdout(sys.stderr):  # some families print
        try:
            for prompt, answer in drawn(draw["family"], draw["count"], draw["seed"], draw["level"]):
                print(json.dumps({"prompt": prompt, "answer": answer}), file=out, flush=True)
        except Fault as fault:
            print(json.dumps({"fault": fault.found, "expected": fault.expected}), file=out, flush=True)


def drawn(family: str, count: int, seed: int, level: int | None) -> Iterator[tuple[str, str]]:
    """`count` different prompts of a family with their entries, each of whose own answers is scored as right."""
    config = {} if level is None else configured(family, level)
    most = DRAWS_A_PROBLEM * count + MORE_DRAWS
    dataset = _dataset(family, level, {**config, "seed": seed, "size": most})
    seen: set[str] = set()
    for place in range(most):
        if len(seen) == count:
            return
        found = dataset[place]
        if found["question"] in seen:
            continue
        seen.add(found["question"])
        yield found["question"], _entry(family, found, config)
    if len(seen) < count:
        raise Fault(f"{len(seen)} different problems after {most:,} draws of family {family!r}", "fewer problems")


def configured(family: str, level: int) -> dict[str, Any]:
    """What a family's configuration is at a level of its curriculum, as far as it isn't the default one.

    Every attribute of the curriculum is set to that level, or to its last one where it has fewer.
    """
    from reasoning_gym.factory import CURRICULA, DATASETS, create_curriculum

    if family not in CURRICULA:
        raise Fault(f"a level for family {family!r}", "none: it has no curriculum")
    curriculum = create_curriculum(family)
    last = {name: len(attribute.levels) - 1 for name, attribute in curriculum.attributes.items()}
    if level > max(last.values()):
        raise Fault(f"level {level} for family {family!r}", f"a level from 0 to {max(last.values())}")
    for name, highest in last.items():
        curriculum.set_attr_level(name, min(level, highest))
    chosen, plain = asdict(curriculum.generate_configuration()), asdict(DATASETS[family][1]())
    kept = {name: value for name, value in chosen.items() if value != plain[name] and name not in ("seed", "size")}
    return dict(json.loads(json.dumps(kept)))


def _dataset(family: str, level: int | None, config: dict[str, Any]) -> Any:
    from reasoning_gym.factory import create_dataset

    try:
        return create_dataset(family, **config)
    except (AssertionError, ValueError) as error:
        raise Fault(f"level {level} of family {family!r} ({error})", "a level that the family itself allows") from None


def _entry(family: str, found: dict[str, Any], config: dict[str, Any]) -> str:
    entry = {"family": family, "answer": found["answer"], "metadata": found["metadata"]}
    text = json.dumps(entry | ({"config": config} if config else {}))
    if len(text) > LONGEST_ENTRY:
        raise Fault(f"an entry of {len(text):,} characters", f"at most {LONGEST_ENTRY:,}: an easier level")
    outcome, _, reason = judge(text, found["answer"].strip())
    if outcome != "correct":
        raise Fault(f"an answer that its own scorer does not take for right ({reason})", "another seed or level")
    return text


if __name__ == "__main__":
    main()
